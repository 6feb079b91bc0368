import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import type { ReloadOutcome } from '../../src/cli/up/running.ts'
import { Client, textOf } from '../support/client.ts'
import { eventually, hotpotato, makeDirectory, Platform } from '../support/platform.ts'

/* Each of these tests begins with what the one before has left running: to start containers takes time. */

/** What a function says of its settings: those that it was started with. */
const SAYS = `const started = { ...process.env }
export default {
  fetch: (_, env, { functionPath, functions }) =>
    functionPath === '/env'
      ? Response.json({ env, started })
      : new Response(env.WORD + ' ' + functions.join()),
}
`
const says = (name: string, word: string, more = '') =>
  `${name}: { handler: ./says.mjs, environment: { WORD: ${word} }${more} }`
const PARTS = {
  gateway: 'gateway: { defaultFunction: a }',
  connection: 'connection: { requests: 1000000, timers: { keepAlive: 300, headers: 300, requestBody: 300 } }',
  a: says('a', 'one'),
  b: says('b', 'bee'),
  c: '',
}

let platform: Platform
let directory: string

/** Writes the stack file. @param parts what is otherwise than in the one that was started with */
function write(parts: Partial<typeof PARTS> = {}): void {
  const { gateway, connection, ...functions } = { ...PARTS, ...parts }
  const lines = Object.values(functions).filter(one => one !== '')
  const text = `${gateway}\n${connection}\nfunctions:\n  ${lines.join('\n  ')}\n`
  writeFileSync(join(directory, 'hotpotato.yml'), text)
}

/** Has the stack file taken anew. @throws Error it is refused */
async function reload(parts?: Partial<typeof PARTS>): Promise<ReloadOutcome> {
  write(parts)
  const answer = await platform.order<ReloadOutcome | { error: string }>('reload')
  if ('error' in answer) throw new Error(answer.error)
  return answer
}

const open = (serverName = 'a.local') =>
  Client.open({ port: platform.https, tls: { ca: platform.ca, serverName } })
/** Of the gateway and the containers; what keeps keys apart stays. */
const pids = async () => {
  const members = await platform.status()
  return members.filter(({ name }) => name !== 'signer').map(({ pid }) => pid)
}

/** What one connection says; it is closed then. */
async function once(path: string, serverName?: string): Promise<string> {
  const client = await open(serverName)
  const text = textOf(await client.request(path))
  await client.close()
  return text
}

beforeAll(async () => {
  const hosts = (name: string): string[] => [`${name}.local`, `other-${name}.local`]
  directory = await makeDirectory(
    '',
    ['a', 'b', 'c'].map(name => ({ name, hosts: hosts(name) })),
  )
  write()
  writeFileSync(join(directory, 'says.mjs'), SAYS)
  writeFileSync(join(directory, 'bad.mjs'), 'throw new Error("not today")\n')
  platform = await Platform.start({ directory })
})
afterAll(() => platform?.stop())

it('nothing happens where nothing has changed', async () => {
  const before = await pids()
  expect(await reload()).toEqual({ functions: [], notes: [] })
  expect(await pids()).toEqual(before)
})

describe('other settings', () => {
  it('reach a function with its live connections, of which none loses a byte', async () => {
    const clients = await Promise.all(Array.from({ length: 6 }, () => open()))
    for (const client of clients) expect(textOf(await client.request('/'))).toBe('one a,b')
    // A part of a request has come when the change comes: the rest comes elsewhere.
    const halfway = await open()
    const bytes = halfway.requestBytes('/', { method: 'POST', body: new Uint8Array(3000).fill(7) })
    halfway.write(bytes.subarray(0, 20))
    let over = false
    const busy = (async () => {
      const client = await open()
      const said = new Set<string>()
      for (; !over; await setTimeout(10)) said.add(textOf(await client.request('/')))
      return [...said]
    })()

    write({ a: says('a', 'two') })
    const { code, stdout } = await hotpotato(directory, ['reload'])
    over = true
    expect(stdout).toMatch(/^a: environment changed, deployed anew, moved \d+ connections\n$/)
    expect([code, Number(/moved (\d+)/.exec(stdout)![1]) >= 7]).toEqual([0, true])

    expect((await busy).filter(text => text !== 'one a,b' && text !== 'two a,b')).toEqual([])
    halfway.write(bytes.subarray(20))
    expect((await halfway.answer()).status).toBe(200)
    for (const client of clients) {
      const answer = await client.request('/')
      expect([answer.status, textOf(answer)]).toEqual([200, 'two a,b'])
    }
  })

  it('are in process.env, and nothing else of the supervisor is', async () => {
    const { env, started } = JSON.parse(await once('/env'))
    expect(env).toEqual({ WORD: 'two' })
    expect(started).toMatchObject({ WORD: 'two', NODE_ENV: 'production' })
    expect(Object.keys(started).filter(name => /^(HOTPOTATO|VITEST|npm_)/.test(name))).toEqual([])
  })

  it('are those of the file for deploy, too, and only of that function', async () => {
    write({ b: says('b', 'wasp') })
    expect(await platform.order('deploy a')).toMatchObject({ started: [expect.stringMatching(/^a-\d$/)] })
    expect([await once('/'), await once('/b')]).toEqual(['one a,b', 'bee a,b'])
    expect((await reload()).functions).toEqual([])
    write({ b: says('c', 'sea') })
    const [b, c] = [await platform.order('deploy b'), await platform.order('deploy c')]
    expect(b).toEqual({ error: 'b is not in the stack file any more; hotpotato reload takes it away' })
    expect(c).toEqual({ error: 'c is new in the stack file; hotpotato reload starts it' })
  })

  it('of the whole reach every container, and the gateway on the ports that it has', async () => {
    const client = await open()
    const before = await pids()
    const { functions, gateway } = await reload({
      connection: PARTS.connection.replace('keepAlive: 300', 'keepAlive: 200'),
    })
    const changed = ['connection.timers.keepAlive']
    expect(functions).toMatchObject([
      { name: 'a', did: 'deployed', changed },
      { name: 'b', did: 'deployed', changed },
    ])
    expect(gateway).toEqual(changed)
    expect((await pids()).filter(pid => before.includes(pid))).toEqual([])
    expect([textOf(await client.request('/')), await once('/')]).toEqual(['one a,b', 'one a,b'])
    // From here on this is how it is.
    PARTS.connection = PARTS.connection.replace('keepAlive: 300', 'keepAlive: 200')
  })
})

