import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HostRecogniser } from '../../src/gateway/host-recogniser.ts'
import { DEFAULT_LIMITS, H1Server, h1State } from '../../src/http/h1/index.ts'
import type { RequestHead } from '../../src/http/message.ts'
import { concat, decode, EMPTY, encode } from '../../src/wire/index.ts'
import { bytes, NOW, text } from '../support/h1-messages.ts'

/*
 * Request smuggling is two readings of one byte stream. There are several readers here: the gateway, which
 * looks at the beginning and chooses a container; that container; and every container to which the connection
 * moves on. Whatever a client sends, and in whatever pieces, they must see the same requests in the same
 * bytes, or none.
 */

const LIMITS = { ...DEFAULT_LIMITS, headBytes: 2048 }

/** One reading: the requests with their content, and how it ended. */
interface Reading {
  readonly requests: { head: RequestHead; body: string; trailers: string; whole: boolean }[]
  /** The status of the answer to what cannot be understood; undefined if everything was, so far. */
  refused: number | undefined
  /** Bytes that belong to no whole request yet; -1 if nothing more is read. */
  readonly left: number
}

/** What a container reads. @param moving at each request it leaves, as bytes, for another container */
function contained(pieces: readonly Uint8Array[], moving = false): Reading {
  const requests: Reading['requests'] = []
  let refused: number | undefined
  let http = new H1Server(LIMITS, undefined, 'http')
  for (const piece of pieces) {
    http.receive(piece)
    for (let event = http.next(); event !== undefined; event = http.next()) {
      if (event.type === 'request') {
        if (moving) {
          http = new H1Server(LIMITS, decode(h1State, encode(h1State, http.export())), 'http')
          if (http.next()?.type !== 'request') throw new Error('the request was lost on the way')
        }
        http.accept()
        requests.push({ head: event.head, body: '', trailers: '', whole: false })
      } else if (event.type === 'body') requests.at(-1)!.body += text(event.data)
      else if (event.type === 'end') {
        const last = requests.at(-1)!
        last.trailers = JSON.stringify(event.trailers)
        last.whole = true
        http.reply({ status: 200 }, NOW)
      } else {
        refused = event.status
        if (event.answerable) http.reply({ status: event.status }, NOW)
      }
    }
  }
  return { requests, refused, left: refused === undefined && !http.shouldClose ? http.buffered : -1 }
}

/** What the gateway makes of the first bytes, given as they come. */
function routed(pieces: readonly Uint8Array[]): { head: RequestHead } | { refused: number } | 'more' | 'tls' {
  const recogniser = new HostRecogniser(LIMITS)
  let all: Uint8Array = EMPTY
  for (const piece of pieces) {
    all = concat(all, piece)
    const first = recogniser.recognise(all)
    if (first.kind === 'request') return { head: first.head }
    if (first.kind === 'tls') return 'tls'
    if ('status' in first) return { refused: first.status }
  }
  return 'more'
}

function halves(input: Uint8Array, at: number): Uint8Array[] {
  return [input.slice(0, at), input.slice(at)]
}

function single(input: Uint8Array): Uint8Array[] {
  return Array.from(input, byte => Uint8Array.of(byte))
}

/** All readers agree, whatever the pieces. @returns what they read */
function agreed(input: Uint8Array): Reading {
  const reading = contained([input])
  const route = routed([input])
  const splits = [single(input), ...Array.from({ length: input.length + 1 }, (_, at) => halves(input, at))]
  for (const pieces of splits) {
    expect(contained(pieces)).toEqual(reading)
    expect(contained(pieces, true)).toEqual(reading)
    expect(routed(pieces)).toEqual(route)
  }
  checkRoute(route, reading)
  return reading
}

/** What the gateway routes is what the container serves. */
function checkRoute(route: ReturnType<typeof routed>, { requests, refused }: Reading): void {
  if (route === 'tls') expect([requests, refused]).toEqual([[], 400])
  else if (route === 'more') expect([requests, refused]).toEqual([[], undefined])
  else if ('head' in route) expect(requests[0]?.head).toEqual(route.head)
  else expect([requests, refused]).toEqual([[], route.refused])
}

const HOST = 'Host: echo.local\r\n'
/** What an attacker wants another client to send. */
const SECRET = 'GET /secret HTTP/1.1\r\nHost: resize.local\r\n\r\n'
const post = (fields: string, rest: string): string => `POST / HTTP/1.1\r\n${HOST}${fields}\r\n${rest}`
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body)

