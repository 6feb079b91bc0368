import { describe, expect, it } from 'vitest'
import { H2Client, H2Server, HpackDecoder } from '../../../src/http/h2/index.ts'
import { EMPTY, utf8 } from '../../../src/wire/index.ts'
import {
  block,
  data,
  Flag,
  FrameType,
  feed,
  frame,
  GET,
  greeted,
  headers,
  limits,
  moved,
  POST,
  PREFACE,
  pull,
  SETTINGS,
  split,
  taken,
  uint32,
} from '../../support/h2-frames.ts'

const fieldsOf = (payload: Uint8Array) => new HpackDecoder().decode(payload).map(entry => entry.field)

describe('requests', () => {
  it('are announced with what they say', () => {
    const server = greeted()
    const cookies = [
      ['cookie', 'a=1'],
      ['x', 'y'],
      ['cookie', 'b=2'],
    ] as const
    expect(feed(server, headers(1, [...GET, ...cookies]))).toEqual([
      {
        type: 'request',
        streamId: 1,
        method: 'GET',
        scheme: 'https',
        authority: 'a.example',
        path: '/',
        protocol: undefined,
        headers: [
          ['x', 'y'],
          ['cookie', 'a=1; b=2'],
        ],
        endStream: true,
      },
    ])
    expect(server.quiescent).toBe(false)
    server.reply(1, {
      status: 200,
      headers: [
        ['Content-Type', 'text/plain'],
        ['Connection', 'close'],
      ],
      body: 'hello',
    })
    const [head, content, ...rest] = split(taken(server))
    expect(rest).toEqual([])
    expect(head).toMatchObject({ type: FrameType.HEADERS, flags: Flag.END_HEADERS, streamId: 1 })
    expect(fieldsOf(head!.payload)).toEqual([
      [':status', '200'],
      ['content-type', 'text/plain'],
    ])
    expect(content).toEqual({
      type: FrameType.DATA,
      flags: Flag.END_STREAM,
      streamId: 1,
      payload: utf8('hello'),
    })
    expect(server.quiescent).toBe(true)
  })

  it('hold their content back until they are accepted, and are announced again elsewhere', () => {
    const server = greeted()
    const [request] = feed(server, headers(1, POST, false), data(1, 'one'), data(1, 'two', true))
    expect(request).toMatchObject({ type: 'request', endStream: false })
    expect(pull(server)).toEqual([])
    const other = new H2Server(limits(), moved(server.export()))
    expect(pull(other)).toEqual([request])
    other.accept(1)
    expect(pull(other)).toEqual([
      { type: 'data', streamId: 1, data: utf8('one'), endStream: false },
      { type: 'data', streamId: 1, data: utf8('two'), endStream: true },
    ])
  })

  it('end with trailers', () => {
    const server = greeted()
    feed(server, headers(1, POST, false))
    server.accept(1)
    expect(feed(server, data(1, 'x'), headers(1, [['t', 'u']])).at(-1)).toEqual({
      type: 'trailers',
      streamId: 1,
      headers: [['t', 'u']],
    })
  })

  it('come in many parts, with padding and priority', () => {
    const server = greeted()
    const list = block(GET)
    const padded = Uint8Array.of(2, 0, 0, 0, 0, 9, ...list.subarray(0, 3), 0, 0)
    const events = feed(
      server,
      frame(FrameType.HEADERS, Flag.PADDED | Flag.PRIORITY | Flag.END_STREAM, 1, padded),
      frame(FrameType.CONTINUATION, 0, 1, list.subarray(3, 5)),
      frame(FrameType.CONTINUATION, Flag.END_HEADERS, 1, list.subarray(5)),
    )
    expect(events).toMatchObject([{ type: 'request', path: '/', endStream: true }])
  })

  it('CONNECT, with and without a protocol', () => {
    const server = greeted()
    const connect = [
      [':method', 'CONNECT'],
      [':authority', 'b:443'],
    ] as const
    expect(feed(server, headers(1, connect, false))).toMatchObject([
      { method: 'CONNECT', path: '', authority: 'b:443' },
    ])
    server.respond(1, { status: 200 })
    server.end(1)
    expect(server.openStreams).toBe(1)
    const websocket = [[':method', 'CONNECT'], [':protocol', 'websocket'], ...GET.slice(1)] as const
    expect(feed(server, headers(3, websocket, false))).toMatchObject([{ protocol: 'websocket', path: '/' }])
  })

  it('CONNECT that is refused: its stream is over, whatever its client still sends', () => {
    const server = greeted()
    const connect = [
      [':method', 'CONNECT'],
      [':authority', 'b:443'],
    ] as const
    feed(server, headers(1, connect, false))
    server.reply(1, { status: 501 })
    expect(server.openStreams).toBe(0)
    expect(feed(server, data(1, 'abc', false))).toEqual([])
  })
})

