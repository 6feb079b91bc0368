import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { H1Client, type H1Event, H1Server, h1State } from '../../../src/http/h1/index.ts'
import { concat, decode, encode } from '../../../src/wire/index.ts'
import { bytes, conversation, joined, limits, serve, text } from '../../support/h1-messages.ts'
import { THROUGH_MOVES } from '../../support/through-moves.ts'

/** How often a property is tried: `HOTPOTATO_LONG=1` does so three times as often. */
const often = (runs: number): number => (process.env.HOTPOTATO_LONG ? runs : Math.ceil(runs / 3))

const LIMITS = { headBytes: 300, headerFields: 8, bodyBytes: 200, requests: 5 }

const FRAGMENTS = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /p?q HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\n' +
    'de\r\n0\r\nT: u\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi',
  'HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nX: \xe4\xff\t y \r\n\r\n',
  'GET / HTTP/1.1',
  'Transfer-Encoding: chunked',
  'Content-Length: 9',
  'Host: b',
  'GET /',
  'HTTP/9.9',
  ' HTTP/2.0\n',
  `A: ${'x'.repeat(120)}`,
  `0;${'e'.repeat(90)}`,
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  ' ',
  ':',
  '\0',
  '5\r\nhello\r\n',
  '0\r\n\r\n',
]

/** Whole requests, pieces of requests and noise. */
const input = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...FRAGMENTS) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 6 }) },
    ),
    { maxLength: 8 },
  )
  .map(parts => bytes(parts.join('')))

const cuts = fc.array(fc.nat(400), { maxLength: 12 })

function pieces(data: Uint8Array, at: readonly number[]): Uint8Array[] {
  const sorted = [0, ...at.map(cut => cut % (data.length + 1)), data.length].sort((a, b) => a - b)
  return sorted.slice(1).map((end, i) => data.slice(sorted[i], end))
}

function inPieces(parts: readonly Uint8Array[]) {
  const server = new H1Server(limits(LIMITS))
  const events: H1Event[] = []
  const sent: Uint8Array[] = []
  for (const part of parts) {
    serve(server, part, events, sent)
    part.fill(0xaa)
  }
  return { server, events: joined(events), sent: text(concat(...sent)) }
}

function expectSame(actual: ReturnType<typeof inPieces>, whole: ReturnType<typeof conversation>): void {
  expect(actual.events).toEqual(whole.events)
  expect(actual.sent.replaceAll('HTTP/1.1 100 Continue\r\n\r\n', '')).toBe(
    whole.sent.replaceAll('HTTP/1.1 100 Continue\r\n\r\n', ''),
  )
  expect(actual.server.shouldClose).toBe(whole.server.shouldClose)
  expect(actual.server.idle).toBe(whole.server.idle)
  expect(actual.server.buffered).toBe(whole.server.buffered)
}

describe('chunking is invisible', () => {
  it('in any pieces', () => {
    fc.assert(
      fc.property(input, cuts, (data, at) => {
        expectSame(inPieces(pieces(data, at)), conversation(data, LIMITS))
      }),
      { numRuns: often(3000) },
    )
  })

  it('byte by byte', () => {
    fc.assert(
      fc.property(input, data => {
        const single = Array.from(data, byte => Uint8Array.of(byte))
        expectSame(inPieces(single), conversation(data, LIMITS))
      }),
      { numRuns: often(1000) },
    )
  })
})

it('connections do not see each other, although their heads are scanned in one memory', () => {
  const streams = [FRAGMENTS.slice(0, 3), FRAGMENTS.slice(2, 5)].map(parts => bytes(parts.join('')))
  const sides = streams.map(() => ({
    server: new H1Server(limits(LIMITS)),
    events: [] as H1Event[],
    sent: [] as Uint8Array[],
  }))
  for (let at = 0; at < 400; at += 3) {
    sides.forEach(({ server, events, sent }, i) => {
      serve(server, streams[i]!.slice(at, at + 3), events, sent)
    })
  }
  sides.forEach(({ server, events, sent }, i) => {
    const actual = { server, events: joined(events), sent: text(concat(...sent)) }
    expectSame(actual, conversation(streams[i]!, LIMITS))
  })
})

