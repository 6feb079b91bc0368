import type { Socket } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { Client, ClientError, type ClientOptions } from '../../src/client/index.ts'
import type { Connector } from '../../src/transport/connector.ts'
import { network } from '../../src/transport/network.ts'
import { concat } from '../../src/wire/index.ts'
import {
  block,
  data,
  Flag,
  type Frame,
  FrameType,
  frame,
  headers,
  SETTINGS,
  SETTINGS_ACK,
  setting,
  split,
  uint32,
} from '../support/h2-frames.ts'
import { RawServer } from './raw-server.ts'

/** Plain TCP, as if ALPN had chosen `h2`: the server is the test, frame by frame. */
const net = network()
const connector: Connector = {
  connect: async (target, options) => ({ ...(await net.connect(target, options)), alpn: 'h2' }),
}

const servers: RawServer[] = []
afterAll(() => {
  for (const server of servers) server.close()
})

const PREFACE = 24

/** What a server does with each frame of the client. @param hello what it says first */
async function speaking(
  onFrame: (frame: Frame, socket: Socket, connection: number) => void,
  hello: Uint8Array = concat(SETTINGS, SETTINGS_ACK),
): Promise<RawServer> {
  const server = await RawServer.start((socket, connection) => {
    let heard = new Uint8Array(0)
    let greeted = false
    socket.write(hello)
    socket.on('data', bytes => {
      heard = new Uint8Array(Buffer.concat([heard, bytes]))
      if (!greeted) {
        if (heard.length < PREFACE) return
        greeted = true
        heard = heard.slice(PREFACE)
      }
      for (;;) {
        const length =
          heard.length < 9 ? Number.POSITIVE_INFINITY : 9 + ((heard[0]! << 16) | (heard[1]! << 8) | heard[2]!)
        if (heard.length < length) return
        const [one] = split(heard.slice(0, length))
        heard = heard.slice(length)
        onFrame(one!, socket, connection)
      }
    })
  })
  servers.push(server)
  return server
}

/** A server that answers each request with these frames. */
function answering(answer: (streamId: number, connection: number) => Uint8Array): Promise<RawServer> {
  return speaking(({ type, streamId }, socket, connection) => {
    if (type === FrameType.HEADERS) socket.write(answer(streamId, connection))
  })
}

async function outcome(server: RawServer, options: ClientOptions = {}): Promise<string> {
  const client = new Client({ connector, ...options })
  try {
    const response = await client.fetch(server.url)
    return `${response.status} ${await response.text()}`
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    return `${error.kind} ${error.http2Code}: ${error.message}`
  } finally {
    await client.close()
    await server.quiet()
    expect(server.open).toBe(0)
  }
}

const ok = (id: number, end = false): Uint8Array => headers(id, [[':status', '200']], end)
const reset = (id: number, code: number): Uint8Array => frame(FrameType.RST_STREAM, 0, id, uint32(code))
const goaway = (last: number, code = 0): Uint8Array =>
  frame(FrameType.GOAWAY, 0, 0, concat(uint32(last), uint32(code)))
const many = (count: number, one: Uint8Array): Uint8Array =>
  concat(...Array.from({ length: count }, () => one))

const ANSWERS: Readonly<Record<string, readonly [answer: (id: number) => Uint8Array, outcome: RegExp]>> = {
  'what is right': [id => concat(ok(id), data(id, 'hello', true)), /^200 hello$/],
  'content before a head': [id => data(id, 'x'), /^protocol 1: /],
  'interim responses without an end': [
    id => many(40, headers(id, [[':status', '103']], false)),
    /more than 32 interim/,
  ],
  'an interim response as its last': [id => headers(id, [[':status', '103']]), /^protocol 1: /],
  'a head without a status': [id => headers(id, [['a', 'b']]), /^protocol 1: /],
  'less than was promised': [
    id =>
      headers(id, [
        [':status', '200'],
        ['content-length', '5'],
      ]),
    /^protocol 1: /,
  ],
  'more than was promised': [
    id =>
      concat(
        headers(
          id,
          [
            [':status', '200'],
            ['content-length', '1'],
          ],
          false,
        ),
        data(id, 'ab', true),
      ),
    /^protocol 1: /,
  ],
  'a stream that is not open': [() => concat(ok(99), data(99, 'x')), /^protocol 1: /],
  'a push': [
    id => frame(FrameType.PUSH_PROMISE, Flag.END_HEADERS, id, concat(uint32(2), block([]))),
    /^protocol 1: /,
  ],
  'a reset': [id => reset(id, 8), /^protocol 8: the stream was reset \(CANCEL\)/],
  'a reset in the middle': [id => concat(ok(id), data(id, 'x'), reset(id, 2)), /^protocol 2: /],
  'a frame too large': [id => frame(FrameType.DATA, 0, id, new Uint8Array(20_000)), /^protocol 6: /],
  'a broken header block': [
    id => frame(FrameType.HEADERS, Flag.END_HEADERS, id, Uint8Array.of(0xff, 0xff, 0xff)),
    /^protocol 9: /,
  ],
  'a header bomb': [
    id =>
      headers(id, [
        [':status', '200'],
        ...Array.from({ length: 200 }, () => ['x', 'y'.repeat(1000)] as const),
      ]),
    /^protocol (6|11): /,
  ],
  'pings without an end': [
    () => many(2000, frame(FrameType.PING, 0, 0, new Uint8Array(8))),
    /^protocol 11: /,
  ],
  'a window too large': [() => frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(0x7fffffff)), /^protocol 3: /],
  'no HTTP/2': [() => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /^protocol /],
}