describe('functions', () => {
  it('are added, get other hosts, are found by all, and are taken away again', async () => {
    const client = await open()
    expect(textOf(await client.request('/c'))).toBe('one a,b')
    const before = await pids()
    const { functions } = await reload({
      a: says('a', 'one', ', hosts: [other-a.local]'),
      c: says('c', 'sea'),
    })
    expect(functions).toMatchObject([
      { name: 'a', did: 'told', changed: ['hosts'] },
      { name: 'c', did: 'added', started: ['c-1'] },
    ])
    // Nothing but the new one was started.
    expect((await pids()).filter(pid => !before.includes(pid))).toHaveLength(1)
    expect(await once('/', 'c.local')).toBe('sea a,b,c')
    expect(await once('/c', 'other-a.local')).toBe('sea a,b,c')
    await expect(open('a.local')).rejects.toThrow()
    // A connection that was there before finds it, and comes back.
    const moved = await client.request('/c')
    expect([textOf(moved), moved.container]).toEqual(['sea a,b,c', 'c-1'])
    expect(textOf(await client.request('/a'))).toBe('one a,b,c')
    // So does a container that is started after that with what it was first told.
    const { name } = (await platform.status()).find(({ functionName }) => functionName === 'b')!
    await platform.kill(name)
    await platform.until(name, ({ ready }) => ready)
    expect(await once('/c', 'b.local')).toBe('sea a,b,c')

    const idle = await open('c.local')
    expect(textOf(await idle.request('/'))).toBe('sea a,b,c')
    expect((await reload()).functions).toMatchObject([
      { name: 'a', did: 'told' },
      { name: 'c', did: 'removed', ended: ['c-1'] },
    ])
    expect((await idle.ended).closeNotify).toBe(true)
    expect(textOf(await client.request('/c'))).toBe('one a,b')
    await expect(open('c.local')).rejects.toThrow()
  })

  it('get more containers, and fewer', async () => {
    const one = expect.stringMatching(/^a-\d$/)
    const { functions } = await reload({ a: says('a', 'one', ', replicas: 2') })
    expect(functions).toMatchObject([{ name: 'a', did: 'scaled', changed: ['replicas'], started: [one] }])
    expect((await reload()).functions).toMatchObject([{ name: 'a', did: 'scaled', ended: [one] }])
  })

  it('get another certificate when its files change', async () => {
    const client = await open('b.local')
    await client.request('/')
    const certificates = [{ name: 'b', hosts: ['b.local', 'other-b.local'] }]
    const options = { directory: join(directory, 'certs'), certificates, renew: true, keepAuthority: true }
    await makeCertificates({ ...options, now: Date.now() })
    const { functions } = await reload()
    expect(functions).toMatchObject([{ name: 'b', did: 'deployed', changed: ['files that it reads'] }])
    expect(textOf(await client.request('/'))).toBe('bee a,b')
  })
})

describe('a stack file that makes no sense', () => {
  it.each([
    ['a key', { a: 'a: { replicas: none }' }, /yml:4:18: functions\.a\.replicas must be a whole number/],
    ['a module', { a: 'a: { handler: ./gone.mjs }' }, /yml:4:17: functions\.a\.handler: .* does not exist/],
    ['YAML', { c: 'c: [' }, /yml:\d+:\d+: not YAML/],
    [
      'a port',
      { gateway: 'gateway: { host: localhost }' },
      /yml:1:18: gateway\.host was "127\.0\.0\.1" and is "localhost": no running platform can change that/,
    ],
    [
      'a function that does not start',
      { c: 'c: { handler: ./bad.mjs }' },
      /^the new containers did not start; the old ones stay: .*not today/,
    ],
  ])('is refused whole: %s', async (_, parts, message) => {
    const before = await pids()
    await expect(reload({ b: says('b', 'wasp'), ...parts })).rejects.toThrow(message)
    expect(await pids()).toEqual(before)
    expect(await once('/b')).toBe('bee a,b')
  })

  it('is told by the command with its status', async () => {
    write({ a: 'a: { replicas: none }' })
    const { code, stdout, stderr } = await hotpotato(directory, ['reload'])
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toMatch(/^\S+yml:4:18: functions\.a\.replicas must be [^\n]*\n$/)
  })
})

it('SIGHUP does it, too', async () => {
  const said = (pattern: RegExp) =>
    eventually(() => (pattern.test(platform.welcome) ? true : undefined), `${pattern} is not said`)
  write({ b: says('b', 'hup') })
  platform.child.kill('SIGHUP')
  await said(/^b: environment changed, deployed anew/m)
  expect(await once('/b')).toBe('hup a,b')
  writeFileSync(join(directory, 'hotpotato.yml'), 'functions: 5')
  platform.child.kill('SIGHUP')
  await said(/^hotpotato: \S+yml:1:12: functions must be a map/m)
  expect(await once('/b')).toBe('hup a,b')
  // And commands find what runs.
  expect((await hotpotato(directory, ['status'])).code).toBe(0)
})
