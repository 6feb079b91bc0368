import { describe, expect, it } from 'vitest'
import {
  ErrorCode,
  type ErrorName,
  type Exceeded,
  H2Client,
  H2Server,
  HpackEncoder,
  LIMIT_ERRORS,
  noneExceeded,
} from '../../../src/http/h2/index.ts'
import { Output } from '../../../src/http/h2/output.ts'
import { STREAM_STATES, type StreamEvent, TRANSITIONS } from '../../../src/http/h2/stream.ts'
import type { Field } from '../../../src/http/message.ts'
import { concat, fromHex } from '../../../src/wire/index.ts'
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
  SETTINGS_ACK,
  setting,
  split,
  taken,
  uint32,
} from '../../support/h2-frames.ts'
import { THROUGH_MOVES } from '../../support/through-moves.ts'

const { DATA, HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } =
  FrameType
const open = headers(1, POST, false)
const whole = headers(1, GET)
const changed = (name: string, value: string) =>
  GET.map(field => (field[0] === name ? ([name, value] as const) : field))
const without = (name: string) => GET.filter(field => field[0] !== name)
const settings = (payload: Uint8Array) => frame(FrameType.SETTINGS, 0, 0, payload)

/** What RFC 9113 forbids a client: the section, what it does, the error. */
const CONNECTION_ERRORS: readonly [section: string, what: string, bytes: Uint8Array, error: ErrorName][] = [
  ['4.2', 'a frame larger than allowed', frame(DATA, 0, 1, new Uint8Array(16_385)), 'FRAME_SIZE_ERROR'],
  ['4.3', 'a block that is not HPACK', frame(HEADERS, 5, 1, fromHex('80')), 'COMPRESSION_ERROR'],
  ['5.1', 'DATA on an idle stream', data(1, 'x'), 'PROTOCOL_ERROR'],
  ['5.1', 'RST_STREAM on an idle stream', frame(RST_STREAM, 0, 1, uint32(0)), 'PROTOCOL_ERROR'],
  ['5.1', 'WINDOW_UPDATE on an idle stream', frame(WINDOW_UPDATE, 0, 1, uint32(1)), 'PROTOCOL_ERROR'],
  [
    '5.1',
    'HEADERS on a closed stream',
    concat(whole, frame(RST_STREAM, 0, 1, uint32(8)), headers(1, GET)),
    'STREAM_CLOSED',
  ],
  [
    '5.1',
    'DATA on a closed stream',
    concat(whole, frame(RST_STREAM, 0, 1, uint32(8)), data(1, 'x')),
    'STREAM_CLOSED',
  ],
  ['5.1.1', 'an even stream', headers(2, GET), 'PROTOCOL_ERROR'],
  ['5.1.1', 'an even stream below others', concat(headers(3, GET), headers(2, GET)), 'PROTOCOL_ERROR'],
  ['5.1.1', 'a stream below others', concat(headers(3, GET), headers(1, GET)), 'STREAM_CLOSED'],
  ['6.1', 'DATA on stream 0', data(0, 'x'), 'PROTOCOL_ERROR'],
  [
    '6.1',
    'padding as long as the payload',
    concat(open, frame(DATA, Flag.PADDED, 1, fromHex('0100'.slice(0, 2)))),
    'PROTOCOL_ERROR',
  ],
  ['6.1', 'padding without its length', concat(open, frame(DATA, Flag.PADDED, 1)), 'PROTOCOL_ERROR'],
  ['6.2', 'HEADERS on stream 0', headers(0, GET), 'PROTOCOL_ERROR'],
  [
    '6.2',
    'padding longer than HEADERS',
    frame(HEADERS, Flag.PADDED | 5, 1, fromHex('ff82')),
    'PROTOCOL_ERROR',
  ],
  [
    '6.2',
    'HEADERS too short for their priority',
    frame(HEADERS, Flag.PRIORITY | 5, 1, fromHex('0000')),
    'FRAME_SIZE_ERROR',
  ],
  [
    '6.2',
    'a frame within a header block',
    concat(frame(HEADERS, 0, 1, block(GET)), frame(PING, 0, 0, '12345678')),
    'PROTOCOL_ERROR',
  ],
  ['6.3', 'PRIORITY on stream 0', frame(PRIORITY, 0, 0, '12345'), 'PROTOCOL_ERROR'],
  ['6.4', 'RST_STREAM on stream 0', frame(RST_STREAM, 0, 0, uint32(0)), 'PROTOCOL_ERROR'],
  ['6.4', 'RST_STREAM of three bytes', concat(open, frame(RST_STREAM, 0, 1, '123')), 'FRAME_SIZE_ERROR'],
  ['6.5', 'SETTINGS on a stream', frame(FrameType.SETTINGS, 0, 1), 'PROTOCOL_ERROR'],
  [
    '6.5',
    'an acknowledgement with content',
    frame(FrameType.SETTINGS, Flag.ACK, 0, '123456'),
    'FRAME_SIZE_ERROR',
  ],
  ['6.5', 'half a setting', settings(fromHex('000100')), 'FRAME_SIZE_ERROR'],
  ['6.5', 'a second acknowledgement', frame(FrameType.SETTINGS, Flag.ACK, 0), 'PROTOCOL_ERROR'],
  ['6.5.2', 'ENABLE_PUSH 2', settings(setting(2, 2)), 'PROTOCOL_ERROR'],
  ['6.5.2', 'INITIAL_WINDOW_SIZE 2^31', settings(setting(4, 2 ** 31)), 'FLOW_CONTROL_ERROR'],
  ['6.5.2', 'MAX_FRAME_SIZE 16383', settings(setting(5, 16_383)), 'PROTOCOL_ERROR'],
  ['6.5.2', 'MAX_FRAME_SIZE 2^24', settings(setting(5, 2 ** 24)), 'PROTOCOL_ERROR'],
  [
    '8441, 3',
    'ENABLE_CONNECT_PROTOCOL taken back',
    settings(concat(setting(8, 1), setting(8, 0))),
    'PROTOCOL_ERROR',
  ],
  ['9218, 2.1', 'NO_RFC7540_PRIORITIES 2', settings(setting(9, 2)), 'PROTOCOL_ERROR'],
  ['6.6', 'PUSH_PROMISE', frame(PUSH_PROMISE, 4, 1, uint32(2)), 'PROTOCOL_ERROR'],
  ['6.7', 'PING on a stream', frame(PING, 0, 1, '12345678'), 'PROTOCOL_ERROR'],
  ['6.7', 'PING of seven bytes', frame(PING, 0, 0, '1234567'), 'FRAME_SIZE_ERROR'],
  ['6.8', 'GOAWAY on a stream', frame(GOAWAY, 0, 1, '12345678'), 'PROTOCOL_ERROR'],
  ['6.8', 'GOAWAY of seven bytes', frame(GOAWAY, 0, 0, '1234567'), 'FRAME_SIZE_ERROR'],
  ['6.9', 'WINDOW_UPDATE of three bytes', frame(WINDOW_UPDATE, 0, 0, '123'), 'FRAME_SIZE_ERROR'],
  ['6.9', 'WINDOW_UPDATE by nothing', frame(WINDOW_UPDATE, 0, 0, uint32(0)), 'PROTOCOL_ERROR'],
  [
    '6.9.1',
    'a connection window above 2^31-1',
    frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 1)),
    'FLOW_CONTROL_ERROR',
  ],
  [
    '6.9.2',
    'a stream window made too large by SETTINGS',
    concat(open, frame(WINDOW_UPDATE, 0, 1, uint32(2 ** 31 - 65_536)), settings(setting(4, 65_536))),
    'FLOW_CONTROL_ERROR',
  ],
  ['6.10', 'CONTINUATION of nothing', frame(CONTINUATION, 4, 1), 'PROTOCOL_ERROR'],
  [
    '6.10',
    'CONTINUATION on another stream',
    concat(frame(HEADERS, 0, 1, block(GET)), frame(CONTINUATION, 4, 3)),
    'PROTOCOL_ERROR',
  ],
  [
    '9218, 7.1',
    'PRIORITY_UPDATE on a stream',
    frame(FrameType.PRIORITY_UPDATE, 0, 1, '1234'),
    'PROTOCOL_ERROR',
  ],
  [
    '9218, 7.1',
    'PRIORITY_UPDATE of stream 0',
    frame(FrameType.PRIORITY_UPDATE, 0, 0, uint32(0)),
    'PROTOCOL_ERROR',
  ],
]

