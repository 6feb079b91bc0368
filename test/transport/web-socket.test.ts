import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { acceptOf } from '../../src/http/websocket/index.ts'
import { SYSTEM_CLOCK } from '../../src/time/system-clock.ts'
import { Session } from '../../src/tls13/session.ts'
import type { ConnectError } from '../../src/transport/connector.ts'
import { targetOf } from '../../src/transport/context.ts'
import { tcp } from '../../src/transport/kinds/tcp.ts'
import { WebSocketListener, webSocket } from '../../src/transport/kinds/web-socket.ts'
import { context } from '../../src/transport/network.ts'
import type { ConnectionFailure, Server } from '../../src/transport/server.ts'
import { http, serve } from '../../src/transport/services.ts'
import { concat, EMPTY, utf8 } from '../../src/wire/index.ts'
import { credentials } from '../support/credentials.ts'
import { clientConfig } from '../support/pair.ts'

const ASK = utf8('GET /inside HTTP/1.1\r\nHost: a\r\n\r\n')
const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10] as const

interface FrameOptions {
  readonly fin?: boolean
  readonly reserved?: number
  readonly masked?: boolean
  /** Instead of that of the payload, in eight bytes. */
  readonly length?: bigint
}

/** A frame as a client sends it, or should not (RFC 6455 §5.2). */
function frame(
  opcode: number,
  payload: Uint8Array = EMPTY,
  { fin = true, reserved = 0, masked = true, length }: FrameOptions = {},
): Uint8Array {
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  const bit = masked ? 0x80 : 0
  const size = Buffer.alloc(8)
  size.writeBigUInt64BE(length ?? BigInt(payload.length))
  const short = payload.length < 126 && length === undefined
  const head = short
    ? Uint8Array.of(first, bit | payload.length)
    : concat(Uint8Array.of(first, bit | 127), size)
  if (!masked) return concat(head, payload)
  const mask = Uint8Array.of(1, 2, 3, 4)
  return concat(
    head,
    mask,
    payload.map((byte, i) => byte ^ mask[i % 4]!),
  )
}

/** Each byte of a message in a frame of its own. */
function fragments(message: Uint8Array, between: Uint8Array = EMPTY): Uint8Array {
  const last = message.length - 1
  const frames = Array.from(message, (byte, i) =>
    concat(frame(i === 0 ? BINARY : CONTINUATION, Uint8Array.of(byte), { fin: i === last }), between),
  )
  return concat(...frames)
}

interface Heard {
  /** Content of all binary frames. */
  readonly content: string
  readonly pongs: number
  /** The code of the close frame. */
  readonly code: number | undefined
}

/** Frames of a server, which are not masked. */
function heard(bytes: Buffer): Heard {
  let [content, pongs, code]: [string, number, number | undefined] = ['', 0, undefined]
  for (let at = 0; at + 2 <= bytes.length; ) {
    const opcode = bytes[at]! & 15
    const short = bytes[at + 1]!
    const long = short === 126
    const length = long ? bytes.readUInt16BE(at + 2) : short
    const from = at + (long ? 4 : 2)
    const payload = bytes.subarray(from, from + length)
    if (opcode === BINARY) content += payload.toString()
    else if (opcode === PONG) pongs++
    else if (opcode === CLOSE && payload.length >= 2) code = payload.readUInt16BE(0)
    at = from + length
  }
  return { content, pongs, code }
}

