import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { durationText, parseDuration } from '../../src/platform/durations.ts'
import { parseConfig } from '../../src/stack/config.ts'
import { type Shown, type ShownValue, shownConfig } from '../../src/stack/shown.ts'

const directory = mkdtempSync(join(tmpdir(), 'hotpotato-shown-'))
afterAll(() => rmSync(directory, { recursive: true }))
writeFileSync(join(directory, 'x.env'), '\nSECRET=hush\nA=from the file\n')

const TEXT = `gateway: { http: 1 }
connection: { timers: { handler: 90 } }
functions:
  a:
    environment: { A: 1, B: 2 }
    environment_file: [x.env]
    replicas: { min: 2, max: 4 }
    limits: { memory: 1Ki }
    files: .
  b: { lang: node22, labels: { com.openfaas.scale.min: 3 } }
isolationUids: 2000-2999
`
const load = (text: string, variables = {}) => parseConfig(text, directory, variables, 'x.yml')
const shown = (secrets = false) => shownConfig(load(TEXT, { HOTPOTATO_HTTPS_PORT: '2' }), secrets)

function at(path: string, secrets = false): ShownValue {
  let value: Shown | undefined = shown(secrets)
  for (const key of path.split('.')) value = (value as ReadonlyMap<string, Shown>).get(key)
  return value as ShownValue
}

/** As a stack file in JSON, which is YAML, too. */
function plain(one: Shown): unknown {
  return one instanceof Map
    ? Object.fromEntries([...one].map(([name, below]) => [name, plain(below)]))
    : (one as ShownValue).value
}

describe('a configuration that is shown', () => {
  it.each([
    ['gateway.http', { value: 1, from: 'x.yml:1:18' }],
    ['gateway.https', { value: 2, from: 'HOTPOTATO_HTTPS_PORT' }],
    ['gateway.host', { value: '127.0.0.1', from: 'default' }],
    ['connection.timers.handler', { value: '1m30s', from: 'x.yml:2:34' }],
    ['connection.timers.headers', { value: '10s', from: 'default' }],
    ['functions.a.replicas', { value: { min: 2, max: 4 }, from: 'x.yml:7:5' }],
    ['functions.a.limits.memory', { value: 1024, from: 'x.yml:8:23' }],
    ['functions.a.environment.B', { value: '2', from: 'x.yml:5:29' }],
    ['functions.a.environment.A', { value: '********', from: 'x.env:3' }],
    ['functions.a.environment.SECRET', { value: '********', from: 'x.env:2' }],
    ['functions.a.hosts', { value: ['a.local', 'a.localhost'], from: 'default' }],
    ['functions.a.files.directory', { value: directory, from: 'x.yml:9:12' }],
    ['isolationUids.first', { value: 2000, from: 'x.yml:11:16' }],
    ['functions.b.handler', { value: join(directory, 'b'), from: 'default' }],
    ['functions.b.replicas', { value: { min: 3, max: 64 }, from: 'x.yml:10:22' }],
  ])('says what %s is, and where that comes from', (path, expected) => {
    expect(at(path)).toEqual(expected)
  })

  it('masks what files of variables say, unless it is told otherwise', () => {
    expect(JSON.stringify(plain(shown()))).not.toContain('hush')
    expect(at('functions.a.environment.SECRET', true).value).toBe('hush')
  })

  it.each([
    TEXT,
    'functions: { p: { command: [python3, "a b"], mode: fork, pool: 2 }, q: { lang: python3 } }',
    'functions: { s: { sealed: { bundle: x.age, cacheSeconds: 10s } }, f: { files: { directory: . } } }',
    'functions: { a: { replicas: { min: 1, max: 3, connections: 5 } } }',
    'trust: [{ functions: [a] }]\nisolationUids: 2000-2001\nfunctions: { a: { files: . } }',
    'functions: { a: { command: x, health: /x } }',
    'tls: { acme: { externalAccount: { keyId: a, keyFile: b } } }\nfunctions: { a: { hosts: [a.example] } }',
    'functions: { a: { fprocess: wc, labels: { com.openfaas.scale.zero: "true" } } }',
  ])('is read again as the same: %j', text => {
    const first = load(text)
    const before = first.config
    const again = load(JSON.stringify(plain(shownConfig(first, true)))).config
    const bare = ({ functions, ...rest }: typeof before) => [
      rest,
      // Of a program the handler is its folder, which it says itself.
      [...functions.values()].map(({ filed, namesHosts, handler, ...one }) => ({
        ...one,
        handler: one.program === undefined ? handler : undefined,
      })),
    ]
    expect(bare(again)).toEqual(bare(before))
  })
})

it.each([0, 0.05, 0.1, 1, 59.5, 60, 90, 3600, 5400.25, 86_400, 604_800])(
  'a duration of %d s is written as it is read',
  seconds => {
    expect(parseDuration(durationText(seconds))).toBeCloseTo(seconds, 9)
  },
)