const STREAM_ERRORS: readonly [section: string, what: string, bytes: Uint8Array, error: ErrorName][] = [
  ['5.1', 'DATA after END_STREAM', concat(whole, data(1, 'x')), 'STREAM_CLOSED'],
  ['5.1', 'HEADERS after END_STREAM', concat(whole, headers(1, GET)), 'STREAM_CLOSED'],
  ['6.3', 'PRIORITY of four bytes', concat(open, frame(PRIORITY, 0, 1, '1234')), 'FRAME_SIZE_ERROR'],
  ['6.9', 'WINDOW_UPDATE by nothing', concat(open, frame(WINDOW_UPDATE, 0, 1, uint32(0))), 'PROTOCOL_ERROR'],
  [
    '6.9.1',
    'a window above 2^31-1',
    concat(open, frame(WINDOW_UPDATE, 0, 1, uint32(2 ** 31 - 1))),
    'FLOW_CONTROL_ERROR',
  ],
  [
    '8.1',
    'a second head without END_STREAM',
    concat(open, headers(1, [['a', 'b']], false)),
    'PROTOCOL_ERROR',
  ],
  ['8.1', 'pseudo-header fields in trailers', concat(open, headers(1, [[':path', '/']])), 'PROTOCOL_ERROR'],
  [
    '8.1.1',
    'more content than Content-Length',
    concat(headers(1, [...POST, ['content-length', '1']], false), data(1, 'xx')),
    'PROTOCOL_ERROR',
  ],
  [
    '8.1.1',
    'less content than Content-Length',
    concat(headers(1, [...POST, ['content-length', '3']], false), data(1, 'xx', true)),
    'PROTOCOL_ERROR',
  ],
  [
    '8.1.1',
    'less content before trailers',
    concat(headers(1, [...POST, ['content-length', '3']], false), headers(1, [['a', 'b']])),
    'PROTOCOL_ERROR',
  ],
  ['8.1.1', 'no content at all', headers(1, [...POST, ['content-length', '3']]), 'PROTOCOL_ERROR'],
  [
    '8.1.1',
    'two Content-Lengths',
    headers(1, [...POST, ['content-length', '3'], ['content-length', '4']], false),
    'PROTOCOL_ERROR',
  ],
  [
    '8.1.1',
    'a Content-Length with a sign',
    headers(1, [...POST, ['content-length', '+3']], false),
    'PROTOCOL_ERROR',
  ],
  ['8.2', 'upper case', headers(1, [...GET, ['Abc', 'd']]), 'PROTOCOL_ERROR'],
  ['8.2.1', 'a space in a name', headers(1, [...GET, ['a b', 'd']]), 'PROTOCOL_ERROR'],
  ['8.2.1', 'a name of nothing', headers(1, [...GET, ['', 'd']]), 'PROTOCOL_ERROR'],
  ['8.2.1', 'a line feed in a value', headers(1, [...GET, ['a', 'b\nc']]), 'PROTOCOL_ERROR'],
  ['8.2.1', 'a value that begins with a space', headers(1, [...GET, ['a', ' b']]), 'PROTOCOL_ERROR'],
  ['8.2.1', 'a value that ends in a tab', headers(1, [...GET, ['a', 'b\t']]), 'PROTOCOL_ERROR'],
  ...['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade']
    .map(name => ['8.2.2', name, headers(1, [...GET, [name, 'x']]), 'PROTOCOL_ERROR'] as const)
    .map(row => [...row] as [string, string, Uint8Array, ErrorName]),
  ['8.2.2', 'te: gzip', headers(1, [...GET, ['te', 'gzip']]), 'PROTOCOL_ERROR'],
  [
    '8.3',
    'a pseudo-header field after a field',
    headers(1, [...without(':path'), ['a', 'b'], [':path', '/']]),
    'PROTOCOL_ERROR',
  ],
  ['8.3', 'an unknown pseudo-header field', headers(1, [...GET, [':what', 'x']]), 'PROTOCOL_ERROR'],
  ['8.3', ':status in a request', headers(1, [...GET, [':status', '200']]), 'PROTOCOL_ERROR'],
  ...[':method', ':scheme', ':path'].flatMap(name => [
    ['8.3.1', `no ${name}`, headers(1, without(name)), 'PROTOCOL_ERROR'] as [
      string,
      string,
      Uint8Array,
      ErrorName,
    ],
    [
      '8.3.1',
      `${name} twice`,
      headers(1, [...GET, GET.find(field => field[0] === name)!]),
      'PROTOCOL_ERROR',
    ] as [string, string, Uint8Array, ErrorName],
    ['8.3.1', `an empty ${name}`, headers(1, changed(name, '')), 'PROTOCOL_ERROR'] as [
      string,
      string,
      Uint8Array,
      ErrorName,
    ],
  ]),
  ['8.3.1', 'a path without slash', headers(1, changed(':path', 'a')), 'PROTOCOL_ERROR'],
  ['8.3.1', '* for GET', headers(1, changed(':path', '*')), 'PROTOCOL_ERROR'],
  ['8.3.1', 'userinfo', headers(1, changed(':authority', 'me@a.example')), 'PROTOCOL_ERROR'],
  ['8.3.1', 'another Host', headers(1, [...GET, ['host', 'b.example']]), 'PROTOCOL_ERROR'],
  ['8.5', 'CONNECT with a path', headers(1, changed(':method', 'CONNECT')), 'PROTOCOL_ERROR'],
  ['8.5', 'CONNECT without an authority', headers(1, [[':method', 'CONNECT']]), 'PROTOCOL_ERROR'],
  ['8441, 4', ':protocol without CONNECT', headers(1, [...GET, [':protocol', 'x']]), 'PROTOCOL_ERROR'],
]