describe('a move is invisible', () => {
  const stream = bytes(FRAGMENTS.slice(0, 5).join(''))

  /** Serves the stream, and at byte `index` moves the connection as soon as that is possible. */
  function moved(index: number, announceFirst: boolean) {
    const events: H1Event[] = []
    const sent: Uint8Array[] = []
    let server = new H1Server(limits(LIMITS))
    let pending = true
    const move = (): void => {
      if (!pending || !server.idle) return
      pending = false
      server = new H1Server(limits(LIMITS), decode(h1State, encode(h1State, server.export())))
    }
    serve(server, stream.slice(0, index), events, sent)
    move()
    for (let i = index; i < stream.length; i++) {
      server.receive(stream.slice(i, i + 1))
      // Either the request has been announced here already, or its last byte arrives during the move.
      if (announceFirst && pending && server.idle) server.next()
      move()
      serve(server, new Uint8Array(0), events, sent)
    }
    return { server, events: joined(events), sent: text(concat(...sent)) }
  }

  it.each([true, false])('at every byte; announced before: %s', announceFirst => {
    const whole = conversation(stream, LIMITS)
    expect(whole.events.filter(event => event.type === 'end')).toHaveLength(5)
    for (let index = 0; index <= stream.length; index++) expectSame(moved(index, announceFirst), whole)
  })

  it('of a request that was announced and not accepted', () => {
    fc.assert(
      fc.property(input, data => {
        const first = new H1Server(limits(LIMITS))
        first.receive(data)
        const announced = first.next()
        fc.pre(announced?.type === 'request')
        const second = new H1Server(limits(LIMITS), first.export())
        expect(text(first.export().inbound)).toBe(text(data))
        expect(second.next()).toEqual(announced)
      }),
      { numRuns: 500 },
    )
  })
})

describe('nothing throws out of it', () => {
  const noise = fc.oneof(input, fc.uint8Array({ maxLength: 400 }))

  it('the server', () => {
    fc.assert(
      fc.property(noise, cuts, (data, at) => {
        const { events } = inPieces(pieces(data, at))
        for (const event of events) {
          if (event.type === 'error') expect([400, 413, 414, 417, 431, 501, 505]).toContain(event.status)
        }
      }),
      { numRuns: often(2000) },
    )
  })

  it('the client, to which chunking is invisible too', () => {
    const answers = fc
      .array(
        fc.constantFrom(
          'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc',
          'HTTP/1.1 100 Continue\r\n\r\n',
          'HTTP/1.1 204 \r\n\r\n',
          'HTTP/1.1 200 \xe4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
          'HTTP/1.0 200 OK\r\n\r\n',
          'HTTP/1.1 99',
          '\r\n',
          '\n',
          'HTTP/1.1 200\r\n',
          'HTTP/2.0\n',
        ),
        { maxLength: 6 },
      )
      .map(parts => bytes(parts.join('')))
    const read = (parts: readonly Uint8Array[]) => {
      const client = new H1Client(limits(LIMITS))
      for (let i = 0; i < 6; i++) client.request({ method: 'GET', target: '/', headers: [['Host', 'a']] })
      const events = parts.flatMap(part => client.receive(part))
      events.push(...client.finish())
      const content = events.map(event => (event.type === 'body' ? text(event.data) : '|')).join('')
      return [content, events.filter(event => event.type !== 'body')]
    }
    fc.assert(
      fc.property(fc.oneof(answers, noise), cuts, (data, at) => {
        expect(read(pieces(data, at))).toEqual(read([data]))
      }),
      { numRuns: often(2000) },
    )
  })
})

it('what the client writes, the server reads', () => {
  const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,10}$/)
  const value = fc.stringMatching(/^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?$/)
  const name = token.map(part => `x-${part}`)
  const fields = fc.array(fc.tuple(name, value), { maxLength: 5 })
  fc.assert(
    fc.property(token, fields, fc.uint8Array({ maxLength: 50 }), cuts, (method, headers, body, at) => {
      fc.pre(method !== 'CONNECT' && method !== 'HEAD')
      const client = new H1Client()
      const all = [['Host', 'a'], ...headers] as [string, string][]
      const request = client.request({ method, target: '/x?y', headers: all }, body)
      const sent: Uint8Array[] = []
      const events: H1Event[] = []
      const server = new H1Server()
      for (const piece of pieces(request, at)) serve(server, piece, events, sent)
      const [head, ...rest] = joined(events)
      const length = body.length > 0 ? [['Content-Length', String(body.length)]] : []
      expect(head).toMatchObject({ type: 'request', head: { method, headers: [...all, ...length] } })
      const end = { type: 'end', trailers: [] }
      expect(rest).toEqual(body.length > 0 ? [{ type: 'body', data: body }, end] : [end])
      expect(client.receive(concat(...sent)).map(event => event.type)).toEqual(['response', 'body', 'end'])
      expect(client.reusable).toBe(true)
    }),
    { numRuns: 500 },
  )
})

it('a long head, one byte at a time', () => {
  const server = new H1Server(limits({ headBytes: 65_536 }))
  // Through moves, all of it is copied at each byte: that is quadratic, and ours is not to show it.
  const length = THROUGH_MOVES ? 6500 : 65_000
  const line = bytes(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(length)}`)
  for (const byte of line) {
    server.receive(Uint8Array.of(byte))
    // Of 65,000 times: expect() is slow.
    if (server.next() !== undefined) expect.unreachable('an event before its head is whole')
  }
  server.receive(bytes('\r\n\r\n'))
  expect(server.next()?.type).toBe('request')
})
