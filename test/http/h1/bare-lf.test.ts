import { describe, expect, it } from 'vitest'
import { HostRecogniser } from '../../../src/gateway/host-recogniser.ts'
import { BARE_LF } from '../../../src/http/h1/error.ts'
import { H1Client, H1Server } from '../../../src/http/h1/index.ts'
import { bytes } from '../../support/h1-messages.ts'

/** What a container says of it; pieces of so many bytes. */
function contained(
  input: string,
  size: number,
): { readonly status: number; readonly reason: string } | undefined {
  const server = new H1Server()
  for (let at = 0; at < input.length; at += size) {
    server.receive(bytes(input.slice(at, at + size)))
    for (let event = server.next(); event !== undefined; event = server.next()) {
      if (event.type === 'error') return { status: event.status, reason: event.reason }
      if (event.type === 'request') server.accept()
    }
  }
  return undefined
}

/** What the gateway says of it. */
function routed(input: string): { readonly status: number; readonly reason: string } | undefined {
  const found = new HostRecogniser().recognise(bytes(input))
  return found.kind === 'not_http' ? { status: found.status, reason: found.reason } : undefined
}

const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'

describe('a line that ends in LF alone, as terminals send it', () => {
  it.each([
    ['the request line', 'GET /echo HTTP/1.1\n'],
    ['the request line of HTTP/1.0', 'GET / HTTP/1.0\n\n'],
    ['an empty line before it', '\n'],
    ['an empty line before it, behind a right one', '\r\n\nGET / HTTP/1.1\r\n'],
    ['a field', 'GET / HTTP/1.1\r\nHost: a\n'],
    ['a field without a value', 'GET / HTTP/1.1\r\nHost:\n'],
    ['the last line of a head', 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
    ['all of a head', 'GET / HTTP/1.1\nHost: a\n\n'],
  ])('ends the reading with 400 and the cause, in the gateway and in a container: %s', (_, input) => {
    const refused = { status: 400, reason: BARE_LF }
    expect(routed(input)).toEqual(refused)
    for (const size of [input.length, 1, 2, 3, 7]) expect(contained(input, size)).toEqual(refused)
  })

  it.each([
    ['the size of a chunk', '1\n'],
    ['an extension', '1;a=b\n'],
    ['the content of a chunk', '1\r\na\n'],
    ['the last chunk', '0\n'],
    ['a trailer', '0\r\nA: b\n'],
    ['the last line', '0\r\n\n'],
  ])('does so in content: %s', (_, input) => {
    for (const size of [200, 1, 2, 3])
      expect(contained(HEAD + input, size)).toEqual({ status: 400, reason: BARE_LF })
  })

  it.each(['HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n'])(
    'is refused by our client as well: %j',
    input => {
      const client = new H1Client()
      client.request({ method: 'GET', target: '/', headers: [['Host', 'a']] })
      expect(client.receive(bytes(input))).toContainEqual({ type: 'error', reason: BARE_LF })
    },
  )

  it('is not blamed for what else is wrong', () => {
    const reasonOf = (input: string) => contained(input, input.length)?.reason
    expect(reasonOf('GET /echo\n')).toBe('a request line without a version')
    expect(reasonOf('hello\n')).toBe('the method is not a token followed by a space')
    expect(reasonOf('GET / HTTP/1.1\r\nHost\n')).toBe('a field line without a colon')
    expect(reasonOf('GET / HTTP/1.1\rX: y\r\n')).toContain('CR LF')
  })
})
