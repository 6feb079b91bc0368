import { describe, expect, it } from 'vitest'
import { header } from '../../../src/http/message.ts'
import { bytes, conversation, verdict } from '../../support/h1-messages.ts'

const get = (line: string, ...fields: string[]): string =>
  `${[line, 'Host: a.example', ...fields].join('\r\n')}\r\n\r\n`
const post = (fields: string[], body: string): string =>
  `${['POST / HTTP/1.1', 'Host: a', ...fields].join('\r\n')}\r\n\r\n${body}`
const chunked = (body: string): string => post(['Transfer-Encoding: chunked'], body)

type Case = readonly [what: string, input: string, verdict: number | 'accepted' | 'waits']

function judge(cases: readonly Case[]): void {
  it.each(cases)('%s', (_, input, expected) => {
    expect(verdict(input)).toBe(expected)
  })
}

describe('request line (RFC 9112 §3)', () => {
  judge([
    ['origin-form', get('GET /a?b HTTP/1.1'), 'accepted'],
    ['an unknown method', get('BREW /pot HTTP/1.1'), 'accepted'],
    ['every tchar in the method', get("!#$%&'*+-.^_`|~aZ09 / HTTP/1.1"), 'accepted'],
    ['a method that is no token', get('G(T / HTTP/1.1'), 400],
    ['two spaces after the method', get('GET  / HTTP/1.1'), 400],
    ['two spaces before the version', get('GET /  HTTP/1.1'), 400],
    ['a tab for a space', get('GET\t/ HTTP/1.1'), 400],
    ['a space after the version', get('GET / HTTP/1.1 '), 400],
    ['a space before the method', get(' GET / HTTP/1.1'), 400],
    ['no target', get('GET HTTP/1.1'), 400],
    ['HTTP/0.9', 'GET /\r\n', 400],
    ['a control character in the target', get('GET /\x01 HTTP/1.1'), 400],
    ['a raw byte above 0x7f in the target', get('GET /\xe4 HTTP/1.1'), 400],
    ['a fragment', get('GET /a#b HTTP/1.1'), 400],
    ['a backslash in the path', get('GET /a\\..\\b HTTP/1.1'), 400],
    ['a backslash in the query', get('GET /a?\\ HTTP/1.1'), 'accepted'],
    ['a relative target', get('GET a HTTP/1.1'), 400],
    ['* with OPTIONS', get('OPTIONS * HTTP/1.1'), 'accepted'],
    ['* with GET', get('GET * HTTP/1.1'), 400],
    ['absolute-form', get('GET http://b.example/x HTTP/1.1'), 'accepted'],
    ['absolute-form with another scheme', get('GET ftp://b.example/x HTTP/1.1'), 400],
    ['absolute-form with user information', get('GET http://u@b.example/x HTTP/1.1'), 400],
    ['absolute-form without a host', get('GET http:///x HTTP/1.1'), 400],
    ['CONNECT', get('CONNECT b.example:443 HTTP/1.1'), 501],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    ['HTTP/1.2', get('GET / HTTP/1.2'), 505],
    ['HTTP/3.0', get('GET / HTTP/3.0'), 505],
    ['http/1.1', get('GET / http/1.1'), 400],
    ['HTTP/1.10', get('GET / HTTP/1.10'), 400],
    ['HTTP/11', get('GET / HTTP/11'), 400],
    ['ICE/1.0', get('GET / ICE/1.0'), 400],
    ['one empty line before', `\r\n${get('GET / HTTP/1.1')}`, 'accepted'],
    ['two empty lines before', `\r\n\r\n${get('GET / HTTP/1.1')}`, 'accepted'],
    ['three empty lines before', `\r\n\r\n\r\n${get('GET / HTTP/1.1')}`, 400],
    ['a bare LF before', `\n${get('GET / HTTP/1.1')}`, 400],
    ['a TLS record, at its first byte', '\x16', 400],
    ['a method without an end', 'GET', 'waits'],
  ])
})

