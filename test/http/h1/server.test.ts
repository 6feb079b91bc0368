import { describe, expect, it } from 'vitest'
import { type H1Event, H1Server, h1State, type ResponseHead } from '../../../src/http/h1/index.ts'
import { concat, decode, encode } from '../../../src/wire/index.ts'
import { bytes, conversation, DATE, limits, NOW, text } from '../../support/h1-messages.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

/** A server that has taken the first request of the input. */
function accepted(input: string, changed?: Parameters<typeof limits>[0]): H1Server {
  const server = new H1Server(limits(changed))
  server.receive(bytes(input))
  expect(server.next()?.type).toBe('request')
  server.accept()
  return server
}

function all(server: H1Server): H1Event[] {
  const events: H1Event[] = []
  for (let event = server.next(); event !== undefined; event = server.next()) events.push(event)
  return events
}

const head = (changed: Partial<ResponseHead> = {}): ResponseHead => ({
  status: 200,
  headers: [],
  length: 0,
  ...changed,
})

describe('taking requests', () => {
  it('an announced request is not consumed, and is announced once', () => {
    const server = new H1Server()
    server.receive(bytes(GET))
    expect(server.next()).toMatchObject({ type: 'request', head: { method: 'GET' }, bodyLength: 0 })
    expect(server.next()).toBeUndefined()
    expect(server.buffered).toBe(GET.length)
    expect(server.idle).toBe(true)
    server.accept()
    expect(server.buffered).toBe(0)
    expect(server.idle).toBe(false)
    expect(all(server)).toEqual([{ type: 'end', trailers: [] }])
  })

  it('the next request waits for the end of the response', () => {
    const server = accepted(GET + GET.replace('/', '/2'))
    expect(all(server)).toEqual([{ type: 'end', trailers: [] }])
    server.respond(head({ length: 2 }), NOW)
    expect(server.next()).toBeUndefined()
    server.write(bytes('ok'))
    expect(server.next()).toBeUndefined()
    server.end()
    expect(server.next()).toMatchObject({ type: 'request', head: { target: '/2' } })
    expect(server.requestsServed).toBe(1)
  })

  it('a response before the request was looked at goes straight to the next one', () => {
    const server = accepted(GET + GET)
    server.reply({ status: 200 }, NOW)
    expect(server.idle).toBe(true)
    expect(server.next()?.type).toBe('request')
  })

  it('borrowed bytes may be overwritten once next() had nothing more', () => {
    const server = new H1Server()
    const piece = bytes('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc')
    server.receive(piece)
    server.next()
    server.accept()
    const first = server.next()
    expect(server.next()).toBeUndefined()
    piece.fill(0x78)
    expect(first).toEqual({ type: 'body', data: bytes('abc') })
    const half = bytes('GET / HT')
    const other = new H1Server()
    other.receive(half)
    expect(other.next()).toBeUndefined()
    half.fill(0)
    other.receive(bytes('TP/1.1\r\nHost: a\r\n\r\n'))
    expect(other.next()?.type).toBe('request')
  })

  it('content is plain memory even if a Buffer came in', () => {
    const server = new H1Server()
    server.receive(Buffer.from('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET'))
    server.next()
    server.accept()
    const event = server.next()
    expect(event?.type === 'body' && Object.getPrototypeOf(event.data)).toBe(Uint8Array.prototype)
    server.next()
    server.reply({ status: 200 }, NOW)
    expect(Object.getPrototypeOf(server.export().inbound)).toBe(Uint8Array.prototype)
  })

  it('misuse is an Error, not an event', () => {
    const server = new H1Server()
    expect(() => server.accept()).toThrow('no request has been announced')
    expect(() => server.reply({ status: 200 }, NOW)).toThrow('no request waits')
    expect(() => server.write(bytes('a'))).toThrow('no response has been begun')
    expect(() => server.end()).toThrow('no response has been begun')
    server.receive(bytes(GET))
    server.next()
    expect(() => server.reply({ status: 200 }, NOW)).toThrow('no request waits')
    server.accept()
    expect(() => server.accept()).toThrow('no request has been announced')
    server.respond(head({ length: 1 }), NOW)
    expect(() => server.respond(head(), NOW)).toThrow('no request waits')
  })
})