describe('tricks that are refused before anything of the second request is read', () => {
  it.each([
    ['CL.TE', post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SECRET}`), 400],
    [
      'TE.CL',
      post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', `5c\r\n${SECRET}\r\n0\r\n\r\n`),
      400,
    ],
    ['CL.CL', post('Content-Length: 0\r\nContent-Length: 44\r\n', SECRET), 400],
    ['CL.CL, equal', post('Content-Length: 44\r\nContent-Length: 44\r\n', SECRET), 400],
    ['CL as a list', post('Content-Length: 0, 44\r\n', SECRET), 400],
    ['CL with a sign', post('Content-Length: +44\r\n', SECRET), 400],
    ['CL with a unit', post('Content-Length: 44 bytes\r\n', SECRET), 400],
    ['CL in hexadecimal', post('Content-Length: 0x2c\r\n', SECRET), 400],
    ['CL with a vertical tab', post('Content-Length: \x0b44\r\n', SECRET), 400],
    ['CL with an underscore of digits', post('Content-Length: 4_4\r\n', SECRET), 400],
    ['CL, empty', post('Content-Length:\r\n', SECRET), 400],
    ['a space before the colon of CL', post('Content-Length : 44\r\n', SECRET), 400],
    ['a tab before the colon of TE', post('Transfer-Encoding\t: chunked\r\n', `0\r\n\r\n${SECRET}`), 400],
    ['TE with a vertical tab', post('Transfer-Encoding: \x0bchunked\r\n', `0\r\n\r\n${SECRET}`), 400],
    ['TE with NUL', post('Transfer-Encoding: chunked\0\r\n', `0\r\n\r\n${SECRET}`), 400],
    ['TE with obs-text', post('Transfer-Encoding: chunked\xa0\r\n', `0\r\n\r\n${SECRET}`), 501],
    ['TE of a quoted coding', post('Transfer-Encoding: "chunked"\r\n', `0\r\n\r\n${SECRET}`), 501],
    [
      'TE: identity beside chunked',
      post('Transfer-Encoding: identity, chunked\r\n', `0\r\n\r\n${SECRET}`),
      501,
    ],
    [
      'TE twice, the second unknown',
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n', SECRET),
      501,
    ],
    ['TE: chunked, chunked', post('Transfer-Encoding: chunked, chunked\r\n', `0\r\n\r\n${SECRET}`), 400],
    ['TE ends in a comma', post('Transfer-Encoding: chunked,\r\n', `0\r\n\r\n${SECRET}`), 400],
    ['TE over HTTP/1.0', `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SECRET}`, 400],
    ['TE folded', post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${SECRET}`), 400],
    ['CL folded into another field', post('X: y\r\n Content-Length: 44\r\n', SECRET), 400],
    ['a field line behind a bare LF', post('X: y\nContent-Length: 44\r\n', SECRET), 400],
    ['a field line behind a bare CR', post('X: y\rContent-Length: 44\r\n', SECRET), 400],
    ['a head that ends in bare LFs', `GET / HTTP/1.1\n${HOST.trim()}\n\n${SECRET}`, 400],
    ['a field before the first line break', `GET / HTTP/1.1\r\n X: y\r\n${HOST}\r\n${SECRET}`, 400],
    ['two hosts', `GET / HTTP/1.1\r\n${HOST}Host: resize.local\r\n\r\n${SECRET}`, 400],
    ['two hosts, one folded', `GET / HTTP/1.1\r\n${HOST}X: y\r\n Host: resize.local\r\n\r\n`, 400],
    ['a list of hosts', `GET / HTTP/1.1\r\nHost: echo.local, resize.local\r\n\r\n`, 400],
    ['a host with user information', `GET / HTTP/1.1\r\nHost: echo.local@resize.local\r\n\r\n`, 400],
    ['a host with a path', `GET / HTTP/1.1\r\nHost: echo.local/resize.local\r\n\r\n`, 400],
    ['a host with a backslash', `GET / HTTP/1.1\r\nHost: echo.local\\resize.local\r\n\r\n`, 400],
    ['a target with user information', `GET http://echo.local@resize.local/ HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a target with a backslash', `GET http://echo.local\\resize.local/ HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a target with a fragment', `GET http://echo.local#resize.local HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a space in the target', `GET / HTTP/1.1 /x HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a bare CR in the request line', `GET /\rx HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a target with the scheme of TLS', `GET https://echo.local/ HTTP/1.1\r\n${HOST}\r\n`, 421],
    ['a target with the scheme of another protocol', `GET ftp://echo.local/ HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a TLS record', '\x16\x03\x01\x00\x05hello', 400],
    ['CONNECT', 'CONNECT resize.local:80 HTTP/1.1\r\nHost: resize.local:80\r\n\r\n', 501],
  ])('%s', (_, input, status) => {
    const { requests, refused } = agreed(bytes(input))
    expect([requests, refused]).toEqual([[], status])
  })
})

describe('tricks inside of content: the first request stands, what follows is refused with it', () => {
  it.each([
    ['a chunk longer than its size', chunked(`1\r\nab\r\n0\r\n\r\n${SECRET}`), 400],
    ['a chunk that ends in LF', chunked(`1\r\na\n0\r\n\r\n${SECRET}`), 400],
    ['a chunk that ends in two other bytes', chunked(`1\r\nazz0\r\n\r\n${SECRET}`), 400],
    ['a size line that ends in LF', chunked(`1\na\r\n0\r\n\r\n${SECRET}`), 400],
    ['a size line that ends in CR', chunked(`1\ra\r\n0\r\n\r\n${SECRET}`), 400],
    ['a size with 0x', chunked(`0x1\r\na\r\n0\r\n\r\n${SECRET}`), 400],
    ['a size with a sign', chunked(`-1\r\na\r\n0\r\n\r\n${SECRET}`), 400],
    ['a size with an underscore', chunked(`1_0\r\na\r\n0\r\n\r\n${SECRET}`), 400],
    ['a size of 2^64 + 1', chunked(`10000000000000001\r\na\r\n0\r\n\r\n${SECRET}`), 413],
    ['a size behind a space', chunked(` 1\r\na\r\n0\r\n\r\n${SECRET}`), 400],
    ['a size before a space', chunked(`1 \r\na\r\n0\r\n\r\n${SECRET}`), 400],
    ['TERM.EXT: an extension with LF', chunked(`1;\na\r\n0\r\n\r\n${SECRET}`), 400],
    ['EXT.TERM: an extension with CR', chunked(`1;\ra\r\n0\r\n\r\n${SECRET}`), 400],
    [
      'an extension in a quoted string with a line break',
      chunked(`1;a="\r\nx"\r\na\r\n0\r\n\r\n${SECRET}`),
      400,
    ],
    ['a last chunk that ends in LF', chunked(`0\n\r\n${SECRET}`), 400],
    ['trailers that end in LF', chunked(`0\r\n\n${SECRET}`), 400],
    ['a trailer that folds', chunked(`0\r\nA: b\r\n c\r\n\r\n${SECRET}`), 400],
    ['Content-Length as a trailer', chunked(`0\r\nContent-Length: 44\r\n\r\n${SECRET}`), 400],
    ['Transfer-Encoding as a trailer', chunked(`0\r\nTransfer-Encoding: chunked\r\n\r\n${SECRET}`), 400],
    ['Host as a trailer', chunked(`0\r\nHost: resize.local\r\n\r\n${SECRET}`), 400],
    ['no size at all', chunked(`\r\n\r\n${SECRET}`), 400],
  ])('%s', (_, input, status) => {
    const { requests, refused } = agreed(bytes(input))
    expect(requests.map(one => [one.head.host, one.head.path, one.whole])).toEqual([
      ['echo.local', '/', false],
    ])
    expect(refused).toBe(status)
  })
})

describe('what only looks like a trick is read in one way', () => {
  it.each([
    ['a request inside of content', post(`Content-Length: ${SECRET.length}\r\n`, SECRET), 1],
    ['a request inside of a chunk', chunked(`${SECRET.length.toString(16)}\r\n${SECRET}\r\n0\r\n\r\n`), 1],
    ['two requests', `${post('Content-Length: 3\r\n', 'abc')}${SECRET}`, 2],
    ['two requests with an empty line between', `${post('Content-Length: 3\r\n', 'abc')}\r\n${SECRET}`, 2],
    ['a length with zeros before it', `${post('Content-Length: 0003\r\n', 'abc')}${SECRET}`, 2],
    ['a GET with content', `GET / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc${SECRET}`, 2],
    [
      'a GET that says chunked',
      `GET / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SECRET}`,
      2,
    ],
    ['HEAD with content', `HEAD / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc${SECRET}`, 2],
    ['a POST without any length', `${post('', '')}${SECRET}`, 2],
    ['a name with an underscore', `${post('Transfer_Encoding: chunked\r\n', '')}${SECRET}`, 2],
    ['a name that only begins so', `${post('Transfer-Encoding-X: chunked\r\n', '')}${SECRET}`, 2],
    [
      'Connection that names Content-Length',
      `${post('Connection: content-length\r\nContent-Length: 3\r\n', 'abc')}${SECRET}`,
      2,
    ],
    ['Connection that names Host', `${post('Connection: host\r\n', '')}${SECRET}`, 2],
    [
      'an upgrade to h2c that is not granted',
      `${post('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n', '')}${SECRET}`,
      2,
    ],
    [
      'an expectation with content at once',
      `${post('Expect: 100-continue\r\nContent-Length: 3\r\n', 'abc')}${SECRET}`,
      2,
    ],
    [
      'chunked in capitals, with spaces',
      `${post('Transfer-Encoding: \t CHUNKED \r\n', '0\r\n\r\n')}${SECRET}`,
      2,
    ],
    ['zeros before a size', `${chunked('0003\r\nabc\r\n000\r\n\r\n')}${SECRET}`, 2],
    ['extensions that hold a size', `${chunked('3;ff\r\nabc\r\n0;3="\\"5"\r\n\r\n')}${SECRET}`, 2],
    [
      'an absolute target that is not Host',
      `GET http://echo.local/ HTTP/1.1\r\nHost: resize.local\r\n\r\n${SECRET}`,
      2,
    ],
    ['HTTP/1.0 with keep-alive', `GET / HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n${SECRET}`, 2],
    ['HTTP/1.0 without: what follows is no request', `GET / HTTP/1.0\r\n${HOST}\r\n${SECRET}`, 1],
    ['close: what follows is no request', `${post('Connection: close\r\n', '')}${SECRET}`, 1],
  ])('%s', (_, input, count) => {
    const { requests, refused } = agreed(bytes(input))
    expect(refused).toBeUndefined()
    expect(requests.map(one => one.whole)).toEqual(Array(count).fill(true))
    expect([requests[0]!.head.host, requests[0]!.head.path]).toEqual(['echo.local', '/'])
    if (count === 2) expect(requests[1]!.head).toMatchObject({ host: 'resize.local', path: '/secret' })
  })
})

