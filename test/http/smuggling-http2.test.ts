import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HostRecogniser } from '../../src/gateway/host-recogniser.ts'
import { H1Error } from '../../src/http/h1/error.ts'
import { ErrorCode, H2Server } from '../../src/http/h2/index.ts'
import { requestHead } from '../../src/http/h2/request-head.ts'
import type { Field, RequestHead } from '../../src/http/message.ts'
import { concat, fromHex } from '../../src/wire/index.ts'
import {
  block,
  data,
  Flag,
  FrameType,
  frame,
  headers,
  limits,
  moved,
  PREFACE,
  SETTINGS,
  SETTINGS_ACK,
} from '../support/h2-frames.ts'

/*
 * The same as `smuggling.test.ts`, over HTTP/2 with prior knowledge. A frame says where it ends, so what can
 * be read in two ways is what a request says more than once: the host as :authority and as Host, the path as
 * such or with a host in it, the length of the content as Content-Length and in frames; and fields that would
 * be something else in HTTP/1. The gateway reads up to the first request, the container all of them, and each
 * container to which the connection moves reads on.
 */

/** One reading: the requests, and what became of the others. */
interface Reading {
  readonly requests: { head: RequestHead; body: string; whole: boolean }[]
  /**
   * The status for a head that is no head of ours, or the code of a stream that was reset, in their order.
   */
  readonly refused: (number | string)[]
  /** The code of the connection's end; undefined if it goes on. */
  ended: string | undefined
}

const nameOf = (code: number): string =>
  Object.entries(ErrorCode).find(([, value]) => value === code)?.[0] ?? String(code)

/** What a container reads. @param moving after each piece it is another container's */
function contained(pieces: readonly Uint8Array[], moving = false): Reading {
  const reading: Reading = { requests: [], refused: [], ended: undefined }
  const streams = new Map<number, Reading['requests'][number]>()
  let http = new H2Server(limits())
  for (const piece of pieces) {
    http.receive(piece)
    for (let event = http.next(); event !== undefined; event = http.next()) {
      if (event.type === 'request') {
        try {
          const one = { head: requestHead(event, 'http'), body: '', whole: event.endStream }
          reading.requests.push(one)
          streams.set(event.streamId, one)
          http.accept(event.streamId)
        } catch (error) {
          if (!(error instanceof H1Error)) throw error
          reading.refused.push(error.status)
          http.reply(event.streamId, { status: error.status })
        }
      } else if (event.type === 'data') {
        const one = streams.get(event.streamId)!
        one.body += new TextDecoder().decode(event.data)
        one.whole = event.endStream
      } else if (event.type === 'trailers') streams.get(event.streamId)!.whole = true
      else if (event.type === 'reset') reading.refused.push(nameOf(event.code))
      else if (event.type === 'error') reading.ended = nameOf(event.code)
    }
    if (moving && reading.ended === undefined) http = new H2Server(limits(), moved(http.export()))
  }
  return reading
}

/** What the gateway makes of the first bytes, given as they come. */
function routed(pieces: readonly Uint8Array[]): RequestHead | number | 'more' | 'reset' {
  const recogniser = new HostRecogniser()
  let all: Uint8Array = new Uint8Array()
  let kind: 'more' | 'reset' = 'more'
  for (const piece of pieces) {
    all = concat(all, piece)
    const first = recogniser.recognise(all)
    if (first.kind === 'request') return first.head
    if ('status' in first) return first.status
    if (first.kind === 'tls') return 400
    // The gateway turns it away then, unless what comes with it is a request.
    kind = first.kind === 'reset' ? 'reset' : 'more'
  }
  return kind
}

const GREETING = concat(PREFACE, SETTINGS, SETTINGS_ACK)
const halves = (input: Uint8Array, at: number) => [input.slice(0, at), input.slice(at)]
const single = (input: Uint8Array) => Array.from(input, byte => Uint8Array.of(byte))

/** Thousands of comparisons: expect() is slow, and shows what differs. */
function expectSame(one: unknown, other: unknown): void {
  if (!isDeepStrictEqual(one, other)) expect(one).toEqual(other)
}

/** All readers agree, whatever the pieces. @returns what they read, and where the gateway sends it */
function agreed(...frames: Uint8Array[]): Reading & { route: ReturnType<typeof routed> } {
  const input = concat(GREETING, ...frames)
  const reading = contained([input])
  const route = routed([input])
  const splits = Array.from({ length: input.length - PREFACE.length }, (_, at) =>
    halves(input, at + PREFACE.length),
  )
  for (const pieces of [single(input), ...splits]) {
    expectSame(contained(pieces), reading)
    expectSame(contained(pieces, true), reading)
    expectSame(routed(pieces), route)
  }
  checkRoute(route, reading)
  return { ...reading, route }
}