describe('a server behind a WebSocket', () => {
  const failures: ConnectionFailure[] = []
  let [front, inside, secured]: Server[] = []
  beforeAll(async () => {
    const files = await credentials()
    const own = { cert: files.pem('localhost.crt'), key: files.pem('localhost.key') }
    const [plain, tls] = [0, 1].map(() => new WebSocketListener(() => SYSTEM_CLOCK.steady()))
    const failed = (failure: ConnectionFailure): void => void failures.push(failure)
    const request: Parameters<typeof http>[0]['request'] = ({ path }, response) =>
      response.reply({ status: 200, body: `found ${path}` })
    inside = await serve({ transport: Promise.resolve(plain!), request, failed, linger: 100 })
    secured = await serve({ transport: Promise.resolve(tls!), request, failed, tls: own })
    front = await http({
      port: 0,
      request: (request, response, connection) =>
        (request.path === '/tls' ? tls! : plain!).accept(request, response, connection),
    })
  })
  afterAll(() => Promise.all([front, inside, secured].map(server => server!.stop(0))))

  /** A WebSocket by hand. */
  async function opened(path = '/'): Promise<Socket> {
    const socket = connect({ port: front!.address.port!, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {})
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
    )
    const [head] = (await once(socket, 'data')) as [Buffer]
    expect(head.toString()).toMatch(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\n$/)
    return socket
  }

  /** Says that, and hears what there is until the answer has come or the server closes. */
  async function said(...pieces: readonly Uint8Array[]): Promise<Heard> {
    const socket = await opened()
    const bytes: Buffer[] = []
    const over = new Promise<void>(resolve => {
      socket.on('close', resolve).on('end', () => {
        socket.end()
        resolve()
      })
      socket.on('data', piece => {
        bytes.push(piece)
        if (heard(Buffer.concat(bytes)).content.includes('found /inside')) resolve()
      })
    })
    for (const piece of pieces) socket.write(piece)
    await over
    socket.destroy()
    return heard(Buffer.concat(bytes))
  }

  async function quiet(): Promise<void> {
    for (let tries = 0; front!.connections + inside!.connections > 0 && tries < 40_000; tries++)
      await sleep(5)
    expect([front!.connections, inside!.connections]).toEqual([0, 0])
  }

  const GOOD: Readonly<Record<string, Uint8Array>> = {
    'in one message': frame(BINARY, ASK),
    'in a message for each byte': concat(...Array.from(ASK, byte => frame(BINARY, Uint8Array.of(byte)))),
    'in a fragment for each byte': fragments(ASK),
    'in fragments with pings between': fragments(ASK, frame(PING, utf8('?'))),
    'between empty messages': concat(frame(BINARY), frame(BINARY, ASK), frame(BINARY)),
  }
  it.each(Object.entries(GOOD))('takes a request %s', async (name, bytes) => {
    const { content, pongs } = await said(bytes)
    expect(content).toMatch(/^HTTP\/1\.1 200 [\s\S]*found \/inside$/)
    if (name.includes('pings')) expect(pongs).toBeGreaterThan(0)
    await quiet()
  })

  it('takes it split at any byte of its frames', async () => {
    const bytes = fragments(ASK.subarray(0, 4))
    const whole = concat(bytes, frame(BINARY, ASK.subarray(4)))
    for (let at = 1; at < whole.length; at += 3) {
      const socket = await opened()
      socket.setNoDelay(true).write(whole.subarray(0, at))
      await new Promise(resolve => setImmediate(resolve))
      socket.write(whole.subarray(at))
      const [answer] = (await once(socket, 'data')) as [Buffer]
      expect(heard(answer).content).toMatch(/^HTTP\/1\.1 200 /)
      socket.destroy()
    }
    await quiet()
  })

  const half = frame(BINARY, ASK).subarray(0, 20)
  const BAD: Readonly<Record<string, readonly [bytes: Uint8Array, code: number | undefined]>> = {
    'a frame without a mask': [frame(BINARY, ASK, { masked: false }), 1002],
    'reserved bits': [frame(BINARY, ASK, { reserved: 4 }), 1002],
    'an opcode that there is not': [frame(3, ASK), 1002],
    'a fragment of nothing': [frame(CONTINUATION, ASK), 1002],
    'a message inside of another': [concat(frame(BINARY, ASK, { fin: false }), frame(BINARY, ASK)), 1002],
    'a ping in fragments': [frame(PING, EMPTY, { fin: false }), 1002],
    'a ping that is too long': [frame(PING, new Uint8Array(126)), 1002],
    'a length beyond 63 bits': [frame(BINARY, EMPTY, { length: 2n ** 63n }), 1009],
    'half a code to close with': [frame(CLOSE, Uint8Array.of(3)), 1002],
    'a code that may not be sent': [frame(CLOSE, Uint8Array.of(3, 237)), 1002],
    'more than a message may hold': [frame(BINARY, EMPTY, { length: 2n ** 40n }), 1009],
  }
  it.each(Object.entries(BAD))('closes over %s', async (_, [bytes, code]) => {
    const answer = await said(bytes)
    expect([answer.content, answer.code]).toEqual(['', code])
    await quiet()
  })

  it('ends over a text, and over an end without a word, in a frame or after one', async () => {
    expect(await said(frame(TEXT, utf8('hello')))).toMatchObject({ content: '', code: 1003 })
    await quiet()
    for (const bytes of [EMPTY, half, frame(BINARY, ASK.subarray(0, 20))])
      for (const way of ['end', 'destroy', 'resetAndDestroy'] as const) {
        const socket = await opened()
        socket.resume()
        await new Promise<void>(resolve => void socket.write(bytes, () => resolve()))
        socket[way]()
        if (way === 'end') await once(socket, 'end')
        socket.destroy()
      }
    await quiet()
    expect((await said(GOOD['in one message']!)).content).toContain('found')
    await quiet()
  })

  it('answers a close in kind, and what came before', async () => {
    const { content, code } = await said(frame(BINARY, ASK), frame(CLOSE, Uint8Array.of(3, 232)))
    expect(content).toMatch(/found \/inside$/)
    expect([undefined, 1000]).toContain(code)
    await quiet()
  })

  it('is told of TLS that ends in the middle of a record', async () => {
    const hello = concat(...Session.client(clientConfig({ serverName: 'localhost' })).takeOutput())
    for (const last of [frame(CLOSE, Uint8Array.of(3, 232)), EMPTY]) {
      failures.length = 0
      const socket = await opened('/tls')
      socket.resume().end(concat(frame(BINARY, hello.subarray(0, 100)), last))
      await once(socket, 'end')
      for (let tries = 0; failures.length === 0 && tries < 40_000; tries++) await sleep(5)
      expect(failures.map(({ stage }) => stage)).toEqual(['handshake'])
      expect(secured!.connections).toBe(0)
      socket.destroy()
    }
  })
})

