import { describe, expect, test } from 'vitest'
import { H1Client } from '../../../src/http/h1/index.ts'
import { bytes, conversation } from './helpers.ts'
import { type LlhttpCase, llhttpCases } from './llhttp-cases.ts'

const TUNNEL = 'no tunnels are opened here (CONNECT gets 501)'
const SWITCH = 'our client asks for no other protocol, so 101 is an error (RFC 9110, 15.2.2)'
const AFTER_CLOSE = 'llhttp refuses what follows a last request; we do not read it'
const ANY_METHOD = 'any token is a method here (RFC 9110, 9.1); the function decides about it'
const OTHER_PROTOCOL = 'not HTTP'
const TARGET = 'no character of a request target (RFC 9112, 3.2)'
const EMPTY_LINE = 'an empty line is allowed before requests alone (RFC 9112, 2.2)'
const NOT_CHUNKED = 'content that ends in another coding than chunked; we know no other'

/** Where we and llhttp (strict) disagree about a request, and why. */
const REQUESTS: Readonly<Record<string, string>> = {
  'connection: No restart when keep-alive is off (1.0)': AFTER_CLOSE,
  'connection: CRLF between requests, explicit `close`': AFTER_CLOSE,
  'connection: CRLF between requests, explicit `close` followed by tab': AFTER_CLOSE,
  'invalid: HTTP protocol and ANNOUNCE method': ANY_METHOD,
  'invalid: Invalid method': ANY_METHOD,
  'method: CONNECT request': TUNNEL,
  'method: CONNECT request with CAPS': TUNNEL,
  'method: CONNECT with body': TUNNEL,
  'uri: Underscore in hostname': TUNNEL,
  'method: M-SEARCH request': 'the target * belongs to OPTIONS (RFC 9112, 3.2.4)',
  'method: SOURCE request with ICE': OTHER_PROTOCOL,
  'method: OPTIONS request with RTSP': OTHER_PROTOCOL,
  'method: ANNOUNCE request with RTSP': OTHER_PROTOCOL,
  'sample: No HTTP version': 'HTTP/0.9 is not spoken here',
  'transfer-encoding: POST with `chunked` as last transfer-encoding': TARGET,
  'transfer-encoding: POST with `chunked` as last transfer-encoding (multiple headers)': TARGET,
  'uri: Quotes in URI': TARGET,
  'uri: Fragment in URI': TARGET,
  'uri: `host:port` and basic auth': 'user information is no part of a target (RFC 9110, 4.2.4)',
}

/** Where our client and llhttp (strict) disagree about a response, and why. */
const RESPONSES: Readonly<Record<string, string>> = {
  'connection: HTTP 304 with Content-Length': EMPTY_LINE,
  'connection: HTTP 100 first, then 400': EMPTY_LINE,
  'connection: HTTP 101 response with Upgrade and Content-Length header': SWITCH,
  'connection: HTTP 101 response with Upgrade and Transfer-Encoding header': SWITCH,
  'pipelining: Should parse multiple events': EMPTY_LINE,
  'sample: Response starting with CRLF': EMPTY_LINE,
  'sample: RTSP response': OTHER_PROTOCOL,
  'sample: ICE response': OTHER_PROTOCOL,
  'sample: No reason phrase': 'the space before the reason phrase is not optional (RFC 9112, 4)',
  'sample: HTTP version 0.9': 'HTTP/0.9 has no status line',
  'transfer-encoding: `chunked` before other transfer-encoding': NOT_CHUNKED,
  'transfer-encoding: multiple transfer-encoding where chunked is not the last one': NOT_CHUNKED,
  'transfer-encoding: `chunkedchunked` transfer-encoding does not enable chunked enconding': NOT_CHUNKED,
}

/** llhttp does not ask for Host; the cases that lack it get one, so that everything else in them is judged. */
function withHost(input: string): string {
  const head = /^([A-Z-]+ \S+ HTTP\/1\.1\r\n)((?:[^\r\n]+\r\n)*)/gm
  return input.replace(head, (whole, line: string, fields: string) =>
    /^host:/im.test(fields) ? whole : `${line}Host: a\r\n${fields}`,
  )
}

function refusesRequest(input: string): boolean {
  return conversation(bytes(withHost(input))).events.some(event => event.type === 'error')
}

function refusesResponse(input: string): boolean {
  const client = new H1Client()
  for (let i = 0; i < 3; i++) client.request({ method: 'GET', target: '/', headers: [['Host', 'a']] })
  return client.receive(bytes(input)).some(event => event.type === 'error')
}

/** llhttp judges each byte as it comes, we a line at its end: what we wait for is given to us. */
function agrees({ input, error }: LlhttpCase, refuses: (input: string) => boolean): boolean {
  if (error === undefined) return !refuses(input)
  return refuses(input) || refuses(`${input}\r\n\r\n`)
}

describe('who accepts what, compared with llhttp', () => {
  test('requests', () => {
    const cases = llhttpCases('request')
    expect(cases.length).toBe(119)
    expect(cases.filter(one => one.error !== undefined).length).toBeGreaterThan(40)
    const different = cases.filter(one => !agrees(one, refusesRequest)).map(one => one.name)
    expect(different.sort()).toEqual(Object.keys(REQUESTS).sort())
  })

  test('responses', () => {
    const cases = llhttpCases('response')
    expect(cases.length).toBe(65)
    expect(cases.filter(one => one.error !== undefined).length).toBeGreaterThan(15)
    const different = cases.filter(one => !agrees(one, refusesResponse)).map(one => one.name)
    expect(different.sort()).toEqual(Object.keys(RESPONSES).sort())
  })
})