describe('responses', () => {
  it('without content end with their head', () => {
    const server = greeted()
    feed(server, headers(1, [[':method', 'HEAD'], ...GET.slice(1)]), headers(3, GET), headers(5, GET))
    server.reply(1, { status: 200, headers: [['content-length', '5']], body: 'hello' })
    server.reply(3, { status: 204 })
    server.reply(5, { status: 304, body: 'no' })
    expect(split(taken(server)).map(one => [one.type, one.flags])).toEqual(
      Array(3).fill([FrameType.HEADERS, 5]),
    )
    expect(server.quiescent).toBe(true)
  })

  it('may be preceded by others and followed by trailers', () => {
    const server = greeted()
    feed(server, headers(1, GET))
    server.respond(1, { status: 103, headers: [['link', '</a>']] })
    server.respond(1, { status: 200 }, 0)
    expect(server.write(1, utf8('x'))).toBe(1)
    server.end(1, [['sum', '1']])
    const sent = split(taken(server))
    expect(sent.map(one => [one.type, one.flags])).toEqual([
      [1, 4],
      [1, 4],
      [0, 0],
      [1, 5],
    ])
    const decoder = new HpackDecoder()
    const lists = [0, 1, 3].map(i => decoder.decode(sent[i]!.payload).map(entry => entry.field))
    expect(lists[1]).toEqual([
      [':status', '200'],
      ['date', 'Thu, 01 Jan 1970 00:00:00 GMT'],
    ])
    expect(lists[2]).toEqual([['sum', '1']])
  })

  it('that come early end the request, too', () => {
    const server = greeted()
    feed(server, headers(1, POST, false))
    server.reply(1, { status: 403 })
    expect(split(taken(server)).map(one => one.type)).toEqual([FrameType.HEADERS, FrameType.RST_STREAM])
    expect(feed(server, data(1, 'late', true))).toEqual([])
  })

  it('too long for one frame go on in CONTINUATION', () => {
    const server = greeted()
    feed(server, headers(1, GET))
    server.reply(1, { status: 200, headers: [['x', '\xff'.repeat(20_000)]] })
    const sent = split(taken(server))
    expect(sent.map(one => [one.type, one.flags, one.payload.length > 0])).toEqual([
      [FrameType.HEADERS, Flag.END_STREAM, true],
      [FrameType.CONTINUATION, Flag.END_HEADERS, true],
    ])
  })

  it('are refused where they break rules, and nothing is sent', () => {
    const server = greeted()
    feed(server, headers(1, GET))
    for (const field of [
      ['a b', 'c'],
      ['x', 'a\nb'],
      ['', 'x'],
      [':status', '200'],
      ['te', 'gzip'],
      ['x', ' y'],
    ] as const) {
      expect(() => server.respond(1, { status: 200, headers: [field] })).toThrow(TypeError)
    }
    expect(() => server.respond(1, { status: 101 })).toThrow(TypeError)
    expect(taken(server)).toEqual(EMPTY)
    server.respond(1, { status: 200, headers: [['content-length', '3']] })
    expect(() => server.write(1, utf8('four'))).toThrow(RangeError)
    expect(() => server.end(1)).toThrow(RangeError)
    expect(split(taken(server)).at(-1)).toMatchObject({ type: FrameType.RST_STREAM, payload: uint32(2) })
  })
})

describe('flow control', () => {
  it('queues, asks to wait, and goes on', () => {
    const server = greeted({ queuedBytes: 1000, outputBytes: 262_144 })
    feed(server, headers(1, GET))
    server.respond(1, { status: 200 })
    const content = new Uint8Array(70_000).map((_, i) => i)
    expect(server.write(1, content)).toBe(66_535)
    expect(feed(server, frame(FrameType.WINDOW_UPDATE, 0, 1, uint32(10_000)))).toEqual([])
    expect(feed(server, frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(10_000)))).toEqual([
      { type: 'drain', streamId: 1 },
    ])
    expect(server.write(1, content.subarray(66_535))).toBe(70_000 - 66_535)
    server.end(1)
    const sent = split(taken(server)).filter(one => one.type === FrameType.DATA)
    expect(Buffer.concat(sent.map(one => one.payload)).equals(content)).toBe(true)
    expect(sent.at(-1)!.flags).toBe(Flag.END_STREAM)
    expect(server.quiescent).toBe(true)
  })

  it('the more urgent goes first, the incremental take turns', () => {
    const server = greeted()
    const lists = ['u=3, i', 'u=3, i', 'u=1'].map(value => [...GET, ['priority', value]] as const)
    lists.forEach((list, i) => void feed(server, headers(1 + 2 * i, list)))
    feed(server, headers(7, GET))
    server.reply(7, { status: 200, body: new Uint8Array(65_535) })
    for (const id of [1, 3, 5]) server.reply(id, { status: 200, body: new Uint8Array(32_768) })
    taken(server)
    feed(server, frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(100_000)))
    expect(split(taken(server)).map(one => one.streamId)).toEqual([5, 5, 1, 3, 1, 3])
  })

  it('windows are given back as content is consumed, padding at once', () => {
    const server = greeted({ streamWindow: 65_535, connectionWindow: 65_535 })
    feed(server, headers(1, POST, false))
    server.accept(1)
    feed(
      server,
      data(1, new Uint8Array(16_384)),
      data(1, new Uint8Array(16_384)),
      data(1, new Uint8Array(16_384)),
    )
    expect(taken(server)).toEqual(EMPTY)
    server.consume(1, 32_767)
    expect(taken(server)).toEqual(EMPTY)
    server.consume(1, 1)
    expect(split(taken(server)).map(one => [one.type, one.streamId, one.payload])).toEqual([
      [FrameType.WINDOW_UPDATE, 0, uint32(32_768)],
      [FrameType.WINDOW_UPDATE, 1, uint32(32_768)],
    ])
    feed(server, frame(FrameType.DATA, Flag.PADDED, 1, Uint8Array.of(250, ...new Uint8Array(250))))
    expect(server.export()).toMatchObject({ returned: 251 })
    server.reset(1)
    expect(server.export()).toMatchObject({ returned: 16_384 + 251, receiveWindow: 65_535 - 16_384 - 251 })
  })
})

