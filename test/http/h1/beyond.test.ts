import { describe, expect, it } from 'vitest'
import { H1Client, type H1ClientEvent, type H1Event, H1Server } from '../../../src/http/h1/index.ts'
import { bytes, DATE, NOW, text } from '../../support/h1-messages.ts'

/*
 * What goes beyond one request and one response: interim responses, trailers, other protocols.
 */

const HOST = ['Host', 'a'] as const
const WEBSOCKET =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n'

function accepted(input: string): { server: H1Server; event: Extract<H1Event, { type: 'request' }> } {
  const server = new H1Server()
  server.receive(bytes(input))
  const event = server.next()
  if (event?.type !== 'request') throw new Error('not a request')
  server.accept()
  while (server.next() !== undefined);
  return { server, event }
}

describe('interim responses (RFC 9110 §15.2)', () => {
  const hints = [['Link', '</a.css>; rel=preload']] as const

  it('any number of them go before the final one', () => {
    const { server } = accepted('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(text(server.inform(103, hints))).toBe(
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n',
    )
    expect(text(server.inform(102, []))).toBe('HTTP/1.1 102 \r\n\r\n')
    expect(text(server.reply({ status: 200 }, NOW))).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(() => server.inform(103, hints)).toThrow('no request waits')
  })

  it('none go to an HTTP/1.0 client', () => {
    const { server } = accepted('GET / HTTP/1.0\r\n\r\n')
    expect(server.inform(103, hints)).toHaveLength(0)
  })

  it.each([
    ['100', 100, []],
    ['101', 101, []],
    ['a final status', 200, []],
    ['a length', 103, [['Content-Length', '3']]],
    ['chunks', 103, [['Transfer-Encoding', 'chunked']]],
    ['an Upgrade', 103, [['Upgrade', 'x']]],
    ['a bad value', 103, [['a', 'b\r\n']]],
  ] as const)('%s is a TypeError', (_, status, fields) => {
    expect(() => accepted('GET / HTTP/1.1\r\nHost: a\r\n\r\n').server.inform(status, fields)).toThrow(
      TypeError,
    )
  })

  it('our client reports them', () => {
    const client = new H1Client()
    client.request({ method: 'GET', target: '/', headers: [HOST] })
    const input = 'HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n'
    expect(client.receive(bytes(input)).map(event => event.type)).toEqual(['interim', 'response', 'end'])
  })
})