describe('over HTTP/2, a server that answers with', () => {
  it.each(Object.entries(ANSWERS))('%s', async (_, [answer, expected]) => {
    expect(await outcome(await answering(answer))).toMatch(expected)
  })

  it('HTTP/1.1 from the beginning', async () => {
    const server = await speaking(() => {}, Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
    expect(await outcome(server)).toMatch(/^protocol /)
  })

  it('GOAWAY on every connection: the request is tried on four, and no more', async () => {
    const server = await answering(() => goaway(0))
    expect(await outcome(server)).toMatch(/^protocol 7: /)
    expect(server.connections).toBe(4)
  })

  it('GOAWAY at once, before any request', async () => {
    const server = await speaking(() => {}, concat(SETTINGS, goaway(0)))
    expect(await outcome(server)).toMatch(/^protocol /)
    expect(server.connections).toBeLessThanOrEqual(4)
  })

  it('REFUSED_STREAM for ever', async () => {
    const server = await answering(id => reset(id, 7))
    expect(await outcome(server)).toMatch(/^protocol 7: the stream was reset \(REFUSED_STREAM\)/)
  })

  it('nothing in time', async () => {
    const silent = await speaking(() => {})
    expect(await outcome(silent, { timeouts: { headers: 100 } })).toMatch(/^timeout .*timeouts.headers/)
    const stuck = await answering(id => ok(id))
    expect(await outcome(stuck, { timeouts: { body: 100 } })).toMatch(/^timeout .*timeouts.body/)
  })

  it('a connection that ends in the middle', async () => {
    const server = await speaking(({ type, streamId }, socket) => {
      if (type === FrameType.HEADERS) socket.end(ok(streamId))
    })
    expect(await outcome(server)).toMatch(/^protocol .*ended/)
  })
})

describe('over HTTP/2', () => {
  it('what GOAWAY leaves out goes over another connection, and what it names is finished there', async () => {
    const held: [Socket, number][] = []
    const server = await speaking(({ type, streamId }, socket, connection) => {
      if (type !== FrameType.HEADERS) return
      if (connection > 1) socket.write(concat(ok(streamId), data(streamId, 'second', true)))
      else {
        held.push([socket, streamId])
        if (held.length < 3) return
        socket.write(goaway(1))
        setTimeout(() => socket.write(concat(ok(1), data(1, 'first', true))), 20)
      }
    })
    const client = new Client({ connector })
    // POST: nothing but what the server says allows another try.
    const one = (): Promise<string> =>
      client.fetch(server.url, { method: 'POST', body: 'x' }).then(response => response.text())
    expect(await Promise.all([one(), one(), one()])).toEqual(['first', 'second', 'second'])
    expect(server.connections).toBe(2)
    await client.close()
    await server.quiet()
    expect(server.open).toBe(0)
  })

  it('as many streams are open as the server allows; others wait, or get another connection', async () => {
    const open = new Map<number, number>()
    let most = 0
    const server = await speaking(
      ({ type, streamId }, socket, connection) => {
        if (type !== FrameType.HEADERS) return
        if (open.get(connection) === 2) {
          socket.write(reset(streamId, 7))
          return
        }
        open.set(connection, (open.get(connection) ?? 0) + 1)
        most = Math.max(most, open.get(connection)!)
        setTimeout(() => {
          open.set(connection, open.get(connection)! - 1)
          socket.write(concat(ok(streamId), data(streamId, 'x', true)))
        }, 5)
      },
      concat(frame(FrameType.SETTINGS, 0, 0, setting(3, 2)), SETTINGS_ACK),
    )
    const client = new Client({ connector, limits: { connectionsPerOrigin: 2 } })
    const all = Array.from({ length: 20 }, async () => (await client.fetch(server.url)).text())
    expect((await Promise.all(all)).join('')).toBe('x'.repeat(20))
    expect(most).toBe(2)
    expect(server.connections).toBe(2)
    await client.close()
  })

  it('a response that is given up ends its stream alone', async () => {
    const resets: number[] = []
    const server = await speaking(({ type, streamId, payload }, socket) => {
      if (type === FrameType.RST_STREAM) resets.push(payload[3]!)
      if (type === FrameType.HEADERS) socket.write(concat(ok(streamId), data(streamId, 'x')))
    })
    const client = new Client({ connector })
    const [first, second] = await Promise.all([client.fetch(server.url), client.fetch(server.url)])
    await first.body!.cancel()
    const reader = second.body!.getReader()
    expect((await reader.read()).value).toEqual(Uint8Array.of(120))
    while (resets.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
    expect([resets, server.open]).toEqual([[8], 1])
    client.destroy()
    await expect(reader.read()).rejects.toMatchObject({ kind: 'aborted' })
    await server.quiet()
    expect(server.open).toBe(0)
  })
})