it('who has events to tell says so, and is not exported meanwhile', () => {
  const server = new H2Server()
  const client = new H2Client()
  for (const path of ['/1', '/2'])
    client.request({ method: 'GET', scheme: 'https', authority: 'a', path }, true)
  server.receive(client.takeOutput())
  expect(server.reporting).toBe(false)
  while (server.next() !== undefined);
  const moved = new H2Server(undefined, server.export())
  // Both requests are announced again.
  for (let left = 2; left > 0; left--) {
    expect(moved.reporting).toBe(true)
    expect(moved.next()).toMatchObject({ type: 'request' })
  }
  expect(moved.reporting).toBe(false)
  expect(moved.export()).toEqual(server.export())
})

describe('the connection', () => {
  it('answers PING and acknowledges SETTINGS', () => {
    const server = new H2Server()
    server.receive(PREFACE)
    server.receive(SETTINGS)
    pull(server)
    const types = split(taken(server)).map(one => [one.type, one.flags])
    expect(types).toEqual([
      [FrameType.SETTINGS, 0],
      [FrameType.WINDOW_UPDATE, 0],
      [FrameType.SETTINGS, Flag.ACK],
    ])
    feed(server, frame(FrameType.PING, 0, 0, '12345678'))
    expect(split(taken(server))).toEqual([{ type: 6, flags: 1, streamId: 0, payload: utf8('12345678') }])
  })

  it('closes in two steps', () => {
    const server = greeted()
    feed(server, headers(1, GET))
    server.shutdown()
    const [goaway, ping] = split(taken(server))
    expect(goaway).toMatchObject({
      type: FrameType.GOAWAY,
      payload: Uint8Array.of(0x7f, 255, 255, 255, 0, 0, 0, 0),
    })
    expect(feed(server, headers(3, GET))).toHaveLength(1)
    feed(server, frame(FrameType.PING, Flag.ACK, 0, ping!.payload))
    expect(split(taken(server))).toMatchObject([
      { type: FrameType.GOAWAY, payload: Uint8Array.of(0, 0, 0, 3, 0, 0, 0, 0) },
    ])
    expect(feed(server, headers(5, POST, false), data(5, 'x', true))).toEqual([])
    server.reply(1, { status: 200 })
    expect(server.shouldClose).toBe(false)
    server.reply(3, { status: 200 })
    expect(server.shouldClose).toBe(true)
  })

  it('a list too long gets 431, and the connection lives on', () => {
    const server = greeted({ headerListSize: 300 })
    expect(feed(server, headers(1, [...GET, ['x', 'y'.repeat(300)]]))).toEqual([])
    const [answer] = split(taken(server))
    expect(fieldsOf(answer!.payload)).toEqual([[':status', '431']])
    expect(feed(server, headers(3, GET))).toHaveLength(1)
  })

  it('unknown frames and settings, ALTSVC, ORIGIN, PRIORITY are passed over', () => {
    const server = greeted()
    expect(
      feed(
        server,
        frame(0xa, 0, 0, 'altsvc'),
        frame(0xc, 0, 0, 'origin'),
        frame(0xee, 0xff, 7, 'what'),
        frame(FrameType.PRIORITY, 0, 9, '12345'),
        frame(FrameType.SETTINGS, 0, 0, Uint8Array.of(0, 99, 1, 2, 3, 4)),
        frame(FrameType.PRIORITY_UPDATE, 0, 0, Uint8Array.of(0, 0, 0, 1, 0x75)),
        headers(1, GET),
        frame(FrameType.PRIORITY_UPDATE, 0, 0, Uint8Array.of(0, 0, 0, 1, 0x75, 0x3d, 0x31)),
      ),
    ).toHaveLength(1)
    expect(server.export().streams[0]).toMatchObject({ urgency: 1 })
  })
})
