import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../../src/certificates/authority.ts'
import { Client, textOf } from '../support/client.ts'
import { eventually, Platform } from '../support/platform.ts'

/** `HOTPOTATO_LONG=1` tries it with many functions and often. */
const LONG = process.env.HOTPOTATO_LONG === '1'
const FUNCTIONS = LONG ? 20 : 2
const CONNECTIONS = LONG ? 100 : 20
const ROUNDS = LONG ? 20 : 2

/** Writes down each call. */
const COUNTING = `
import { appendFileSync } from 'node:fs'
const calls = new URL('./calls.log', import.meta.url)
appendFileSync(calls, 'begin\\n')
export default async request => {
  const { searchParams } = new URL(request.url)
  appendFileSync(calls, searchParams.get('id') + '\\n')
  return new Response(String(process.pid))
}
`
const NAMES = Array.from({ length: FUNCTIONS }, (_, index) => `sleeper-${index}`)
const CONFIG = `
version: 1
warmPool: 1
gateway: { limits: { helloSeconds: 60, holdSeconds: 1s, wakeSeconds: 120s } }
connection:
  requests: 1000000
  timers: { keepAlive: 300, headers: 300, requestBody: 300, container: 120 }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: { handler: ./counting.mjs, idle: 1h }
${NAMES.map(name => `  ${name}: { handler: ./counting.mjs, idle: 1h, certificate: echo }`).join('\n')}
`

let platform: Platform
let tls: { ca: string; serverName: string }
beforeAll(async () => {
  platform = await Platform.start({ config: CONFIG, files: { 'counting.mjs': COUNTING } })
  tls = { ca: platform.ca, serverName: 'echo.local' }
}, 600_000)
afterAll(() => platform?.stop())

const calls = (prefix: string): string[] =>
  readFileSync(join(platform.directory, 'calls.log'), 'utf8')
    .split('\n')
    .filter(id => id.startsWith(prefix))
const open = () => Client.open({ port: platform.https, tls })
const counter = (name: string) => platform.total(name)
async function sleep(name: string): Promise<void> {
  expect(await platform.order(`scale ${name} 0`)).not.toHaveProperty('error')
}
/** A connection whose function sleeps. */
async function sleeping(): Promise<Client> {
  const client = await open()
  await client.request('/echo?id=first')
  await sleep('echo')
  return client
}
const gone = () =>
  eventually(async () => ((await counter('hibernating')) === 0 ? true : undefined), 'it hibernates on')

describe('the first thing that a client says to a function that sleeps', () => {
  it('may be a KeyUpdate: it is answered in the same session, and no call is made', async () => {
    const client = await sleeping()
    client.updateKeys()
    await eventually(async () => ((await counter('thawed')) > 0 ? true : undefined), 'it is not woken')
    await sleep('echo')
    client.updateKeys()
    expect((await client.request('/echo?id=updated')).status).toBe(200)
    expect([calls('updated'), client.handshakes]).toEqual([['updated'], 1])
    await client.close()
  })

  it('may be its goodbye: it gets one, too', async () => {
    const client = await sleeping()
    expect(await client.close()).toMatchObject({ closeNotify: true, alert: undefined, error: undefined })
    await gone()
  })

  it('may be a part of a record: the function sleeps again with it, and reads the rest later', async () => {
    const client = await sleeping()
    const record = client.requestBytes('/echo?id=halved')
    client.session!.send(record)
    const [sealed] = client.session!.takeOutput()
    const answer = client.answer()
    const woken = await counter('woken')
    client.socket.write(sealed!.subarray(0, 9))
    await eventually(async () => ((await counter('woken')) > woken ? true : undefined), 'it is not woken')
    await sleep('echo')
    expect(await counter('hibernating')).toBe(1)
    client.socket.write(sealed!.subarray(9))
    expect((await answer).status).toBe(200)
    expect(calls('halved')).toEqual(['halved'])
    await client.close()
  })

  it('may be no TLS at all, or its last word before it is gone: nothing is left of it', async () => {
    const clients = [await open(), await open(), await open()]
    for (const client of clients) await client.request('/echo?id=first')
    await sleep('echo')
    expect(await counter('hibernating')).toBe(3)
    const [nonsense, ends, resets] = clients
    nonsense!.socket.write('GET / HTTP/1.1\r\n\r\n')
    ends!.request('/echo?id=last-words').catch(() => {})
    ends!.socket.end()
    resets!.request('/echo?id=perhaps').catch(() => {})
    resets!.reset()
    expect((await nonsense!.ended).alert).toBe('unexpected_message')
    await ends!.ended
    await gone()
    expect(calls('last-words')).toEqual(['last-words'])
    expect(calls('perhaps').length).toBeLessThanOrEqual(1)
    expect(await counter('unclean')).toBe(0)
  })
})

