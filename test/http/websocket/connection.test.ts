import { describe, expect, it } from 'vitest'
import {
  CloseCode,
  Opcode,
  readFrame,
  type WebSocketEvent,
  WebSocketServer,
  webSocketState,
  writeFrame,
} from '../../../src/http/websocket/index.ts'
import { sha1 } from '../../../src/http/websocket/sha1.ts'
import { concat, decode, EMPTY, encode, hex, utf8 } from '../../../src/wire/index.ts'

const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d)
const client = (opcode: number, payload: Uint8Array | string, final = true): Uint8Array =>
  writeFrame(opcode, typeof payload === 'string' ? utf8(payload) : payload, { final, mask: MASK })
const close = (code: number, reason = ''): Uint8Array =>
  client(Opcode.CLOSE, concat(Uint8Array.of(code >> 8, code & 0xff), utf8(reason)))

function pull(server: WebSocketServer): WebSocketEvent[] {
  const events: WebSocketEvent[] = []
  for (let event = server.next(); event !== undefined; event = server.next()) events.push(event)
  return events
}

/** What the server has sent, frame by frame. */
function frames(bytes: Uint8Array): [opcode: number, payload: Uint8Array][] {
  const found: [number, Uint8Array][] = []
  for (let rest = bytes; rest.length > 0; ) {
    const frame = readFrame(rest, false, 2 ** 24)!
    found.push([frame.opcode, frame.payload])
    rest = rest.subarray(frame.length)
  }
  return found
}
const sent = (server: WebSocketServer) => frames(concat(...server.takeOutput()))

function heard(...pieces: Uint8Array[]) {
  const server = new WebSocketServer()
  for (const piece of pieces) server.receive(piece)
  return { events: pull(server), frames: sent(server), server }
}

describe('the examples of RFC 6455 §5.7', () => {
  it('are what we write and read', () => {
    const hello = Uint8Array.of(0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f)
    expect(writeFrame(Opcode.TEXT, utf8('Hello'))).toEqual(hello)
    const masked = Uint8Array.of(0x81, 0x85, ...MASK, 0x7f, 0x9f, 0x4d, 0x51, 0x58)
    expect(client(Opcode.TEXT, 'Hello')).toEqual(masked)
    expect(heard(masked).events).toEqual([{ type: 'message', data: 'Hello' }])
    expect(writeFrame(Opcode.BINARY, new Uint8Array(256)).subarray(0, 4)).toEqual(
      Uint8Array.of(0x82, 0x7e, 1, 0),
    )
    expect(writeFrame(Opcode.BINARY, new Uint8Array(65_536)).subarray(0, 10)).toEqual(
      Uint8Array.of(0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0),
    )
  })
})

describe('messages', () => {
  it('come whole, in parts with a ping in between, and of every length', () => {
    const { events, frames } = heard(
      client(Opcode.TEXT, 'Hel', false),
      client(Opcode.PING, 'there?'),
      client(Opcode.CONTINUATION, 'lo'),
      client(Opcode.BINARY, new Uint8Array(65_535).fill(1)),
      client(Opcode.BINARY, new Uint8Array(65_536).fill(2)),
      client(Opcode.TEXT, EMPTY),
    )
    expect(events).toEqual([
      { type: 'pong' },
      { type: 'message', data: 'Hello' },
      { type: 'message', data: new Uint8Array(65_535).fill(1) },
      { type: 'message', data: new Uint8Array(65_536).fill(2) },
      { type: 'message', data: '' },
    ])
    expect(frames).toEqual([[Opcode.PONG, utf8('there?')]])
  })

  it('go out as text and bytes, until it is over', () => {
    const server = new WebSocketServer()
    server.send('ß')
    server.send(Uint8Array.of(1))
    server.close(4000, 'enough')
    server.send('too late')
    expect(sent(server)).toEqual([
      [Opcode.TEXT, utf8('ß')],
      [Opcode.BINARY, Uint8Array.of(1)],
      [Opcode.CLOSE, concat(Uint8Array.of(0x0f, 0xa0), utf8('enough'))],
    ])
    server.receive(concat(client(Opcode.TEXT, 'not heard'), close(4000)))
    expect(pull(server)).toEqual([{ type: 'close', code: 4000, reason: '' }])
    expect(server.over).toBe(true)
  })
})