describe('ends the connection', () => {
  it.each(CONNECTION_ERRORS)('%s: %s', (_, __, bytes, error) => {
    const server = greeted()
    const events = feed(server, bytes)
    expect(events.at(-1)).toMatchObject({ type: 'error', code: ErrorCode[error] })
    const goaway = split(taken(server)).at(-1)!
    expect(goaway.type).toBe(GOAWAY)
    expect(goaway.payload.slice(4, 8)).toEqual(uint32(ErrorCode[error]))
    expect(server.shouldClose).toBe(true)
    expect(feed(server, headers(99, GET))).toEqual([])
  })

  it.each([
    ['another preface', Uint8Array.from(PREFACE, (byte, i) => (i === 5 ? 0x20 + byte : byte))],
    ['HTTP/1.1', Uint8Array.from('GET / HTTP/1.1\r\n\r\n', c => c.charCodeAt(0))],
    ['no SETTINGS', concat(PREFACE, headers(1, GET))],
    ['an acknowledgement first', concat(PREFACE, frame(FrameType.SETTINGS, Flag.ACK, 0))],
  ])('3.4: %s', (_, bytes) => {
    const server = new H2Server()
    expect(feed(server, bytes)).toMatchObject([{ type: 'error', code: ErrorCode.PROTOCOL_ERROR }])
  })
})