it.each([
  ['what comes', undefined],
  ['what comes from a container of another function', 'sleeper-0'],
])(
  '%s as its function falls asleep is answered once',
  async (_, from) => {
    const clients = await Promise.all(Array.from({ length: CONNECTIONS }, open))
    for (let round = 0; round < ROUNDS; round++) {
      const prefix = `falling-${from}-${round}-`
      await clients[0]!.request('/echo?id=awake')
      if (from !== undefined) await Promise.all(clients.map(client => client.request(`/${from}?id=there`)))
      const ask = async (client: Client, index: number): Promise<number> => {
        await new Promise(resolve => setTimeout(resolve, (index * 60) / CONNECTIONS))
        return (await client.request(`/echo?id=${prefix}${index}.`)).status
      }
      const asked = Promise.all(clients.map(ask))
      // It may be waking just now, which is a change like any other.
      await platform.order('scale echo 0').catch(() => {})
      expect(new Set(await asked)).toEqual(new Set([200]))
      const made = calls(prefix)
      expect([made.length, new Set(made).size]).toEqual([CONNECTIONS, CONNECTIONS])
    }
    expect(await counter('unclean')).toBe(0)
    for (const client of clients) await client.close()
  },
  300_000,
)

it(`${FUNCTIONS * CONNECTIONS} connections of ${FUNCTIONS} functions wake at once, each once`, async () => {
  const crowd = await Promise.all(
    NAMES.flatMap(name =>
      Array.from({ length: CONNECTIONS }, async (_, index) => ({ name, index, client: await open() })),
    ),
  )
  await Promise.all(crowd.map(({ name, client }) => client.request(`/${name}?id=before`)))
  await Promise.all(NAMES.map(sleep))
  expect(await counter('hibernating')).toBe(FUNCTIONS * CONNECTIONS)
  const processes = calls('begin').length
  const answers = await Promise.all(
    crowd.map(({ name, index, client }) => client.request(`/${name}?id=storm-${name}-${index}.`)),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(new Set(answers.map(textOf)).size).toBe(FUNCTIONS)
  expect(calls('begin').length - processes).toBe(FUNCTIONS)
  const made = calls('storm-')
  expect([made.length, new Set(made).size]).toEqual([crowd.length, crowd.length])
  expect(await counter('unclean')).toBe(0)
  await Promise.all(crowd.map(({ client }) => client.close()))
}, 600_000)

it('a certificate that was changed meanwhile is for new clients; old sessions go on', async () => {
  const client = await sleeping()
  const directory = join(platform.directory, 'certs')
  const before = readFileSync(join(directory, 'echo.crt'), 'utf8')
  const renewed = { renew: true, keepAuthority: true, now: Date.now() }
  await makeCertificates({ directory, certificates: [{ name: 'echo' }], ...renewed })
  expect(readFileSync(join(directory, 'echo.crt'), 'utf8')).not.toBe(before)
  expect((await client.request('/echo?id=certified')).status).toBe(200)
  expect(client.handshakes).toBe(1)
  await client.close()
  const next = await open()
  expect((await next.request('/echo')).status).toBe(200)
  await next.close()
})
