import { describe, expect, it } from 'vitest'
import { H1Client, type H1ClientEvent } from '../../../src/http/h1/index.ts'
import { bytes, limits, text } from '../../support/h1-messages.ts'

const HOST = ['Host', 'a'] as const

function asked(method = 'GET', times = 1): H1Client {
  const client = new H1Client(limits({ bodyBytes: 100 }))
  for (let i = 0; i < times; i++) client.request({ method, target: '/', headers: [HOST] })
  return client
}

function types(events: readonly H1ClientEvent[]): string {
  return events.map(event => event.type).join(' ')
}

describe('requests', () => {
  it('with content', () => {
    const client = new H1Client()
    const sent = client.request(
      { method: 'POST', target: '/x', headers: [HOST, ['X', '\xe4']] },
      bytes('abc'),
    )
    expect(text(sent)).toBe('POST /x HTTP/1.1\r\nHost: a\r\nX: \xe4\r\nContent-Length: 3\r\n\r\nabc')
    expect(client.reusable).toBe(false)
  })

  it('with content in chunks', () => {
    expect(text(H1Client.chunk(new Uint8Array(17).fill(97)))).toBe(`11\r\n${'a'.repeat(17)}\r\n`)
    expect(text(H1Client.chunk(new Uint8Array(0)))).toBe('0\r\n\r\n')
  })

  it.each([
    ['no Host', { method: 'GET', target: '/', headers: [] }],
    ['a method that is no token', { method: 'G T', target: '/', headers: [HOST] }],
    ['a target with a space', { method: 'GET', target: '/ x', headers: [HOST] }],
    ['a target with CRLF', { method: 'GET', target: '/\r\n', headers: [HOST] }],
    ['a bad name', { method: 'GET', target: '/', headers: [HOST, ['a:', 'b'] as const] }],
    ['a bad value', { method: 'GET', target: '/', headers: [HOST, ['a', 'b\n'] as const] }],
  ])('%s is a TypeError', (_, request) => {
    expect(() => new H1Client().request(request)).toThrow(TypeError)
  })
})

describe('responses', () => {
  it('with a length', () => {
    const client = asked()
    expect(client.receive(bytes('HTTP/1.1 200 Fine \xe4\r\nContent-Length: 3\r\nA: b\r\n\r\nabc'))).toEqual([
      {
        type: 'response',
        status: 200,
        reason: 'Fine \xe4',
        version: '1.1',
        headers: [
          ['Content-Length', '3'],
          ['A', 'b'],
        ],
        bodyLength: 3,
      },
      { type: 'body', data: bytes('abc') },
      { type: 'end', trailers: [] },
    ])
    expect(client.reusable).toBe(true)
    expect(client.finish()).toEqual([])
  })

  it('in chunks, with a trailer', () => {
    const events = asked().receive(
      bytes('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: u\r\n\r\n'),
    )
    expect(events.slice(1)).toEqual([
      { type: 'body', data: bytes('a') },
      { type: 'end', trailers: [['T', 'u']] },
    ])
  })

  it('until the connection closes', () => {
    const client = asked()
    expect(types(client.receive(bytes('HTTP/1.1 200 OK\r\n\r\nabc')))).toBe('response body')
    expect(types(client.receive(bytes('def')))).toBe('body')
    expect(types(client.finish())).toBe('end')
    expect(client.reusable).toBe(false)
  })

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 \r\n\r\n'],
    ['GET', 'HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n'],
  ])('without content: %s %j', (method, input) => {
    const client = asked(method)
    expect(types(client.receive(bytes(input)))).toBe('response end')
    expect(client.reusable).toBe(true)
  })

  it('interim responses come before the final one', () => {
    const events = asked().receive(
      bytes('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nA: b\r\n\r\nHTTP/1.1 204 \r\n\r\n'),
    )
    expect(events).toMatchObject([
      { type: 'interim', status: 100 },
      { type: 'interim', status: 103, headers: [['A', 'b']] },
      { type: 'response', status: 204 },
      { type: 'end' },
    ])
  })

  it('pipelined, each to its request', () => {
    const client = new H1Client()
    client.request({ method: 'HEAD', target: '/', headers: [HOST] })
    client.request({ method: 'GET', target: '/', headers: [HOST] })
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n'
    expect(types(client.receive(bytes(`${answer}${answer}x`)))).toBe('response end response body end')
  })

  it.each([
    ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n', true],
  ])('persistence of %j', (input, reusable) => {
    const client = asked()
    client.receive(bytes(input))
    expect(client.reusable).toBe(reusable)
  })

  it.each([
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['101', 'HTTP/1.1 101 \r\n\r\n'],
    ['another protocol', 'HTTQ/1.1 200 OK\r\n\r\n'],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['a control character in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n'],
    ['both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['more content than allowed', 'HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n'],
    ['obs-fold', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nA: b\r\n\r\n'],
  ])('%s is an error', (_, input) => {
    const client = asked()
    expect(types(client.receive(bytes(input)))).toBe('error')
    expect(client.receive(bytes('x'))).toEqual([])
    expect(client.finish()).toEqual([])
    expect(client.reusable).toBe(false)
  })

  it('a response to no request is an error', () => {
    expect(types(new H1Client().receive(bytes('HTTP/1.1 200 OK\r\n\r\n')))).toBe('error')
    const close = asked('GET', 2)
    const last = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
    expect(types(close.receive(bytes(last + last)))).toBe('response end error')
  })

  it.each(['', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab'])(
    'an end after %j is an error',
    input => {
      const client = asked()
      client.receive(bytes(input))
      expect(types(client.finish())).toBe('error')
    },
  )
})