/** The gateway sends a connection where its first request belongs that a container serves, or nowhere. */
function checkRoute(route: ReturnType<typeof routed>, { requests, refused, ended }: Reading): void {
  if (typeof route === 'object') expect(route).toEqual(requests[0]?.head)
  else if (typeof route === 'number')
    expect(refused.some(one => typeof one === 'number') || ended !== undefined).toBe(true)
  else expect(requests).toEqual([])
}

const request = (
  changes: Readonly<Record<string, string | undefined>> = {},
  more: readonly Field[] = [],
): Field[] =>
  Object.entries({
    ':method': 'POST',
    ':scheme': 'http',
    ':authority': 'echo.local',
    ':path': '/',
    ...changes,
  })
    .filter((field): field is [string, string] => field[1] !== undefined)
    .concat(more as [string, string][])

/** Another request behind the first. */
const SECRET = headers(3, request({ ':method': 'GET', ':authority': 'resize.local', ':path': '/secret' }))
const raw = (fields: readonly Field[]) =>
  frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, block(fields))

describe('requests that are not served: the next one stands', () => {
  it.each<[string, Field[]]>([
    ['a Host that is not :authority', request({}, [['host', 'resize.local']])],
    ['a Host with a port where :authority has none', request({}, [['host', 'echo.local:80']])],
    [
      'two Hosts',
      request({ ':authority': undefined }, [
        ['host', 'echo.local'],
        ['host', 'resize.local'],
      ]),
    ],
    [
      'the same Host twice',
      request({}, [
        ['host', 'echo.local'],
        ['host', 'echo.local'],
      ]),
    ],
    ['an empty :authority beside a Host', request({ ':authority': '' }, [['host', 'resize.local']])],
    ['two :authority', [...request(), [':authority', 'resize.local']]],
    ['two :path', [...request(), [':path', '/resize']]],
    [
      ':authority behind a field',
      [...request({ ':authority': undefined }), ['x', 'y'], [':authority', 'echo.local']],
    ],
    [':authority with user information', request({ ':authority': 'echo.local@resize.local' })],
    [':authority with a path', request({ ':authority': 'echo.local/resize.local' })],
    [':authority with a line break', request({ ':authority': 'echo.local\r\nHost: resize.local' })],
    ['a :path with a host', request({ ':path': 'http://resize.local/' })],
    ['a :path with no slash', request({ ':path': 'resize' })],
    ['an empty :path', request({ ':path': '' })],
    ['a :path *, not for OPTIONS', request({ ':path': '*' })],
    ['a :path with a space', request({ ':path': '/ HTTP/1.1' })],
    ['a :path with a line break', request({ ':path': '/ HTTP/1.1\r\nHost: resize.local\r\n\r\n' })],
    ['a :path with a fragment', request({ ':path': '/#resize' })],
    [
      'a :method with a line break',
      request({ ':method': 'GET / HTTP/1.1\r\nHost: resize.local\r\n\r\nGET' }),
    ],
    ['a :method with a space', request({ ':method': 'GET /resize' })],
    ['a :scheme with a colon', request({ ':scheme': 'http://resize.local/?' })],
    ['a :status', request({ ':status': '200' })],
    ['a pseudo-header of our own', request({ ':function': 'resize' })],
    ['Transfer-Encoding', request({}, [['transfer-encoding', 'chunked']])],
    ['Connection', request({}, [['connection', 'host']])],
    ['Upgrade', request({}, [['upgrade', 'h2c']])],
    ['Keep-Alive', request({}, [['keep-alive', 'timeout=5']])],
    ['TE that is not trailers', request({}, [['te', 'chunked']])],
    ['a name in capitals', request({}, [['Host', 'resize.local']])],
    ['a name with a space', request({}, [['host ', 'resize.local']])],
    ['a name with a colon', request({}, [['x: y\r\nhost', 'resize.local']])],
    ['an empty name', request({}, [['', 'resize.local']])],
    ['a value with a line break', request({}, [['x', 'y\r\nhost: resize.local']])],
    ['a value with CR', request({}, [['x', 'y\rhost: resize.local']])],
    ['a value with NUL', request({}, [['x', 'y\0z']])],
    ['a value with a space before it', request({}, [['host', ' echo.local']])],
    [
      'two Content-Lengths',
      request({}, [
        ['content-length', '0'],
        ['content-length', '3'],
      ]),
    ],
    ['Content-Length as a list', request({}, [['content-length', '0, 0']])],
    ['Content-Length with a sign', request({}, [['content-length', '+0']])],
    ['Content-Length without content', request({}, [['content-length', '3']])],
    [':protocol without CONNECT', request({ ':method': 'GET', ':protocol': 'websocket' })],
  ])('%s', (_, fields) => {
    const { requests, ended, route } = agreed(raw(fields), SECRET)
    expect(requests.map(({ head }) => [head.host, head.path])).toEqual([['resize.local', '/secret']])
    expect(ended).toBeUndefined()
    expect(route).toMatchObject({ host: 'resize.local', path: '/secret' })
  })

  it.each<[string, Field[], number]>([
    ['a backslash in the path', request({ ':path': '/\\resize' }), 400],
    ['an authority that is no host', request({ ':authority': '[' }), 400],
    ['the scheme of TLS', request({ ':scheme': 'https' }), 421],
    ['the scheme of another protocol', request({ ':scheme': 'ftp' }), 400],
    ['an expectation of something else', request({}, [['expect', '200-ok']]), 417],
    ['CONNECT', request({ ':method': 'CONNECT', ':scheme': undefined, ':path': undefined }), 501],
    ['CONNECT for something else', request({ ':method': 'CONNECT', ':protocol': 'connect-udp' }), 501],
  ])('answered with a status: %s', (_, fields, status) => {
    const { requests, refused, route } = agreed(
      headers(1, fields, !fields.some(([, value]) => value === 'CONNECT')),
      SECRET,
    )
    expect([requests.length, refused, route]).toEqual([1, [status], status])
  })

  it.each([
    ['more content than Content-Length says', [['content-length', '3']], data(1, 'GET / HTTP/1.1', true)],
    ['less', [['content-length', '30']], data(1, 'GET / HTTP/1.1', true)],
    ['Content-Length, and trailers that end it early', [['content-length', '3']], headers(1, [['x', 'y']])],
    ['a Host in the trailers that is a pseudo-header', [], headers(1, [[':authority', 'resize.local']])],
    ['Transfer-Encoding in the trailers', [], headers(1, [['transfer-encoding', 'chunked']])],
  ] as [string, Field[], Uint8Array][])('begun, and broken off: %s', (_, more, rest) => {
    const { requests, refused, ended } = agreed(headers(1, request({}, more), false), rest, SECRET)
    expect(requests.map(({ head, whole }) => [head.host, whole])).toEqual([
      ['echo.local', false],
      ['resize.local', true],
    ])
    expect([refused, ended]).toEqual([['PROTOCOL_ERROR'], undefined])
  })
})