describe('responses', () => {
  it('a whole response is one piece', () => {
    const server = accepted(GET)
    const sent = server.reply({ status: 200, headers: [['Content-Type', 'text/plain']], body: 'hällo' }, NOW)
    expect(text(sent)).toBe(
      `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n${DATE}\r\nh\xc3\xa4llo`,
    )
    expect(server.shouldClose).toBe(false)
  })

  it('an unknown length is chunked on 1.1', () => {
    const server = accepted(GET)
    expect(text(server.respond(head({ length: undefined }), NOW))).toBe(
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${DATE}\r\n`,
    )
    expect(text(concat(...server.write(bytes('0123456789abcdef'))))).toBe('10\r\n0123456789abcdef\r\n')
    expect(server.write(new Uint8Array(0))).toEqual([])
    expect(text(server.end())).toBe('0\r\n\r\n')
    expect(server.idle).toBe(true)
  })

  it('an unknown length ends with the connection on 1.0', () => {
    const server = accepted('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    expect(text(server.respond(head({ length: undefined }), NOW))).toBe(
      `HTTP/1.1 200 OK\r\n${DATE}Connection: close\r\n\r\n`,
    )
    expect(text(concat(...server.write(bytes('abc'))))).toBe('abc')
    expect(server.end().length).toBe(0)
    expect(server.shouldClose).toBe(true)
  })

  it.each([
    ['GET / HTTP/1.0\r\n\r\n', 'Connection: close\r\n', true],
    ['GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n', 'Connection: keep-alive\r\n', false],
    ['GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n', 'Connection: close\r\n', true],
    ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', '', false],
    ['GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n', 'Connection: close\r\n', true],
    ['GET / HTTP/1.1\r\nHost: a\r\nConnection: te , close\r\n\r\n', 'Connection: close\r\n', true],
    [
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: te\r\nConnection: close\r\n\r\n',
      'Connection: close\r\n',
      true,
    ],
    ['GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n', '', false],
  ])('persistence of %j', (request, field, close) => {
    const server = accepted(request + GET)
    expect(text(server.reply({ status: 200 }, NOW))).toBe(
      `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${DATE}${field}\r\n`,
    )
    expect(server.shouldClose).toBe(close)
    expect(server.next()?.type).toBe(close ? undefined : 'request')
  })

  it('the last request that is allowed says so', () => {
    const { sent, server, events } = conversation(bytes(GET.repeat(4)), { requests: 3 })
    expect(events.filter(event => event.type === 'request')).toHaveLength(3)
    expect(sent.match(/Connection: close/g)).toHaveLength(1)
    expect(sent.endsWith('Connection: close\r\n\r\nok')).toBe(true)
    expect(server.shouldClose).toBe(true)
    expect(server.buffered).toBe(0)
  })

  it("the function's own fields", () => {
    const server = accepted(GET)
    const headers = [
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'keep-alive'],
      ['Transfer-Encoding', 'gzip'],
      ['Upgrade', 'h2c'],
      ['Trailer', 'x'],
      ['Content-Length', '2'],
      ['date', 'then'],
      ['Connection', 'foo, Close'],
      ['X', '\xe4'],
    ] as const
    expect(text(server.reply({ status: 299, headers, body: 'ok' }, NOW))).toBe(
      'HTTP/1.1 299 \r\ndate: then\r\nX: \xe4\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
    )
    expect(server.shouldClose).toBe(true)
  })

  it.each([
    ['a status below 200', head({ status: 101 })],
    ['a status that is no integer', head({ status: 200.5 })],
    ['a status above 999', head({ status: 1000 })],
    ['a name that is no token', head({ headers: [['a b', 'c']] })],
    ['an empty name', head({ headers: [['', 'c']] })],
    ['a value with CRLF', head({ headers: [['a', 'b\r\nc: d']] })],
    ['a value with NUL', head({ headers: [['a', '\0']] })],
    ['a value that ends in LF', head({ headers: [['a', 'b\n']] })],
    ['a value beyond ISO 8859-1', head({ headers: [['a', '\u0100']] })],
    ['a name with LF at its end', head({ headers: [['a\n', 'b']] })],
    ['a Content-Length that is wrong', head({ headers: [['content-length', '1']] })],
    ['a Content-Length that is none', head({ headers: [['content-length', 'a']], length: undefined })],
    ['a negative length', head({ length: -1 })],
    ['205 with content', head({ status: 205, length: 1 })],
  ])('%s is refused, and another head may be tried', (_, bad) => {
    const server = accepted(GET)
    expect(() => server.respond(bad, NOW)).toThrow(TypeError)
    expect(text(server.reply({ status: 500 }, NOW))).toMatch(/^HTTP\/1\.1 500 Internal Server Error\r\n/)
    expect(server.shouldClose).toBe(false)
  })

  it('content and Content-Length must agree', () => {
    const server = accepted(GET + GET)
    server.respond(head({ length: undefined, headers: [['Content-Length', '3']] }), NOW)
    expect(() => server.write(bytes('abcd'))).toThrow(RangeError)
    expect(server.write(bytes('ab'))).toEqual([bytes('ab')])
    expect(() => server.write(bytes('cd'))).toThrow(RangeError)
    expect(() => server.end()).toThrow(RangeError)
    expect(server.shouldClose).toBe(true)
    expect(server.next()).toBeUndefined()
  })

  it.each([
    ['HEAD', head({ length: 5 }), 'Content-Length: 5\r\n'],
    ['HEAD', head({ length: undefined }), ''],
    ['HEAD', head({ headers: [['content-length', '7']] }), 'Content-Length: 7\r\n'],
    ['GET', head({ status: 204, length: 5 }), ''],
    ['GET', head({ status: 304, length: 0 }), ''],
    ['GET', head({ status: 304, headers: [['content-length', '7']] }), 'Content-Length: 7\r\n'],
  ])('%s with %j carries no content', (method, response, field) => {
    const server = accepted(GET.replace('GET', method))
    const sent = text(server.respond(response, NOW))
    expect(sent.slice(sent.indexOf('\r\n') + 2)).toBe(`${field}${DATE}\r\n`)
    expect(server.write(bytes('hello'))).toEqual([])
    expect(server.end().length).toBe(0)
    expect(server.idle).toBe(true)
  })

  it('reply() to HEAD gives the length and no content', () => {
    const server = accepted(GET.replace('GET', 'HEAD'))
    expect(text(server.reply({ status: 200, body: 'hello' }, NOW))).toBe(
      `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n${DATE}\r\n`,
    )
  })
})

describe('100 (Continue)', () => {
  const post = (version = '1.1', length = 3): string =>
    `POST / HTTP/${version}\r\nHost: a\r\nContent-Length: ${length}\r\nExpect: 100-Continue\r\n\r\n`

  it('is sent once, after the request was taken', () => {
    const server = new H1Server()
    server.receive(bytes(post()))
    expect(server.next()).toMatchObject({ expectsContinue: true })
    expect(server.continue().length).toBe(0)
    server.accept()
    expect(text(server.continue())).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    expect(server.continue().length).toBe(0)
    server.receive(bytes('abc'))
    expect(all(server).map(event => event.type)).toEqual(['body', 'end'])
    server.reply({ status: 200 }, NOW)
    expect(server.idle).toBe(true)
  })

  it('is not sent when content has come, for no content, on 1.0, or unasked', () => {
    const server = accepted(`${post()}abc`)
    all(server)
    expect(server.continue().length).toBe(0)
    for (const request of [post('1.1', 0), post('1.0'), GET]) {
      expect(accepted(request).continue().length).toBe(0)
    }
  })

  it('is not sent for content beyond the limit, which is refused', () => {
    const server = accepted(post('1.1', 21), { bodyBytes: 20 })
    expect(server.continue().length).toBe(0)
    expect(server.next()).toMatchObject({ type: 'error', status: 413, answerable: true })
  })

  it('a final response instead closes the connection, since the content may or may not follow', () => {
    const server = accepted(post())
    expect(text(server.reply({ status: 403 }, NOW))).toContain('Connection: close\r\n')
    expect(server.shouldClose).toBe(true)
  })
})

describe('a response before the end of the request', () => {
  const post = (length: number): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`

  it('what is left of 64 KiB is thrown away, in any pieces', () => {
    const server = accepted(`${post(65_536)}abc`)
    server.reply({ status: 403 }, NOW)
    expect(server.shouldClose).toBe(false)
    expect(server.next()).toBeUndefined()
    expect(() => server.export()).toThrow()
    server.receive(new Uint8Array(65_533 - 1))
    expect(server.next()).toBeUndefined()
    server.receive(bytes(`x${GET}`))
    expect(server.next()).toMatchObject({ type: 'request', head: { method: 'GET' } })
  })

  it('more than that closes', () => {
    const server = accepted(post(65_537))
    server.reply({ status: 403 }, NOW)
    expect(server.shouldClose).toBe(true)
  })

  it('endless chunks close', () => {
    const server = accepted('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    server.reply({ status: 403 }, NOW)
    for (let i = 0; i < 7; i++) server.receive(bytes(`2000\r\n${'x'.repeat(0x2000)}\r\n`))
    expect(server.next()).toBeUndefined()
    expect(server.shouldClose).toBe(false)
    server.receive(bytes(`2000\r\n${'x'.repeat(0x2000)}\r\n`))
    expect(server.next()).toBeUndefined()
    expect(server.shouldClose).toBe(true)
  })

  it('bad chunks are reported, and nothing is said to them', () => {
    const server = accepted('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n')
    server.reply({ status: 403 }, NOW)
    expect(server.next()).toMatchObject({ type: 'error', status: 400, answerable: false })
    expect(server.shouldClose).toBe(true)
  })

  it('content is still reported while the response is going out', () => {
    const server = accepted(`${post(3)}ab`)
    server.respond(head({ length: undefined }), NOW)
    expect(all(server)).toEqual([{ type: 'body', data: bytes('ab') }])
    server.receive(bytes('c'))
    expect(all(server).map(event => event.type)).toEqual(['body', 'end'])
    server.end()
    expect(server.idle).toBe(true)
  })
})

describe('errors', () => {
  it('one answer, then the end', () => {
    const server = new H1Server()
    server.receive(bytes(`GET / HTTP/1.1\r\nA : b\r\n\r\n${GET}`))
    expect(server.next()).toEqual({
      type: 'error',
      status: 400,
      reason: 'a space between field name and colon',
      answerable: true,
    })
    expect(server.next()).toBeUndefined()
    expect(server.idle).toBe(false)
    expect(() => server.export()).toThrow()
    expect(server.shouldClose).toBe(false)
    expect(text(server.reply({ status: 400, body: 'no' }, NOW))).toBe(
      `HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n${DATE}Connection: close\r\n\r\nno`,
    )
    expect(server.shouldClose).toBe(true)
    server.receive(bytes(GET))
    expect(server.buffered).toBe(0)
    expect(server.next()).toBeUndefined()
  })

  it('in the content, while the response is going out: it can be ended, and closes', () => {
    const server = accepted('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n')
    server.respond(head({ length: undefined }), NOW)
    expect(server.next()).toMatchObject({ type: 'error', status: 400, answerable: false })
    expect(server.shouldClose).toBe(false)
    expect(text(server.end())).toBe('0\r\n\r\n')
    expect(server.shouldClose).toBe(true)
  })

  it('in the content of a HEAD request: the answer has no content either', () => {
    const server = accepted('HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n')
    expect(server.next()).toMatchObject({ type: 'error', status: 400, answerable: true })
    expect(text(server.reply({ status: 400, body: 'no' }, NOW))).toMatch(/\r\n\r\n$/)
  })
})

describe('the connection as a value', () => {
  it('7 bytes when idle', () => {
    const server = accepted(GET)
    server.reply({ status: 200 }, NOW)
    expect(encode(h1State, server.export())).toEqual(Uint8Array.of(0, 0, 0, 1, 0, 0, 0))
  })

  it('the announced request and all that follows travel', () => {
    const server = accepted(`${GET}GET /2 HTTP/1.1\r\nHost: b\r\n\r\nGET /3`)
    server.reply({ status: 200 }, NOW)
    expect(server.next()).toMatchObject({ head: { host: 'b' } })
    const state = decode(h1State, encode(h1State, server.export()))
    const other = new H1Server(limits(), state)
    expect(other.next()).toMatchObject({ head: { target: '/2' } })
    other.accept()
    other.reply({ status: 200 }, NOW)
    other.receive(bytes(' HTTP/1.1\r\nHost: b\r\n\r\n'))
    expect(other.next()).toMatchObject({ head: { target: '/3' } })
    expect(other.requestsServed).toBe(2)
  })

  it('the count of requests travels', () => {
    const other = new H1Server(limits({ requests: 3 }), { requestsServed: 2, inbound: bytes(GET) })
    other.next()
    other.accept()
    expect(text(other.reply({ status: 200 }, NOW))).toContain('Connection: close')
  })

  it('not while a request is being served', () => {
    const server = accepted(GET)
    expect(() => server.export()).toThrow('between messages')
    server.respond(head({ length: 1 }), NOW)
    expect(() => server.export()).toThrow('between messages')
    server.write(bytes('a'))
    server.end()
    expect(server.export().requestsServed).toBe(1)
  })

  it('a copy: later bytes do not change it', () => {
    const server = new H1Server()
    server.receive(bytes('GET'))
    const state = server.export()
    server.receive(bytes(' /'))
    expect(text(state.inbound)).toBe('GET')
  })
})

describe('content in tiny chunks', () => {
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
  const content = (events: readonly H1Event[]): Uint8Array =>
    concat(...events.map(event => (event.type === 'body' ? event.data : new Uint8Array(0))))

  it('is told in few pieces, whatever pieces it came in', () => {
    const chunks = '1\r\na\r\n'.repeat(50_000)
    const events = all(accepted(`${head}${chunks}0\r\n\r\n`))
    expect(events.length).toBeLessThan(30)
    expect(content(events).length).toBe(50_000)
    expect(events.at(-1)).toEqual({ type: 'end', trailers: [] })
  })

  it('is told before what is wrong behind it', () => {
    const events = all(accepted(`${head}1\r\na\r\n2\r\nbc\r\nx\r\n${'y'.repeat(20)}`))
    expect(text(content(events))).toBe('abc')
    expect(events.at(-1)).toMatchObject({ type: 'error', status: 400 })
    const tooMuch = all(accepted(`${head}${'1\r\na\r\n'.repeat(20)}`, { bodyBytes: 10 }))
    expect(content(tooMuch).length).toBe(10)
    expect(tooMuch.at(-1)).toMatchObject({ type: 'error', status: 413 })
  })
})
