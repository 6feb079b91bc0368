import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Client } from '../support/client.ts'
import { eventually, Platform } from '../support/platform.ts'

/** Bytes that the connections of a container may hold together, and those of the gateway. */
const CONTAINER = 4_000_000
const GATEWAY = 1_000_000

const CONFIG = `
version: 1
gateway: { defaultFunction: echo-raw, limits: { memoryBytes: ${GATEWAY}, helloSeconds: 30s } }
connection:
  memoryBytes: ${CONTAINER}
  timers: { requestBody: 10m, keepAlive: 300, headers: 300, container: 60 }
  minimumRate: { bytesPerSecond: 0 }
liveness: { failureSeconds: 60, startSeconds: 300 }
functions:
  echo: { carrier: relay }
  hello: {}
  echo-raw: { carrier: fd }
`

let platform: Platform

beforeAll(async () => {
  // Each function has its own road here, whatever the others take.
  platform = await Platform.start({ config: CONFIG, environment: { HOTPOTATO_CARRIER: 'fd' } })
})
afterAll(() => platform?.stop())

/** A connection without TLS, and what has come of it. */
interface Talking {
  readonly socket: Socket
  said(): string
}

async function open(port = platform.http): Promise<Talking> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  let text = ''
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece
  })
  socket.on('error', () => {})
  await new Promise(resolve => socket.once('connect', resolve))
  return { socket, said: () => text }
}

const head = (path: string, length: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`

async function counter(member: string, name: string): Promise<number> {
  return (await platform.member(member)).counters[name] ?? 0
}

/** Waits until nothing is held any more. */
async function released(member: string): Promise<void> {
  await platform.until(member, ({ counters }) => counters.heldBytes === 0)
}

describe('a container', () => {
  it('answers the uploads with 503 that hold most for longest, and serves the others', async () => {
    const clients: Talking[] = []
    const bytes = Buffer.alloc(999_990)
    for (let i = 0; i < 8; i++) {
      const client = await open()
      client.socket.write(head('/echo-raw', 1_000_000))
      client.socket.write(bytes)
      clients.push(client)
      await eventually(
        async () =>
          (await counter('echo-raw-1', 'heldBytes')) >= Math.min(3, i + 1) * 900_000 ? true : undefined,
        'what has been uploaded is not held',
      )
      // So that it can be told who has held it for longer.
      await sleep(200)
    }
    await eventually(
      async () => ((await counter('echo-raw-1', 'shed')) >= 4 ? true : undefined),
      'no connection had to go',
    )
    expect(await counter('echo-raw-1', 'heldBytes')).toBeLessThanOrEqual(CONTAINER)
    for (const { socket } of clients) socket.write(Buffer.alloc(10))
    await eventually(
      () => (clients.every(({ said }) => said().includes('\r\n\r\n')) ? true : undefined),
      'a client is not answered',
    )
    const statuses = clients.map(({ said }) => said().slice(9, 12))
    // The one that came last is served.
    expect(statuses.at(-1)).toBe('200')
    expect(statuses[0]).toBe('503')
    for (const { said } of clients.filter((_, index) => statuses[index] === '503'))
      expect(said()).toMatch(/x-hotpotato-error: memory-limit\r\n(.*\r\n)*.*connection.memoryBytes/)
    for (const { socket } of clients) socket.destroy()
    await released('echo-raw-1')
  })

  it('answers content with 408 that comes by a byte now and then', async () => {
    const impatient = await Platform.start({
      config: CONFIG.replace('bytesPerSecond: 0', 'bytesPerSecond: 1000, graceSeconds: 1s'),
    })
    try {
      const { socket, said } = await open(impatient.http)
      socket.write(head('/echo-raw', 1000))
      for (let i = 0; i < 600 && said() === ''; i++) {
        socket.write('a')
        await sleep(100)
      }
      expect(said()).toMatch(/^HTTP\/1.1 408 [\s\S]*x-hotpotato-error: request-rate-timeout\r\n/)
      expect(said()).toContain('connection.minimumRate.bytesPerSecond')
      socket.destroy()
    } finally {
      await impatient.stop()
    }
  })
})

describe('the gateway', () => {
  it('covers relayed connections as long as there is room, and serves all of them', async () => {
    const tls = { ca: platform.ca, serverName: 'echo.local' }
    const body = Buffer.alloc(900_000)
    const clients = []
    for (let i = 0; i < 3; i++) {
      const client = await Client.open({ port: platform.https, tls })
      const bytes = client.requestBytes('/echo', { method: 'POST', body })
      client.write(bytes.subarray(0, 600_000))
      clients.push({ client, rest: bytes.subarray(600_000) })
    }
    await platform.until('gateway', ({ counters }) => counters.shed! > 0)
    const { counters } = await platform.member('gateway')
    expect(counters.heldBytes).toBeLessThanOrEqual(GATEWAY)
    for (const { client, rest } of clients) {
      const answer = client.answer()
      client.write(rest)
      expect((await answer).body.length).toBe(body.length)
      await client.close()
    }
    await released('gateway')
  })

  it('turns those away whose beginning comes slowly, the oldest first', async () => {
    const before = await counter('gateway', 'shed')
    const clients: Talking[] = []
    for (let i = 0; i < 90; i++) {
      const client = await open()
      client.socket.write(`GET /hello HTTP/1.1\r\nx-filler: ${'x'.repeat(12_000)}`)
      clients.push(client)
    }
    await eventually(
      async () => ((await counter('gateway', 'shed')) > before ? true : undefined),
      'no connection had to go',
    )
    await eventually(
      () => (clients.some(({ said }) => said() !== '') ? true : undefined),
      'no client was answered',
    )
    const answered = clients.filter(({ said }) => said() !== '')
    expect(answered.length).toBeLessThan(45)
    for (const { said } of answered) {
      expect(said()).toMatch(/^HTTP\/1.1 503 [\s\S]*x-hotpotato-error: memory-limit\r\n/)
      expect(said()).toContain('gateway.limits.memoryBytes')
    }
    const served = clients.at(-1)!
    served.socket.write('\r\nHost: a\r\nConnection: close\r\n\r\n')
    await eventually(() => (served.said().startsWith('HTTP/1.1 200') ? true : undefined), 'it is not served')
    for (const { socket } of clients) socket.destroy()
    await released('gateway')
  })
})