describe('ends the stream alone', () => {
  it.each(STREAM_ERRORS)('%s: %s', (_, __, bytes, error) => {
    const server = greeted()
    const events = feed(server, bytes)
    expect(events.filter(event => event.type === 'error')).toEqual([])
    // The server that was told of the request is told of its end.
    if (events.some(event => event.type === 'request')) {
      expect(events.at(-1)).toMatchObject({
        type: 'reset',
        streamId: 1,
        code: ErrorCode[error],
        origin: 'local',
      })
    } else expect(events).toEqual([])
    const reset = split(taken(server)).at(-1)
    expect(reset).toEqual({ type: RST_STREAM, flags: 0, streamId: 1, payload: uint32(ErrorCode[error]) })
    expect(server.quiescent).toBe(true)
    expect(feed(server, headers(3, GET))).toHaveLength(1)
  })

  it('6.9.1: content beyond the stream window; beyond that of the connection it ends that', () => {
    const server = greeted({ streamWindow: 65_535, connectionWindow: 100_000 })
    feed(server, open)
    server.accept(1)
    const piece = new Uint8Array(16_384)
    expect(feed(server, data(1, piece), data(1, piece), data(1, piece), data(1, piece)).at(-1)).toMatchObject(
      {
        type: 'reset',
        code: ErrorCode.FLOW_CONTROL_ERROR,
      },
    )
    const other = greeted({ streamWindow: 200_000, connectionWindow: 65_535 })
    feed(other, open)
    other.accept(1)
    expect(feed(other, data(1, piece), data(1, piece), data(1, piece), data(1, piece)).at(-1)).toMatchObject({
      type: 'error',
      code: ErrorCode.FLOW_CONTROL_ERROR,
    })
  })
})