describe('what only looks like a trick is read in one way', () => {
  it.each<[string, Field[], Partial<RequestHead>]>([
    ['Host without :authority', request({ ':authority': undefined }, [['host', 'echo.local']]), {}],
    ['Host beside the same :authority', request({}, [['host', 'ECHO.local']]), {}],
    ['capitals and a port', request({ ':authority': 'Echo.LOCAL:8080' }), {}],
    ['neither: for the default function', request({ ':authority': undefined }), { host: undefined }],
    ['a path with two slashes', request({ ':path': '//resize.local/' }), { path: '//resize.local/' }],
    [
      'a path with a host as its query',
      request({ ':path': '/?http://resize.local/' }),
      { query: 'http://resize.local/' },
    ],
    ['dots in the path', request({ ':path': '/x/../resize' }), { path: '/x/../resize' }],
    ['slashes in other spelling', request({ ':path': '/%2fresize' }), { path: '/%2fresize' }],
    [
      'a field that names a host',
      request({}, [
        ['x-forwarded-host', 'resize.local'],
        ['forwarded', 'host=resize.local'],
      ]),
      {},
    ],
    ['TE: trailers', request({}, [['te', 'trailers']]), {}],
    ['OPTIONS *', request({ ':method': 'OPTIONS', ':path': '*' }), { path: '*' }],
    ['a WebSocket', request({ ':method': 'CONNECT', ':protocol': 'websocket' }), { method: 'GET' }],
  ])('%s', (_, fields, expected) => {
    const tunnel = fields.some(([name]) => name === ':protocol')
    const { requests, refused, route } = agreed(headers(1, fields, !tunnel), SECRET)
    expect(refused).toEqual([])
    const head = { host: 'echo.local', path: '/', ...expected }
    expect(requests.map(one => one.head)).toMatchObject([head, { host: 'resize.local', path: '/secret' }])
    expect(route).toMatchObject(head)
  })

  it('requests side by side keep their content apart', () => {
    const { requests } = agreed(
      headers(1, request(), false),
      headers(3, request({ ':authority': 'resize.local' }), false),
      data(3, 'GET /secret HTTP/1.1\r\n'),
      data(1, 'one'),
      data(3, '\r\n', true),
      data(1, '', true),
    )
    expect(requests.map(({ body, whole }) => [body, whole])).toEqual([
      ['one', true],
      ['GET /secret HTTP/1.1\r\n\r\n', true],
    ])
  })

  it('HTTP/1 behind the preface, or the preface behind HTTP/1, is no request', () => {
    const text = (value: string) => new TextEncoder().encode(value)
    expect(agreed(text('GET /secret HTTP/1.1\r\nHost: resize.local\r\n\r\n'))).toMatchObject({
      requests: [],
      ended: 'FRAME_SIZE_ERROR',
      route: 400,
    })
    expect(routed([concat(text('\r\n'), GREETING, SECRET)])).toBe(505)
    // The first stream of an upgrade to h2c is not there: an upgrade is not granted.
    expect(agreed(data(1, 'x', true))).toMatchObject({ requests: [], ended: 'PROTOCOL_ERROR' })
  })

  it('a block that names another table entry than it seems ends the connection', () => {
    expect(
      agreed(frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, fromHex('fe')), SECRET),
    ).toMatchObject({
      requests: [],
      ended: 'COMPRESSION_ERROR',
    })
  })
})