/** Bits of messages, right and wrong, out of which whole ones are put together. */
const BITS = [
  ...['GET / HTTP/1.1\r\n', 'POST /a HTTP/1.1\r\n', 'GET http://b.local/ HTTP/1.1\r\n', 'GET / HTTP/1.0\r\n'],
  ...['Host: echo.local\r\n', 'Host: resize.local\r\n', 'host:c\r\n'],
  ...[
    'Content-Length: 3\r\n',
    'Content-Length: 0\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Expect: 100-continue\r\n',
  ],
  ...[
    'Connection: close\r\n',
    'Connection: keep-alive\r\n',
    'X: y\r\n',
    '\r\n',
    '\r\n',
    '\r\n',
    'abc',
    '3\r\nabc\r\n',
  ],
  ...['0\r\n\r\n', '0\r\n', '3;a=b\r\n', '\n', '\r', ' ', '\t', ':', '\0', '\x16', SECRET],
]

describe('anything', () => {
  const runs = { numRuns: process.env.HOTPOTATO_LONG ? 5000 : 300 }
  const input = fc
    .array(fc.constantFrom(...BITS), { minLength: 1, maxLength: 14 })
    .map(parts => bytes(parts.join('').slice(0, 400)))
  const begun = fc
    .tuple(fc.constantFrom('', `GET / HTTP/1.1\r\n${HOST}`, `POST / HTTP/1.1\r\n${HOST}`, chunked('')), input)
    .map(([start, rest]) => concat(bytes(start), rest))

  it('is read in one way by all, in any pieces', () => {
    let refusedOnes = 0
    let served = 0
    fc.assert(
      fc.property(begun, fc.infiniteStream(fc.nat(40)), (message, cuts) => {
        const pieces: Uint8Array[] = []
        for (let at = 0; at < message.length; ) {
          const length = 1 + cuts.next().value
          pieces.push(message.slice(at, at + length))
          at += length
        }
        const reading = contained([message])
        if (reading.refused !== undefined) refusedOnes++
        served += reading.requests.length
        expect(contained(pieces)).toEqual(reading)
        expect(contained(pieces, true)).toEqual(reading)
        expect(contained(single(message))).toEqual(reading)
        checkRoute(routed(pieces), reading)
        expect(routed(pieces)).toEqual(routed([message]))
      }),
      runs,
    )
    // Both kinds must occur, or this would show nothing.
    expect(Math.min(refusedOnes, served)).toBeGreaterThan(20)
  })
})