describe('a client over a WebSocket, of a server that', () => {
  const closers: (() => void)[] = []
  afterAll(() => {
    for (const close of closers) close()
  })

  /** A server by hand: what it says to a request with that key. */
  async function server(answer: (key: string, socket: Socket) => string | Uint8Array): Promise<string> {
    const listening = createServer({ allowHalfOpen: true }, socket => {
      socket.on('error', () => {})
      socket.once('data', head => {
        const [, key] = /Sec-WebSocket-Key: (\S+)/i.exec(head.toString())!
        socket.write(answer(key!, socket))
      })
    }).listen(0, '127.0.0.1')
    await once(listening, 'listening')
    closers.push(() => void listening.close())
    return `ws://127.0.0.1:${(listening.address() as { port: number }).port}/`
  }

  const granted = (key: string): string =>
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`
  const way = context().over('ws', webSocket(tcp))

  const REFUSALS: Readonly<Record<string, readonly [(key: string, socket: Socket) => string, RegExp]>> = {
    'has none': [
      () => 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
      /no WebSocket at .*: 404 Not Found$/,
    ],
    'answers for another key': [() => granted('another'), /the wrong key$/],
    'answers without an end': [
      () => `HTTP/1.1 101 A\r\nX: ${'x'.repeat(20_000)}`,
      /the head has more than 16384 bytes$/,
    ],
    'speaks something else': [() => 'SSH-2.0-OpenSSH_9.2\r\n', /the status line does not begin/],
    'closes at once': [
      (_, socket) => {
        socket.end()
        return ''
      },
      /it closed the connection$/,
    ],
  }
  it.each(Object.entries(REFUSALS))('%s', async (_, [answer, message]) => {
    const url = await server((key, socket) => answer(key, socket))
    const error = await way.connect(targetOf(url)).then(
      () => expect.fail('a connection'),
      (failed: ConnectError) => failed,
    )
    expect([error.kind, error.message]).toEqual(['connect', expect.stringMatching(message)])
  })

  it('says nothing', async () => {
    const url = await server(() => '')
    await expect(way.connect(targetOf(url), { timeoutMs: 30 })).rejects.toMatchObject({ kind: 'timeout' })
  })

  /** What comes of a connection: bytes, and how it ends. */
  async function told(answer: (key: string, socket: Socket) => Uint8Array): Promise<string> {
    const { transport } = await way.connect(targetOf(await server(answer)))
    let content = ''
    const end = await new Promise<string>(resolve =>
      transport.read({
        bytes: view => {
          content += Buffer.from(view).toString()
        },
        end: () => resolve('end'),
        error: error => resolve(error.message),
      }),
    )
    transport.destroy()
    return `${content}, ${end}`
  }

  const plain = { masked: false }
  it.each([
    ['sends frames together with its head', frame(BINARY, utf8('hot'), plain), /^hot, /],
    [
      'masks its frames',
      frame(BINARY, utf8('hot')),
      /^, the WebSocket was closed with 1002: a masked frame$/,
    ],
    ['sends text', frame(TEXT, utf8('hot'), plain), /^, a text message, where bytes belong$/],
    [
      'breaks off inside of a frame',
      frame(BINARY, utf8('hot'), plain).subarray(0, 3),
      /^, the WebSocket ended without/,
    ],
  ])('%s', async (_, bytes, expected) => {
    const result = await told((key, socket) => {
      setImmediate(() => socket.end())
      return concat(utf8(granted(key)), bytes)
    })
    expect(result).toMatch(expected)
  })

  it.each([
    ['normally', [3, 232], 'hot, end'],
    ['without a code', [], 'hot, end'],
    ['because it goes away', [3, 233], 'hot, the WebSocket was closed with 1001'],
    ['over a fault of its own', [3, 243, 104, 109], 'hot, the WebSocket was closed with 1011: hm'],
  ])('closes %s', async (_, payload, expected) => {
    const result = await told((key, socket) => {
      const close = frame(CLOSE, Uint8Array.from(payload), plain)
      socket.once('data', () => socket.end())
      return concat(utf8(granted(key)), frame(BINARY, utf8('hot'), plain), close)
    })
    expect(result).toBe(expected)
  })
})
