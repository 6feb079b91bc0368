import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/stack/config.ts'
import { changedKeys, difference, fixedKeys } from '../../src/stack/difference.ts'
import { plan } from '../../src/stack/plan.ts'

const OPTIONS = { channel: 'native', provider: 'node', logLevel: 'info' } as const
const BEFORE = `gateway: { defaultFunction: a }
functions:
  a: { environment: { X: 1, Y: 2 } }
  b: { replicas: 2 }
`
const NOTHING = {
  added: [],
  removed: [],
  renewed: new Set(),
  scaled: new Set(),
  table: false,
  gateway: false,
}

const config = (text: string) => parseConfig(text, '/base').config
/** What is different after some text has been put in the place of another, and which keys. */
function changed(what: string | RegExp, other: string) {
  const [one, two] = [config(BEFORE), config(BEFORE.replace(what, other))]
  return { ...difference(plan(one, OPTIONS), plan(two, OPTIONS)), keys: changedKeys(one, two) }
}

describe('what is different', () => {
  it.each([
    ['nothing', 'a: {', 'a: {', {}, []],
    ['the order of keys', 'X: 1, Y: 2', 'Y: 2, X: 1', {}, []],
    ['words for tools', 'X: 1, Y: 2 }', 'X: 1, Y: 2 }, annotations: { w: v }', {}, ['annotations.w']],
    ['a variable', 'X: 1', 'X: 3', { renewed: new Set(['a']) }, ['environment.X']],
    ['a handler', 'a: {', 'a: { handler: echo,', { renewed: new Set(['a']) }, ['handler']],
    ['a host', 'a: {', 'a: { hosts: [a.local],', { table: true }, ['hosts', 'namesHosts']],
    ['a rule', 'a: {', 'a: { retries: none,', { table: true }, ['retries']],
    ['a number', 'replicas: 2', 'replicas: 3', { scaled: new Set(['b']) }, ['b.replicas.start']],
    ['a bound', 'replicas: 2', 'replicas: { min: 2 }', { scaled: new Set(['b']) }, ['b.replicas.min']],
    [
      'a carrier',
      'b: {',
      'b: { carrier: relay,',
      { renewed: new Set(['b']), table: true, gateway: true },
      ['b.carrier'],
    ],
  ])('in a function: %s', (_, what, other, expected, keys) => {
    const { keys: found, ...rest } = changed(what, other)
    expect(rest).toEqual({ ...NOTHING, ...expected })
    const full = keys.map(key => (key.startsWith('b.') ? `functions.${key}` : `functions.a.${key}`))
    expect(found.sort()).toEqual(full.sort())
  })

  it.each([
    ['its limits', 'a }', 'a, limits: { helloSeconds: 1 } }', { gateway: true }, 'limits.helloSeconds'],
    ['where clients go that name no host', 'a }', 'b }', { table: true }, 'defaultFunction'],
  ])('in the gateway: %s', (_, what, other, expected, key) => {
    const { keys, ...rest } = changed(what, other)
    expect([rest, keys]).toEqual([{ ...NOTHING, ...expected }, [`gateway.${key}`]])
  })

  it('for all: a timer concerns the gateway and every container', () => {
    const { keys, ...rest } = changed(/^/, 'connection: { timers: { keepAlive: 1m } }\n')
    expect(keys).toEqual(['connection.timers.keepAlive'])
    expect(rest).toEqual({ ...NOTHING, renewed: new Set(['a', 'b']), gateway: true })
  })

  it('a function that comes or goes', () => {
    expect(changed(/$/, '  c: {}\n')).toMatchObject({ added: ['c'], table: true, keys: ['functions.c'] })
    expect(changed(/ {2}b.*\n/, '')).toMatchObject({ removed: ['b'], table: true, keys: ['functions.b'] })
  })

  it('the files that containers read at their start', () => {
    const before = config(BEFORE)
    const [one, two] = ['1', '2'].map(version =>
      plan(before, { ...OPTIONS, digest: ({ name }) => (name === 'a' ? version : '') }),
    )
    expect(difference(one!, two!)).toEqual({ ...NOTHING, renewed: new Set(['a']) })
  })
})

it('ports, directories and the log are for a new start', () => {
  const fixed = ['gateway.http', 'gateway.host', 'runDirectory', 'log.files', 'liveness.busySeconds']
  const others = ['gateway.limits.connections', 'gateway.defaultFunction', 'functions.a.handler', 'trust']
  expect(fixedKeys([...fixed, ...others, 'connection.requests', 'tls.tickets.count'])).toEqual(fixed)
})