describe('field lines (RFC 9112 §5)', () => {
  judge([
    ['no space after the colon', get('GET / HTTP/1.1', 'a:b'), 'accepted'],
    ['an empty value', get('GET / HTTP/1.1', 'a:'), 'accepted'],
    ['obs-text in a value', get('GET / HTTP/1.1', 'a: \x80\xff'), 'accepted'],
    ['a tab in a value', get('GET / HTTP/1.1', 'a: b\tc'), 'accepted'],
    ['a space before the colon', get('GET / HTTP/1.1', 'a : b'), 400],
    ['no colon', get('GET / HTTP/1.1', 'ab'), 400],
    ['no name', get('GET / HTTP/1.1', ': b'), 400],
    ['obs-fold', get('GET / HTTP/1.1', 'a: b', ' c'), 400],
    ['obs-fold with a tab', get('GET / HTTP/1.1', 'a: b', '\tc'), 400],
    ['a space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400],
    ['a name that is no token', get('GET / HTTP/1.1', 'a(b: c'), 400],
    ['a byte above 0x7f in a name', get('GET / HTTP/1.1', 'h\xf6: c'), 400],
    ['NUL in a value', get('GET / HTTP/1.1', 'a: b\0c'), 400],
    ['DEL in a value', get('GET / HTTP/1.1', 'a: b\x7fc'), 400],
    ['a control character in a value', get('GET / HTTP/1.1', 'a: b\x08c'), 400],
    ['a bare CR in a value', get('GET / HTTP/1.1', 'a: b\rc'), 400],
    ['a bare LF at the end of a field', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 400],
    ['a bare LF as the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\n', 400],
    ['CR CR LF', 'GET / HTTP/1.1\r\nHost: a\r\r\n\r\n', 400],
    ['a CR alone as the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\rx\n', 400],
  ])

  it('surrounding spaces are no part of a value', () => {
    const { events } = conversation(bytes(get('GET / HTTP/1.1', 'a: \t b c \t ', 'B:d')))
    expect(events[0]).toMatchObject({
      head: {
        headers: [
          ['Host', 'a.example'],
          ['a', 'b c'],
          ['B', 'd'],
        ],
      },
    })
  })

  it('obs-text is read as ISO 8859-1', () => {
    const { events } = conversation(bytes(get('GET / HTTP/1.1', 'a: \x80\x9f\xe4\xff')))
    expect(events[0]?.type === 'request' && header(events[0].head.headers, 'a')).toBe('\x80\x9f\xe4\xff')
  })
})

describe('Host (RFC 9112 §3.2)', () => {
  const host = (value: string): string => `GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`
  judge([
    ['a name', host('a.example'), 'accepted'],
    ['a name and a port', host('a.example:8443'), 'accepted'],
    ['an IPv6 address', host('[::1]:80'), 'accepted'],
    ['nothing', host(''), 'accepted'],
    ['missing on 1.1', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['missing on 1.0', 'GET / HTTP/1.0\r\n\r\n', 'accepted'],
    ['twice', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
    ['twice on 1.0', 'GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['missing beside absolute-form', 'GET http://a/ HTTP/1.1\r\n\r\n', 400],
    ['user information', host('u@a.example'), 400],
    ['a path', host('a.example/x'), 400],
    ['a list', host('a, b'), 400],
    ['a port that is no number', host('a:b'), 400],
    ['a bracket left open', host('[::1'), 400],
  ])

  it.each([
    ['GET /p/q?x?y HTTP/1.1', 'A.Example:80', { host: 'a.example', path: '/p/q', query: 'x?y' }],
    ['GET http://B.example:81/p?x HTTP/1.1', 'a', { host: 'b.example', path: '/p', query: 'x' }],
    ['GET https://b?x HTTP/1.1', 'a', { host: 'b', path: '/', query: 'x' }],
    ['GET HTTP://b HTTP/1.1', 'a', { host: 'b', path: '/', query: '' }],
    ['OPTIONS http://b HTTP/1.1', 'a', { host: 'b', path: '*', query: '' }],
    ['OPTIONS * HTTP/1.1', '[FE80::1]:1', { host: '[fe80::1]', path: '*', query: '' }],
    ['GET / HTTP/1.1', '', { host: undefined, path: '/', query: '' }],
  ])('%s for %s', (line, value, expected) => {
    const { events } = conversation(bytes(`${line}\r\nHost: ${value}\r\n\r\n`))
    expect(events[0]).toMatchObject({ type: 'request', head: expected })
  })
})

describe('where a message ends (RFC 9112 §6)', () => {
  judge([
    ['Content-Length', post(['Content-Length: 3'], 'abc'), 'accepted'],
    ['Content-Length with zeros before it', post(['Content-Length: 003'], 'abc'), 'accepted'],
    ['content that is not all there', post(['Content-Length: 3'], 'ab'), 'waits'],
    ['both lengths', post(['Content-Length: 3', 'Transfer-Encoding: chunked'], '0\r\n\r\n'), 400],
    [
      'both, the other way round',
      post(['Transfer-Encoding: chunked', 'Content-Length: 3'], '0\r\n\r\n'),
      400,
    ],
    ['two differing Content-Length', post(['Content-Length: 3', 'Content-Length: 4'], 'abcd'), 400],
    ['two equal Content-Length', post(['Content-Length: 3', 'Content-Length: 3'], 'abc'), 400],
    ['a list as Content-Length', post(['Content-Length: 3, 3'], 'abc'), 400],
    ['a signed Content-Length', post(['Content-Length: +3'], 'abc'), 400],
    ['a negative Content-Length', post(['Content-Length: -3'], 'abc'), 400],
    ['a hexadecimal Content-Length', post(['Content-Length: 0x3'], 'abc'), 400],
    ['an empty Content-Length', post(['Content-Length:'], 'abc'), 400],
    ['a Content-Length in two parts', post(['Content-Length: 1 2'], 'abc'), 400],
    ['a Content-Length beyond a safe integer', post(['Content-Length: 9007199254740993'], ''), 413],
    ['a Content-Length beyond the limit', post(['Content-Length: 10485761'], ''), 413],
    ['an unknown coding', post(['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'), 501],
    ['identity', post(['Transfer-Encoding: identity'], ''), 501],
    ['a coding that looks like chunked', post(['Transfer-Encoding: xchunked'], '0\r\n\r\n'), 501],
    ['chunked with a parameter', post(['Transfer-Encoding: chunked;a=b'], '0\r\n\r\n'), 501],
    ['chunked twice', post(['Transfer-Encoding: chunked, chunked'], '0\r\n\r\n'), 400],
    [
      'chunked twice, on two lines',
      post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
      400,
    ],
    ['an empty Transfer-Encoding', post(['Transfer-Encoding:'], '0\r\n\r\n'), 400],
    ['chunked in capitals', post(['Transfer-Encoding: Chunked'], '0\r\n\r\n'), 'accepted'],
    ['Transfer-Encoding on 1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['an unknown expectation', post(['Expect: a'], ''), 417],
    ['an expectation on 1.0', 'GET / HTTP/1.0\r\nExpect: a\r\n\r\n', 'accepted'],
  ])
})

describe('chunks (RFC 9112 §7.1)', () => {
  judge([
    ['two chunks', chunked('3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n'), 'accepted'],
    ['a size with zeros before it', chunked('0003\r\nabc\r\n000\r\n\r\n'), 'accepted'],
    ['no size', chunked('\r\nabc\r\n0\r\n\r\n'), 400],
    ['a size that is not hexadecimal', chunked('g\r\n'), 400],
    ['0x before a size', chunked('0x3\r\nabc\r\n'), 400],
    ['a sign before a size', chunked('+3\r\nabc\r\n'), 400],
    ['a space before a size', chunked(' 3\r\nabc\r\n'), 400],
    ['a space after a size', chunked('3 \r\nabc\r\n'), 400],
    ['a size beyond 2^64', chunked('10000000000000003\r\nabc\r\n'), 413],
    ['a bare LF after a size', chunked('3\nabc\r\n'), 400],
    ['a chunk longer than its size', chunked('3\r\nabcd\r\n0\r\n\r\n'), 400],
    ['a bare LF after a chunk', chunked('3\r\nabc\n0\r\n\r\n'), 400],
    ['a bare CR after a chunk', chunked('3\r\nabc\rx0\r\n\r\n'), 400],
    ['an extension', chunked('3;a;b=c ; d = "e;\\"\xff"\r\nabc\r\n0;z\r\n\r\n'), 'accepted'],
    ['an extension without a name', chunked('3;\r\nabc\r\n'), 400],
    ['an extension without a semicolon', chunked('3 a\r\nabc\r\n'), 400],
    ['an extension with a CR', chunked('3;a\rb\r\nabc\r\n'), 400],
    ['a quoted string left open', chunked('3;a="b\r\nabc\r\n'), 400],
    ['a line of 1,024 bytes', chunked(`3;${'a'.repeat(1020)}\r\nabc\r\n0\r\n\r\n`), 'accepted'],
    ['a line of 1,025 bytes', chunked(`3;${'a'.repeat(1021)}\r\nabc\r\n0\r\n\r\n`), 400],
    ['extensions without an end', chunked(`1;${'a'.repeat(1000)}\r\na\r\n`.repeat(17)), 400],
    ['a bad trailer', chunked('0\r\na : b\r\n\r\n'), 400],
    ['Content-Length as a trailer', chunked('0\r\nContent-Length: 3\r\n\r\n'), 400],
  ])

  it('content and trailers are given', () => {
    const { events } = conversation(bytes(chunked('3\r\nabc\r\n2;x\r\nde\r\n0\r\nA: b\r\nC:\r\n\r\n')))
    expect(events.slice(1)).toEqual([
      { type: 'body', data: bytes('abcde') },
      {
        type: 'end',
        trailers: [
          ['A', 'b'],
          ['C', ''],
        ],
      },
    ])
  })
})

describe('limits', () => {
  const sized = (length: number): string => {
    const rest = get('GET / HTTP/1.1', 'a: ')
    return get('GET / HTTP/1.1', `a: ${'x'.repeat(length - rest.length)}`)
  }

  it.each([
    ['a head of exactly headBytes', sized(200), 'accepted'],
    ['a head of one byte more', sized(201), 431],
    ['a head without an end', sized(300).slice(0, 250), 431],
    ['a request line without an end', `GET /${'a'.repeat(300)}`, 414],
    ['four fields', get('GET / HTTP/1.1', 'a: b', 'c: d', 'e: f'), 'accepted'],
    ['five fields', get('GET / HTTP/1.1', 'a: b', 'c: d', 'e: f', 'g: h'), 431],
    ['content of exactly bodyBytes', post(['Content-Length: 20'], 'x'.repeat(20)), 'accepted'],
    ['content of one byte more', post(['Content-Length: 21'], 'x'.repeat(21)), 413],
    ['chunks of exactly bodyBytes', chunked(`14\r\n${'x'.repeat(20)}\r\n0\r\n\r\n`), 'accepted'],
    ['chunks of one byte more', chunked(`a\r\n${'x'.repeat(10)}\r\nb\r\n`), 413],
    ['five trailers', chunked('0\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\n\r\n'), 431],
    ['trailers without an end', chunked(`0\r\n${'a: b\r\n'.repeat(3)}c: ${'x'.repeat(200)}`), 431],
  ])('%s', (_, input, expected) => {
    expect(verdict(input, { headBytes: 200, headerFields: 4, bodyBytes: 20 })).toBe(expected)
  })

  it('more fields than the scanner holds places for', () => {
    const fields = Array.from({ length: 500 }, (_, i) => `f${i}: v${i}`)
    const { events } = conversation(bytes(get('GET / HTTP/1.1', ...fields)), { headerFields: 1000 })
    const head = events[0]?.type === 'request' ? events[0].head : undefined
    expect(head?.headers.slice(1)).toEqual(fields.map(field => field.split(': ')))
  })
})
