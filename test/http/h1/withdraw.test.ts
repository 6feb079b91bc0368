import { describe, expect, it } from 'vitest'
import { type H1Event, H1Server, h1State } from '../../../src/http/h1/index.ts'
import { concat, decode, encode } from '../../../src/wire/index.ts'
import { bytes, limits, NOW, text } from '../../support/h1-messages.ts'

const HEAD = 'POST /up HTTP/1.1\r\nHost: a\r\n'
const BODIES: readonly (readonly [string, string, string])[] = [
  ['by length', `${HEAD}Content-Length: 12\r\n\r\nHello, world`, 'Hello, world'],
  [
    'in chunks',
    `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n7;a=b\r\n, world\r\n0\r\n\r\n`,
    'Hello, world',
  ],
  [
    'with trailers',
    `${HEAD}Transfer-Encoding: chunked\r\n\r\nc\r\nHello, world\r\n0\r\nA: b\r\n\r\n`,
    'Hello, world',
  ],
  ['of nothing in chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n`, ''],
]
const NEXT = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n'

/** Takes all events that there are, and requests with them. */
function pull(server: H1Server, content: Uint8Array[]): H1Event[] {
  const events: H1Event[] = []
  for (let event = server.next(); event !== undefined; event = server.next()) {
    events.push(event)
    if (event.type === 'request') server.accept()
    if (event.type === 'body') content.push(event.data)
    if (event.type === 'error') throw new Error(event.reason)
  }
  return events
}

describe('a request that is withdrawn', () => {
  it.each(BODIES)(
    'at any byte, once and again, is the same request elsewhere: content %s',
    (_, request, body) => {
      const input = bytes(request + NEXT)
      for (let first = request.indexOf('\r\n\r\n') + 4; first < request.length; first++) {
        for (const second of [first, Math.min(first + 1, request.length - 1), request.length - 1]) {
          let server = new H1Server(limits({}))
          let content: Uint8Array[] = []
          let at = 0
          for (const stop of [first, second]) {
            // Byte by byte, so that framing is torn everywhere.
            for (; at < stop; at++) {
              server.receive(input.slice(at, at + 1))
              pull(server, content)
            }
            server.withdraw(content)
            expect(server.idle).toBe(true)
            server = new H1Server(limits({}), decode(h1State, encode(h1State, server.export())))
            content = []
            expect(pull(server, content)[0]).toMatchObject({ type: 'request', head: { path: '/up' } })
          }
          server.receive(input.slice(at))
          const end = pull(server, content).at(-1)
          expect(text(concat(...content)), `${first} ${second}`).toBe(body)
          expect(end).toEqual({ type: 'end', trailers: request.includes('A: b') ? [['A', 'b']] : [] })
          server.reply({ status: 204 }, NOW)
          expect(server.next()).toMatchObject({ type: 'request', head: { path: '/next' } })
        }
      }
    },
  )

  it('may go on where it was', () => {
    const server = new H1Server()
    const content: Uint8Array[] = []
    server.receive(bytes(`${HEAD}Content-Length: 4\r\n\r\nab`))
    pull(server, content)
    server.withdraw(content)
    content.length = 0
    server.receive(bytes('cd'))
    expect(pull(server, content).map(({ type }) => type)).toEqual(['request', 'body', 'end'])
    expect(text(concat(...content))).toBe('abcd')
    server.reply({ status: 204 }, NOW)
    expect(server.requestsServed).toBe(1)
    expect(server.shouldClose).toBe(false)
  })

  it('must not have ended, nor been answered', () => {
    const server = new H1Server()
    expect(() => server.withdraw([])).toThrow('no request can be withdrawn')
    server.receive(bytes(`${HEAD}Content-Length: 2\r\n\r\na`))
    const content: Uint8Array[] = []
    pull(server, content)
    server.receive(bytes('b'))
    pull(server, content)
    expect(() => server.withdraw(content)).toThrow('no request can be withdrawn')
    server.reply({ status: 204 }, NOW)
    server.receive(bytes(`${HEAD}Content-Length: 2\r\n\r\na`))
    pull(server, [])
    server.respond({ status: 200, headers: [], length: 1 }, NOW)
    expect(() => server.withdraw([bytes('a')])).toThrow('no request can be withdrawn')
  })

  it('has its client told to go on again unless that sends already', () => {
    for (const sent of ['', 'a']) {
      const server = new H1Server()
      server.receive(bytes(`${HEAD}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n`))
      const content: Uint8Array[] = []
      pull(server, content)
      expect(text(server.continue())).toBe('HTTP/1.1 100 Continue\r\n\r\n')
      server.receive(bytes(sent))
      pull(server, content)
      server.withdraw(content)
      const restored = new H1Server(undefined, server.export())
      expect(restored.next()).toMatchObject({ type: 'request', expectsContinue: true })
      restored.accept()
      expect(text(restored.continue())).toBe(sent === '' ? 'HTTP/1.1 100 Continue\r\n\r\n' : '')
    }
  })
})