describe('a client refuses', () => {
  const ready = () => {
    const client = new H2Client()
    client.receive(SETTINGS)
    pull(client)
    expect(client.request({ method: 'GET', scheme: 'https', authority: 'a', path: '/' }, true)).toBe(1)
    taken(client)
    return client
  }

  it.each([
    ['a push', frame(PUSH_PROMISE, 4, 1, uint32(2)), 'PROTOCOL_ERROR'],
    ['a stream of the server', headers(2, [[':status', '200']]), 'PROTOCOL_ERROR'],
    ['ENABLE_PUSH 1', settings(setting(2, 1)), 'PROTOCOL_ERROR'],
    [
      'a GOAWAY taken back',
      concat(
        frame(GOAWAY, 0, 0, concat(uint32(1), uint32(0))),
        frame(GOAWAY, 0, 0, concat(uint32(3), uint32(0))),
      ),
      'PROTOCOL_ERROR',
    ],
  ] as const)('%s, and the connection', (_, bytes, error) => {
    const client = ready()
    client.receive(bytes)
    expect(pull(client).at(-1)).toMatchObject({ type: 'error', code: ErrorCode[error] })
  })

  it.each([
    ['no status', headers(1, [['a', 'b']])],
    ['101', headers(1, [[':status', '101']], false)],
    ['a request', headers(1, GET)],
    ['content before its head', data(1, 'x')],
    ['1xx at the end', headers(1, [[':status', '103']])],
    ['content of 204', concat(headers(1, [[':status', '204']], false), data(1, 'x'))],
    [
      'less than Content-Length',
      concat(
        headers(
          1,
          [
            [':status', '200'],
            ['content-length', '2'],
          ],
          false,
        ),
        data(1, 'x', true),
      ),
    ],
  ])('%s', (_, bytes) => {
    const client = ready()
    client.receive(bytes)
    expect(pull(client).at(-1)).toMatchObject({
      type: 'reset',
      code: ErrorCode.PROTOCOL_ERROR,
      origin: 'local',
    })
    expect(client.canRequest).toBe(true)
  })
})