describe('the end', () => {
  it('is answered with the same code', () => {
    const { events, frames, server } = heard(close(1000, 'bye'), client(Opcode.TEXT, 'more'))
    expect(events).toEqual([{ type: 'close', code: 1000, reason: 'bye' }])
    expect(frames).toEqual([[Opcode.CLOSE, Uint8Array.of(3, 232)]])
    expect(server.over).toBe(true)
    expect(heard(client(Opcode.CLOSE, EMPTY)).events).toEqual([{ type: 'close', code: 1005, reason: '' }])
  })

  it('has a reason that is cut between characters', () => {
    const server = new WebSocketServer()
    server.close(1000, 'ß'.repeat(100))
    const [, payload] = sent(server)[0]!
    expect(payload.length).toBeLessThanOrEqual(125)
    expect(new TextDecoder('utf-8', { fatal: true }).decode(payload.subarray(2))).toMatch(/^ß+$/)
  })

  const unmasked = writeFrame(Opcode.TEXT, utf8('x'))
  it.each([
    ['a frame without mask', unmasked, CloseCode.PROTOCOL_ERROR],
    ['a reserved bit', Uint8Array.of(0xc1, 0x80, ...MASK), CloseCode.PROTOCOL_ERROR],
    ['opcode 3', Uint8Array.of(0x83, 0x80, ...MASK), CloseCode.PROTOCOL_ERROR],
    ['opcode 11', Uint8Array.of(0x8b, 0x80, ...MASK), CloseCode.PROTOCOL_ERROR],
    ['a ping in parts', client(Opcode.PING, 'x', false), CloseCode.PROTOCOL_ERROR],
    ['a long ping', client(Opcode.PING, new Uint8Array(126)), CloseCode.PROTOCOL_ERROR],
    ['a continuation of nothing', client(Opcode.CONTINUATION, 'x'), CloseCode.PROTOCOL_ERROR],
    [
      'a message within another',
      concat(client(Opcode.TEXT, 'x', false), client(Opcode.TEXT, 'y')),
      CloseCode.PROTOCOL_ERROR,
    ],
    ['text that is not UTF-8', client(Opcode.TEXT, Uint8Array.of(0xff)), CloseCode.INVALID_DATA],
    ['a length in more bytes than it needs', Uint8Array.of(0x82, 0xfe, 0, 5), CloseCode.PROTOCOL_ERROR],
    ['a message too long', Uint8Array.of(0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1), CloseCode.TOO_BIG],
    [
      'a length beyond all numbers',
      Uint8Array.of(0x82, 0xff, ...new Uint8Array(8).fill(255)),
      CloseCode.TOO_BIG,
    ],
    [
      'parts too long together',
      concat(client(Opcode.BINARY, new Uint8Array(1_048_576), false), client(Opcode.CONTINUATION, 'x')),
      CloseCode.TOO_BIG,
    ],
    ['a close of one byte', client(Opcode.CLOSE, Uint8Array.of(3)), CloseCode.PROTOCOL_ERROR],
    ['close code 1005', close(1005), CloseCode.PROTOCOL_ERROR],
    ['close code 999', close(999), CloseCode.PROTOCOL_ERROR],
    ['a reason that is not UTF-8', client(Opcode.CLOSE, Uint8Array.of(3, 232, 255)), CloseCode.INVALID_DATA],
  ])('comes by %s', (_, bytes, code) => {
    const { events, frames, server } = heard(bytes)
    expect(events.at(-1)).toMatchObject({ type: 'close', code })
    expect(frames.at(-1)![1].subarray(0, 2)).toEqual(Uint8Array.of(code >> 8, code & 0xff))
    expect(server.over).toBe(true)
  })
})

it('moves at any byte without a trace', () => {
  const bytes = concat(
    client(Opcode.TEXT, 'Hel', false),
    client(Opcode.PING, 'there?'),
    client(Opcode.CONTINUATION, 'lo'),
    client(Opcode.BINARY, new Uint8Array(200).fill(1)),
    close(1000, 'bye'),
  )
  const whole = heard(bytes)
  for (let at = 0; at <= bytes.length; at++) {
    const first = new WebSocketServer()
    first.receive(bytes.slice(0, at))
    const before = pull(first)
    if (first.over) continue
    const second = new WebSocketServer(
      undefined,
      decode(webSocketState, encode(webSocketState, first.export())),
    )
    second.receive(bytes.slice(at))
    expect([...before, ...pull(second)]).toEqual(whole.events)
    expect(sent(second)).toEqual(whole.frames)
  }
})

describe('SHA-1', () => {
  it.each([
    ['abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
    ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '84983e441c3bd26ebaae4aa1f95129e5e54670f1'],
    ['a'.repeat(1_000_000), '34aa973cd4c4daa4f61eeb2bdbad27316534016f'],
    ['', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
  ])('is that of FIPS 180-4 (%#)', (text, digest) => {
    expect(hex(sha1(utf8(text)))).toBe(digest)
  })
})