describe('trailers (RFC 9112 §7.1.2)', () => {
  const begin = (input: string, headers: readonly (readonly [string, string])[] = []) => {
    const { server } = accepted(input)
    return { server, head: text(server.respond({ status: 200, headers, length: undefined }, NOW)) }
  }
  const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

  it('follow the last chunk', () => {
    const { server, head } = begin(get, [['Trailer', 'T']])
    expect(head).toBe(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n${DATE}\r\n`)
    expect(text(server.end([['T', 'u']]))).toBe('0\r\nT: u\r\n\r\n')
    expect(server.idle).toBe(true)
  })

  it('are dropped where there are no chunks', () => {
    const { server, head } = begin('GET / HTTP/1.0\r\n\r\n', [['Trailer', 'T']])
    expect(head).not.toContain('Trailer')
    expect(server.end([['T', 'u']])).toHaveLength(0)
  })

  it.each(['Content-Length', 'transfer-encoding', 'Host', 'Trailer', 'Connection', 'a b', 'TE'])(
    '%s is a TypeError',
    name => {
      const { server } = begin(get)
      expect(() => server.end([[name, '1']])).toThrow(TypeError)
      expect(text(server.end())).toBe('0\r\n\r\n')
    },
  )

  it('of a request: our client and our server', () => {
    const client = new H1Client()
    const server = new H1Server()
    const headers = [HOST, ['Transfer-Encoding', 'chunked']] as const
    server.receive(client.request({ method: 'POST', target: '/', headers }, bytes('abc')))
    server.receive(H1Client.chunk(new Uint8Array(0), [['T', 'u']]))
    expect(server.next()).toMatchObject({ type: 'request', bodyLength: undefined })
    server.accept()
    expect(server.next()).toEqual({ type: 'body', data: bytes('abc') })
    expect(server.next()).toEqual({ type: 'end', trailers: [['T', 'u']] })
    expect(() => H1Client.chunk(new Uint8Array(0), [['Host', 'u']])).toThrow(TypeError)
  })
})

describe('other protocols (RFC 9110 §7.8)', () => {
  it('101, and what came behind the request', () => {
    const { server, event } = accepted(`${WEBSOCKET}\x81\x05hello`)
    expect(event.upgrade).toBe('websocket')
    const { head, rest } = server.upgrade([
      ['Upgrade', 'websocket'],
      ['X', 'y'],
    ])
    expect(text(head)).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX: y\r\nConnection: upgrade\r\n\r\n',
    )
    expect(text(rest)).toBe('\x81\x05hello')
    expect([server.upgraded, server.idle, server.shouldClose]).toEqual([true, false, false])
    server.receive(bytes('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
    expect(server.next()).toBeUndefined()
    expect(() => server.export()).toThrow('between messages')
  })

  it.each([
    ['without the connection option', 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n'],
    ['without the field', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n'],
    ['from an HTTP/1.0 client', 'GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ])('%s nothing is asked for', (_, input) => {
    const { server, event } = accepted(input)
    expect(event.upgrade).toBeUndefined()
    expect(() => server.upgrade([['Upgrade', 'websocket']])).toThrow('waits for an upgrade')
  })

  it('a refusal is an ordinary response, and the connection goes on', () => {
    const { server } = accepted(`${WEBSOCKET}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`)
    server.reply({ status: 404 }, NOW)
    expect(server.next()).toMatchObject({ type: 'request', head: { path: '/next' }, upgrade: undefined })
  })

  it('several lines are one list', () => {
    const { event } = accepted(
      'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: a\r\nUpgrade: b/2\r\nConnection: upgrade\r\n\r\n',
    )
    expect(event.upgrade).toBe('a,b/2')
  })

  it('nothing is granted before the request has been read', () => {
    const server = new H1Server()
    const fields = 'Host: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n'
    server.receive(bytes(`POST / HTTP/1.1\r\n${fields}\r\nab`))
    server.next()
    server.accept()
    server.next()
    expect(() => server.upgrade([['Upgrade', 'x']])).toThrow('not been read whole')
    server.receive(bytes('crest'))
    while (server.next() !== undefined);
    expect(text(server.upgrade([['Upgrade', 'x']]).rest)).toBe('rest')
  })

  it('101 names a protocol, and 426 says which', () => {
    expect(() => accepted(WEBSOCKET).server.upgrade([])).toThrow(TypeError)
    const { server } = accepted('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(text(server.reply({ status: 426, headers: [['Upgrade', 'websocket']] }, NOW))).toBe(
      'HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n' +
        `${DATE}Connection: upgrade\r\n\r\n`,
    )
  })

  it('our client asks and is granted, or is not', () => {
    const headers = [HOST, ['Connection', 'upgrade'], ['Upgrade', 'websocket']] as const
    const ask = (): H1Client => {
      const client = new H1Client()
      client.request({ method: 'GET', target: '/', headers })
      expect(() => client.request({ method: 'GET', target: '/', headers: [HOST] })).toThrow(
        'no more requests',
      )
      return client
    }
    const granted = ask()
    const answer = 'HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x82'
    expect(granted.receive(bytes(answer))).toMatchObject([
      { type: 'upgrade', status: 101, rest: bytes('\x82') },
    ])
    expect([granted.reusable, granted.receive(bytes('x')), granted.finish()]).toEqual([false, [], []])
    const refused = ask()
    refused.receive(bytes('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'))
    expect(refused.reusable).toBe(true)
  })

  it('a tunnel begins behind a 2xx response to CONNECT, and only there', () => {
    const ask = (answer: string): [H1Client, H1ClientEvent[]] => {
      const client = new H1Client()
      client.request({ method: 'CONNECT', target: 'b:443', headers: [['Host', 'b:443']] })
      return [client, client.receive(bytes(answer))]
    }
    const [, open] = ask('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab')
    expect(open).toMatchObject([{ type: 'upgrade', status: 200, rest: bytes('ab') }])
    const [client, refused] = ask('HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx')
    expect(refused.map(event => event.type)).toEqual(['response', 'body', 'end'])
    expect(client.reusable).toBe(true)
  })
})

describe('requests that our client does not send', () => {
  it.each([
    ['both lengths', [HOST, ['Content-Length', '3'], ['Transfer-Encoding', 'chunked']]],
    ['two lengths', [HOST, ['Content-Length', '3'], ['Content-Length', '3']]],
    ['a length that is none', [HOST, ['Content-Length', 'x']]],
    ['a length that is not the one', [HOST, ['Content-Length', '4']]],
    ['two hosts', [HOST, HOST]],
    ['another coding', [HOST, ['Transfer-Encoding', 'gzip']]],
  ] as const)('%s', (_, headers) => {
    expect(() => new H1Client().request({ method: 'POST', target: '/', headers }, bytes('abc'))).toThrow(
      TypeError,
    )
  })

  it('any behind one that says close, or over HTTP/1.0', () => {
    const client = new H1Client()
    client.request({ method: 'GET', target: '/', headers: [HOST, ['Connection', 'close']] })
    expect(() => client.request({ method: 'GET', target: '/', headers: [HOST] })).toThrow('no more requests')
    const old = new H1Client()
    expect(text(old.request({ method: 'GET', target: '/', headers: [], version: '1.0' }))).toBe(
      'GET / HTTP/1.0\r\n\r\n',
    )
    old.receive(bytes('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
    expect(old.reusable).toBe(false)
  })

  it('what ought to have content says that it has none', () => {
    const sent = new H1Client().request({ method: 'POST', target: '/', headers: [HOST] })
    expect(text(sent)).toBe('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')
  })
})