describe('floods', () => {
  const budgets = {
    resets: { burst: 20, perSecond: 10 },
    control: { burst: 20, perSecond: 10 },
    empty: { burst: 20, perSecond: 10 },
  }
  const many = (make: (i: number) => Uint8Array) => Array.from({ length: 30 }, (_, i) => make(2 * i + 1))

  it.each<[keyof typeof LIMIT_ERRORS, string, Uint8Array[]]>([
    ['resets', 'rapid reset', many(id => concat(headers(id, GET), frame(RST_STREAM, 0, id, uint32(8))))],
    ['resets', 'made to reset', many(id => concat(headers(id, GET), data(id, 'x'.repeat(100))))],
    ['resets', 'malformed requests', many(id => headers(id, without(':path')))],
    ['control', 'PING', many(() => frame(PING, 0, 0, '12345678'))],
    ['control', 'SETTINGS', many(() => SETTINGS)],
    ['control', 'PRIORITY', many(id => frame(PRIORITY, 0, id, '12345'))],
    ['control', 'unknown frames', many(() => frame(0x77, 0, 0))],
    ['empty', 'empty DATA', [open, ...many(() => data(1, ''))]],
    ['empty', 'tiny DATA', [open, ...many(() => data(1, 'x'))]],
    ['empty', 'WINDOW_UPDATE', many(() => frame(WINDOW_UPDATE, 0, 0, uint32(1)))],
    ['headerBlock', 'CONTINUATION', [frame(HEADERS, 0, 1), ...many(() => frame(CONTINUATION, 0, 1))]],
    [
      'headerBlock',
      'a header block that never ends',
      [frame(HEADERS, 0, 1), ...many(() => frame(CONTINUATION, 0, 1, new Uint8Array(16_000)))],
    ],
  ])('%s: %s', (limit, _, pieces) => {
    const exceeded = noneExceeded()
    const server = new H2Server(limits({ budgets }), undefined, exceeded)
    const events = feed(server, PREFACE, SETTINGS, ...pieces)
    expect(events.at(-1)).toMatchObject({ type: 'error', code: ErrorCode[LIMIT_ERRORS[limit]] })
    expect(exceeded).toEqual({ ...noneExceeded(), [limit]: 1, failed: 1 })
  })

  it('the rest is counted, too: streams, lists, bombs, acknowledgements and windows', () => {
    const exceeded = noneExceeded()
    const count = (changes: Partial<Exceeded>) => expect(exceeded).toEqual({ ...noneExceeded(), ...changes })
    const greet = (state?: ReturnType<H2Server['export']>) => {
      const server = new H2Server(limits({ concurrentStreams: 1, headerListSize: 4000 }), state, exceeded)
      if (state === undefined) feed(server, PREFACE, SETTINGS, SETTINGS_ACK)
      return server
    }
    const server = greet()
    feed(server, open, headers(3, GET))
    count({ streams: 1 })
    // A bomb: one entry of the table, named again and again, takes one byte each time. It is answered with
    // 431, and the table lives on.
    const bomb = new Output()
    const fields: Field[] = [...GET, ...Array.from({ length: 40 }, () => ['x', 'y'.repeat(2000)] as const)]
    new HpackEncoder(4096).encode(bomb, fields)
    const bytes = bomb.take()
    expect(bytes.length).toBeLessThan(3000)
    const other = greet()
    taken(other)
    feed(other, frame(HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, bytes))
    expect(split(taken(other))[0]).toMatchObject({ type: HEADERS, streamId: 1 })
    count({ streams: 1, headerList: 1 })
    const silent = new H2Server(limits(), undefined, exceeded)
    feed(silent, PREFACE, SETTINGS)
    silent.tick(10_001)
    silent.tick(1)
    count({ streams: 1, headerList: 1, settings: 1, failed: 1 })
    const stalled = greet()
    feed(stalled, settings(setting(4, 0)), headers(1, GET))
    stalled.reply(1, { status: 200, body: 'x' })
    stalled.tick(60_001)
    stalled.tick(1)
    count({ streams: 1, headerList: 1, settings: 1, stall: 1, failed: 1 })
    feed(stalled, frame(HEADERS, 5, 3, fromHex('80')))
    count({ streams: 1, headerList: 1, settings: 1, stall: 1, failed: 2 })
  })

  it('time and work pay back', () => {
    const server = greeted({ budgets })
    const ping = frame(PING, 0, 0, '12345678')
    feed(server, ...Array<Uint8Array>(17).fill(ping))
    // What was spent is rounded up when a connection moves, so that fractions count only where it stays.
    const ticks = THROUGH_MOVES ? 1 : 64
    for (let i = 0; i < ticks; i++) server.tick(1000 / ticks)
    expect(server.export().spent.control).toBe(9)
    feed(server, headers(1, GET))
    server.reply(1, { status: 200, body: 'x' })
    expect(server.export().spent.control).toBe(8)
  })

  it('a long download may be followed by updates, one by one; drips may not', () => {
    const download = (bytes: number) => {
      const server = greeted({ budgets })
      feed(server, settings(setting(4, bytes)), headers(1, GET))
      server.reply(1, { status: 200, body: new Uint8Array(60 * bytes) })
      const last: string[] = []
      for (let i = 0; i < 50; i++) {
        const update = (id: number) => frame(WINDOW_UPDATE, 0, id, uint32(bytes))
        for (const event of feed(server, update(0), update(1))) last.push(event.type)
        taken(server)
      }
      return last.filter(type => type !== 'request')
    }
    expect(download(1000)).toEqual([])
    expect(download(1)).toEqual(['error'])
  })

  it('more streams than allowed are refused', () => {
    const server = greeted({ concurrentStreams: 2 })
    feed(server, headers(1, GET), headers(3, GET), headers(5, GET))
    expect(split(taken(server))).toMatchObject([{ type: RST_STREAM, streamId: 5, payload: uint32(7) }])
  })

  it('SETTINGS that are never acknowledged, and windows that never open', () => {
    const server = new H2Server()
    feed(server, PREFACE, SETTINGS)
    server.tick(10_000)
    server.tick(1)
    expect(pull(server)).toEqual([])
    server.tick(1)
    expect(pull(server)).toMatchObject([{ type: 'error', code: ErrorCode.SETTINGS_TIMEOUT }])
    const stalled = greeted()
    feed(stalled, settings(setting(4, 0)), headers(1, GET))
    stalled.reply(1, { status: 200, body: 'x' })
    stalled.tick(59_000.4)
    const other = new H2Server(limits(), moved(stalled.export()))
    for (const one of [other, stalled]) {
      one.tick(1_001)
      expect(pull(one)).toEqual([])
      one.tick(1)
      const code = ErrorCode.ENHANCE_YOUR_CALM
      expect(pull(one)).toMatchObject([{ type: 'reset', streamId: 1, code }])
    }
  })

  it('who was away for long reads first what has come meanwhile', () => {
    const server = new H2Server()
    feed(server, PREFACE, SETTINGS)
    server.tick(60_000)
    feed(server, frame(FrameType.SETTINGS, Flag.ACK, 0, new Uint8Array()))
    server.tick(60_000)
    expect(pull(server)).toEqual([])
    const stalled = greeted()
    feed(stalled, settings(setting(4, 0)), headers(1, GET))
    stalled.reply(1, { status: 200, body: 'x' })
    stalled.tick(600_000)
    feed(stalled, frame(WINDOW_UPDATE, 0, 1, uint32(1)))
    stalled.tick(600_000)
    expect(pull(stalled)).toEqual([])
  })
})

describe('the table of states', () => {
  const walk = (...events: StreamEvent[]) =>
    events.reduce<unknown>(
      (state, event) => TRANSITIONS[state as (typeof STREAM_STATES)[number]][event],
      'idle',
    )

  it.each<[StreamEvent[], string]>([
    [['recv H', 'recv ES', 'send H', 'send DATA', 'send ES'], 'closed'],
    [['recv H', 'send H', 'send ES', 'recv DATA', 'recv ES'], 'closed'],
    [['recv H', 'recv DATA', 'recv R'], 'closed'],
    [['send H', 'send ES', 'recv H', 'recv H'], 'half-closed (local)'],
    [['send H', 'recv H', 'recv ES', 'send DATA'], 'half-closed (remote)'],
  ])('%j ends %s', (events, state) => {
    expect(walk(...events)).toBe(state)
  })

  it('nothing leads out of closed, or back to idle', () => {
    for (const state of STREAM_STATES) {
      for (const next of Object.values(TRANSITIONS[state])) {
        expect(next).not.toBe('idle')
        if (state === 'closed' && typeof next === 'string') expect(next).toBe('closed')
      }
    }
  })
})