/** Fields, right and wrong, of which requests are put together. */
const FIELDS: readonly Field[] = [
  [':method', 'GET'],
  [':method', 'CONNECT'],
  [':scheme', 'http'],
  [':authority', 'echo.local'],
  [':authority', 'resize.local:80'],
  [':authority', ''],
  [':path', '/'],
  [':path', '/resize?x'],
  [':path', 'http://resize.local/'],
  [':protocol', 'websocket'],
  ['host', 'echo.local'],
  ['host', 'resize.local'],
  ['content-length', '3'],
  ['cookie', 'a=b'],
  ['connection', 'close'],
  ['x', '\r\n'],
]

describe('anything', () => {
  const WHOLE = request({ ':method': 'GET' })
  const list = fc.oneof(
    fc.array(fc.constantFrom(...FIELDS), { maxLength: 7 }),
    fc.array(fc.constantFrom(...FIELDS.slice(9)), { maxLength: 2 }).map(more => [...WHOLE, ...more]),
  )
  const piece = fc.oneof(
    fc.record({ kind: fc.constant('headers' as const), list, end: fc.boolean() }),
    fc.record({
      kind: fc.constant('data' as const),
      back: fc.nat(2),
      text: fc.constantFrom('', 'abc', 'GET / HTTP/1.1'),
      end: fc.boolean(),
    }),
  )

  it('is read in one way by all, in any pieces', () => {
    let served = 0
    let refusedOnes = 0
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 6 }),
        fc.infiniteStream(fc.nat(60)),
        (all, cuts) => {
          let id = -1
          const frames = all.map(one => {
            if (one.kind === 'headers') id += 2
            if (one.kind === 'headers') return headers(id, one.list, one.end)
            return data(Math.max(1, id - 2 * one.back), one.text, one.end)
          })
          const input = concat(GREETING, ...frames)
          const pieces: Uint8Array[] = []
          for (let at = 0; at < input.length; ) {
            const length = 1 + cuts.next().value
            pieces.push(input.slice(at, at + length))
            at += length
          }
          const reading = contained([input])
          served += reading.requests.length
          refusedOnes += all.filter(one => one.kind === 'headers').length - reading.requests.length
          expect(contained(pieces)).toEqual(reading)
          expect(contained(pieces, true)).toEqual(reading)
          expect(contained(single(input))).toEqual(reading)
          expect(routed(pieces)).toEqual(routed([input]))
          checkRoute(routed(pieces), reading)
        },
      ),
      { numRuns: process.env.HOTPOTATO_LONG ? 5000 : 150 },
    )
    // Both kinds must occur, or this would show nothing.
    expect(Math.min(served, refusedOnes)).toBeGreaterThan(20)
  })
})
