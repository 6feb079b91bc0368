import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/wire/index.ts'
import { Client } from '../support/client.ts'
import { Platform } from '../support/platform.ts'
import { below, seeded } from '../support/random.ts'

/** What a container may keep of hostile clients when they are gone, in KiB. */
const HEAP_GROWTH = 32_768

let platform: Platform
let tls: { ca: string; serverName: string }
let before: { pids: Record<string, number | undefined>; descriptors: Record<string, number> }

beforeAll(async () => {
  platform = await Platform.start({ environment: { HOTPOTATO_LOG_LEVEL: 'warn' } })
  tls = { ca: platform.ca, serverName: 'echo.local' }
  // All processes have met each other, and have loaded what is loaded late.
  for (const port of [platform.http, platform.https]) {
    const client = await Client.open({ port, ...(port === platform.https ? { tls } : {}) })
    for (const target of ['/echo', '/echo-raw', '/hello', '/echo']) await client.request(target)
    await client.close()
  }
  await platform.idle()
  before = { pids: await pids(), descriptors: await platform.descriptors() }
})
afterAll(() => platform?.stop())

async function pids(): Promise<Record<string, number | undefined>> {
  return Object.fromEntries((await platform.status()).map(({ name, pid }) => [name, pid]))
}

/** The same processes, with as many descriptors as before, and a platform that serves. */
async function expectUnharmed(): Promise<void> {
  await platform.idle()
  expect(await pids()).toEqual(before.pids)
  expect(await platform.descriptors()).toEqual(before.descriptors)
  const client = await Client.open({ port: platform.https, tls })
  expect((await client.request('/hello')).status).toBe(200)
  await client.close()
  for (const { name, counters } of await platform.status())
    expect(counters.heapKiB, name).toBeLessThan(HEAP_GROWTH + 16_384)
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('connect', () => resolve(socket)).once('error', reject)
    socket.on('error', () => {})
    socket.on('data', () => {})
  })
}

function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    if (socket.destroyed) resolve()
    else socket.once('close', () => resolve())
  })
}

describe('clients that vanish', () => {
  const conversation = utf8(
    'GET /echo-raw HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n' +
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n' +
      '01234567890123456789GET /hello HTTP/1.1\r\nHost: a\r\n\r\n',
  )

  it('after any number of bytes, without TLS, by reset or by FIN', async () => {
    for (let bytes = 0; bytes <= conversation.length; bytes += 3) {
      const socket = await open(platform.http)
      socket.write(conversation.subarray(0, bytes))
      if (bytes % 2 === 0) await new Promise(resolve => setImmediate(resolve))
      if (bytes % 3 === 0) socket.destroySoon()
      else socket.resetAndDestroy()
    }
    await expectUnharmed()
  })

  it('after any number of bytes of a handshake', async () => {
    const probe = new Client({ port: platform.https, tls })
    await new Promise(resolve => probe.socket.once('connect', resolve))
    const hello = probe.session!.inspect('with secrets')
    probe.reset()
    const message = hello.handshake.state === 'WAIT_SH' ? hello.handshake.clientHello : new Uint8Array(0)
    const record = Uint8Array.of(22, 3, 1, message.length >> 8, message.length & 0xff, ...message)
    for (let bytes = 0; bytes <= record.length; bytes += 7) {
      const socket = await open(platform.https)
      socket.write(record.subarray(0, bytes))
      if (bytes % 2 === 0) await new Promise(resolve => setImmediate(resolve))
      socket.resetAndDestroy()
    }
    await expectUnharmed()
  })

  it('in the middle of answers and moves, with TLS', async () => {
    const random = seeded(5)
    for (let round = 0; round < 60; round++) {
      const client = await Client.open({ port: platform.https, tls })
      const targets = Array.from({ length: 8 }, (_, i) => ['/echo-raw', '/hello', '/echo'][(round + i) % 3]!)
      const body = random(below(random, 50_000))
      const bytes = targets.map(target => client.requestBytes(target, { method: 'POST', body }))
      for (const piece of bytes) client.write(piece)
      for (let turns = below(random, 12); turns > 0; turns--)
        await new Promise(resolve => setImmediate(resolve))
      if (round % 2 === 0) client.reset()
      else client.socket.destroy()
    }
    await expectUnharmed()
  })
})

describe('rubbish', () => {
  it('on both ports is answered or dropped, and does no harm', async () => {
    const random = seeded(9)
    const sockets: Socket[] = []
    for (let round = 0; round < 80; round++) {
      const socket = await open(round % 2 === 0 ? platform.http : platform.https)
      const bytes = random(1 + below(random, 3000))
      // Some of it begins as it should.
      if (round % 4 === 1) bytes.set([22, 3, 1], 0)
      if (round % 4 === 2) bytes.set(utf8('GET / HTTP/1.1\r\n').subarray(0, bytes.length), 0)
      socket.end(bytes)
      sockets.push(socket)
    }
    for (const socket of sockets) await closed(socket)
    await expectUnharmed()
  })

  it('inside a session is answered with an alert', async () => {
    const client = await Client.open({ port: platform.https, tls })
    client.socket.write(Uint8Array.of(23, 3, 3, 0, 40, ...new Uint8Array(40)))
    expect((await client.ended).alert).toBe('bad_record_mac')
    client.socket.destroy()
    await expectUnharmed()
  })
})

describe('slow clients', () => {
  it('that send byte by byte are served', async () => {
    const plain = await open(platform.http)
    let text = ''
    plain.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
    for (const byte of utf8('GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')) {
      plain.write(Uint8Array.of(byte))
      await new Promise(resolve => setImmediate(resolve))
    }
    await closed(plain)
    expect(text).toMatch(/^HTTP\/1.1 200 OK/)

    const client = await Client.open({ port: platform.https, tls })
    const body = seeded(1)(300)
    const answer = client.answer()
    for (const byte of client.requestBytes('/echo-raw', { body })) {
      client.write(Uint8Array.of(byte))
      if (byte % 8 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    expect((await answer).body).toEqual(body)
    await client.close()
  })

  it('that read late get large responses whole, also before a move and before the end', async () => {
    const body = seeded(2)(8_000_000)
    const other = await Client.open({ port: platform.https, tls })
    for (const headers of [[], [['connection', 'close'] as const]]) {
      const client = await Client.open({ port: platform.https, tls })
      client.socket.pause()
      const first = client.request('/echo-raw', { body, headers })
      const second = headers.length === 0 ? client.request('/hello') : undefined
      // Longer than the moment that a client has for its last bytes.
      const until = Date.now() + 3000
      while (Date.now() < until) {
        await other.request('/echo-raw', { body: body.subarray(0, 5000) })
        await new Promise(resolve => setTimeout(resolve, 20))
      }
      client.socket.resume()
      expect(Buffer.compare((await first).body, body)).toBe(0)
      if (second !== undefined) expect((await second).container).toBe('hello-1')
      await client.close()
    }
    await other.close()
    await platform.idle()
  })
})
