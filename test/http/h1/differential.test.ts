import { createServer, type IncomingMessage, request as nodeRequest, type Server } from 'node:http'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { H1Client, type H1ClientEvent, H1Server } from '../../../src/http/h1/index.ts'
import type { Field, RequestHead } from '../../../src/http/message.ts'
import type { HttpHandlers } from '../../../src/http/serving.ts'
import { wholeContent } from '../../../src/http/serving.ts'
import { serveConnection } from '../../../src/transport/serve.ts'
import { concat, EMPTY } from '../../../src/wire/index.ts'
import { bytes, NOW, text } from '../../support/h1-messages.ts'

/*
 * What fast-check makes up goes through our parser and through Node's (llhttp): as messages in order, and as
 * messages that were damaged. Everything happens in memory.
 */

const runs = (numRuns: number) => ({ numRuns: process.env.HOTPOTATO_LONG ? numRuns * 20 : numRuns })

/** Two ends of a stream. */
function duplexPair(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        other().push(chunk)
        setImmediate(done)
      },
      final(done) {
        other().push(null)
        done()
      },
    })
  const ends: [Duplex, Duplex] = [make(() => ends[1]), make(() => ends[0])]
  return ends
}

/** A message as all of them should see it. */
interface Seen {
  readonly start: string
  readonly headers: readonly string[]
  readonly body: string
  readonly trailers: readonly string[]
}

const token = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_.!#'), minLength: 1, maxLength: 12 })
const value = fc
  .string({ unit: fc.constantFrom(...'abc XYZ019;,="/\t\xe4\xff'), maxLength: 20 })
  .map(one => one.replace(/^[ \t]+|[ \t]+$/g, ''))
/** Names that mean something are left to those who make messages. */
const MEANING =
  /^(?:host|connection|content-length|transfer-encoding|expect|upgrade|te|trailer|keep-alive|date)$/i
const fields = fc.array(
  fc.tuple(
    token.filter(name => !MEANING.test(name)),
    value,
  ),
  { maxLength: 5 },
)
const target = fc
  .string({ unit: fc.constantFrom(...'abc/.-_~%20?&=:@'), maxLength: 20 })
  .map(rest => `/${rest}`)
const content = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 4 })
const framing = fc.constantFrom('length' as const, 'chunked' as const)

const message = fc.record({ fields, content, framing, trailers: fields })

describe('what our client sends, Node’s server reads', () => {
  let server: Server
  let seen: (one: Seen) => void

  beforeAll(() => {
    server = createServer(async (incoming, response) => {
      const body = await read(incoming)
      const { method, url, httpVersion, rawHeaders, rawTrailers } = incoming
      seen({ start: `${method} ${url} ${httpVersion}`, headers: rawHeaders, body, trailers: rawTrailers })
      response.end('ok')
    })
  })
  afterAll(() => {
    server.close()
  })

  it('and our client reads its answer', async () => {
    const sent = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'),
      target,
      message,
    })
    const [ours, theirs] = duplexPair()
    server.emit('connection', theirs)
    const client = new H1Client()
    const events: H1ClientEvent[] = []
    let answered = (): void => {}
    ours.on('data', (chunk: Buffer) => {
      events.push(...client.receive(new Uint8Array(chunk)))
      if (events.some(event => event.type === 'end' || event.type === 'error')) answered()
    })
    await fc.assert(
      fc.asyncProperty(
        sent,
        async ({
          method,
          target: path,
          message: { fields: extra, content: pieces, framing: how, trailers },
        }) => {
          const saw = new Promise<Seen>(resolve => {
            seen = resolve
          })
          const done = new Promise<void>(resolve => {
            answered = resolve
          })
          events.length = 0
          const whole = concat(...pieces)
          const headers: Field[] = [['Host', 'a'], ...extra]
          if (how === 'chunked') {
            headers.push(['Transfer-Encoding', 'chunked'])
            ours.write(client.request({ method, target: path, headers }))
            for (const piece of pieces) ours.write(H1Client.chunk(piece))
            ours.write(H1Client.chunk(EMPTY, trailers))
          } else {
            headers.push(['Content-Length', String(whole.length)])
            ours.write(client.request({ method, target: path, headers }, whole))
          }
          expect(await saw).toEqual({
            start: `${method} ${path} 1.1`,
            headers: headers.flat(),
            body: text(whole),
            trailers: how === 'chunked' ? trailers.flat() : [],
          })
          await done
          const body = events.flatMap(event => (event.type === 'body' ? [text(event.data)] : []))
          expect([events[0], body.join('')]).toMatchObject([{ type: 'response', status: 200 }, 'ok'])
          expect(client.reusable).toBe(true)
        },
      ),
      runs(60),
    )
    ours.destroy()
  })
})

describe('what Node’s client sends, our server reads', () => {
  it('and Node’s client reads our answer', async () => {
    const exchange = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD'),
      path: target,
      asked: message,
      status: fc.constantFrom(200, 201, 204, 304, 404, 500, 599),
      answer: message,
    })
    await fc.assert(
      fc.asyncProperty(exchange, async ({ method, path, asked, status, answer }) => {
        let saw: { head: RequestHead; body: string } | undefined
        const whole = concat(...answer.content)
        const app: HttpHandlers = {
          async request(request, response) {
            const { method: verb, target: url, headers } = request
            saw = {
              head: { method: verb, target: url, headers } as RequestHead,
              body: text(await wholeContent(request)),
            }
            if (answer.framing === 'length') {
              response.reply({ status, headers: answer.fields, body: whole })
              return
            }
            response.begin({ status, headers: answer.fields, length: undefined })
            for (const piece of answer.content) await response.write(piece)
            response.end(answer.trailers)
          },
        }
        const [ours, theirs] = duplexPair()
        serveConnection(ours, app)
        const outgoing = nodeRequest({ method, path, createConnection: () => theirs as never, host: 'a' })
        for (const [name, one] of asked.fields) outgoing.setHeader(name, one)
        const bodiless = method === 'GET' || method === 'HEAD' || method === 'DELETE'
        const body = bodiless ? EMPTY : concat(...asked.content)
        if (!bodiless && asked.framing === 'length') outgoing.setHeader('Content-Length', body.length)
        if (!bodiless) for (const piece of asked.content) outgoing.write(piece)
        outgoing.end()
        const incoming = await new Promise<IncomingMessage>((resolve, reject) =>
          outgoing.once('response', resolve).once('error', reject),
        )
        const received = await read(incoming)
        const lower = (list: readonly Field[]): string[][] =>
          list.map(([name, one]) => [name.toLowerCase(), one])
        const expected = new Map(lower(asked.fields).map(([name, one]) => [name, one] as const))
        expect(saw).toMatchObject({ head: { method, target: path }, body: text(body) })
        const there = lower(saw!.head.headers).filter(([name]) => expected.has(name!))
        expect(new Map(there as [string, string][])).toEqual(expected)
        const empty = method === 'HEAD' || status === 204 || status === 304
        expect([incoming.statusCode, received, incoming.complete]).toEqual([
          status,
          empty ? '' : text(whole),
          true,
        ])
        expect(incoming.rawHeaders.slice(0, 2 * answer.fields.length)).toEqual(answer.fields.flat())
        const trailing = answer.framing === 'chunked' && !empty ? answer.trailers.flat() : []
        expect(incoming.rawTrailers).toEqual(trailing)
        theirs.destroy()
        ours.destroy()
      }),
      runs(60),
    )
  })
})

async function read(incoming: IncomingMessage): Promise<string> {
  let body = ''
  for await (const piece of incoming.setEncoding('latin1')) body += piece
  return body
}

/** Requests and bits of requests, damaged here and there. */
const BITS = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\n' +
    'de\r\n0\r\nT: u\r\n\r\n',
  'PUT / HTTP/1.1\r\nhost: a\r\nX: y\r\ncontent-length: 0\r\n\r\n',
  'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
]
const NOISE = [
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  ':',
  '\0',
  '\x0b',
  ',',
  ';',
  '0',
  '5',
  'f',
  'x',
  '\xff',
  'HTTP/1.1',
  'chunked',
  '-',
  '"',
]

const damaged = fc
  .record({
    parts: fc.array(fc.constantFrom(...BITS), { minLength: 1, maxLength: 3 }),
    wounds: fc.array(fc.record({ at: fc.nat(400), remove: fc.nat(3), add: fc.constantFrom('', ...NOISE) }), {
      maxLength: 3,
    }),
  })
  .map(({ parts, wounds }) => {
    let input = parts.join('')
    for (const { at, remove, add } of wounds) {
      const place = at % (input.length + 1)
      input = input.slice(0, place) + add + input.slice(place + remove)
    }
    return input
  })

describe('what is damaged', () => {
  /** What Node's server reads of the stream until it has enough of it. */
  async function byNode(input: string): Promise<Seen[]> {
    // Node reads requests ahead of its answers, so each gets its place when it begins.
    const seen: (Seen | undefined)[] = []
    const server = createServer(async (incoming, response) => {
      const place = seen.push(undefined) - 1
      const body = await read(incoming).catch(() => undefined)
      const { method, url, httpVersion, rawHeaders, rawTrailers } = incoming
      if (body !== undefined && incoming.complete)
        seen[place] = {
          start: `${method} ${url} ${httpVersion}`,
          headers: rawHeaders,
          body,
          trailers: rawTrailers,
        }
      response.end()
    })
    server.on('clientError', (_error, socket) => socket.destroy())
    server.on('upgrade', (_request, socket) => socket.destroy())
    server.on('connect', (_request, socket) => socket.destroy())
    const [ours, theirs] = duplexPair()
    server.emit('connection', theirs)
    ours.on('error', () => {}).resume()
    ours.end(bytes(input))
    // All of it happens in memory, so it is over after a few turns of the loop; a message that waits for more
    // would wait for ever.
    for (let turn = 0; turn < 30; turn++) await new Promise(resolve => setImmediate(resolve))
    theirs.destroy()
    ours.destroy()
    const gap = seen.indexOf(undefined)
    return (gap < 0 ? seen : seen.slice(0, gap)) as Seen[]
  }

  function byUs(input: string): Seen[] {
    const server = new H1Server()
    const seen: Seen[] = []
    let head: RequestHead | undefined
    let body = ''
    server.receive(bytes(input))
    for (let event = server.next(); event !== undefined; event = server.next()) {
      if (event.type === 'request') {
        head = event.head
        body = ''
        server.accept()
      } else if (event.type === 'body') body += text(event.data)
      else if (event.type === 'end') {
        const { method, target: url, version, headers } = head!
        seen.push({
          start: `${method} ${url} ${version}`,
          headers: headers.flat(),
          body,
          trailers: event.trailers.flat(),
        })
        server.reply({ status: 200 }, NOW)
      } else break
    }
    return seen
  }

  it('may be taken by one and refused by the other, but is never read in two ways', async () => {
    let both = 0
    let neither = 0
    await fc.assert(
      fc.asyncProperty(damaged, async input => {
        const ours = byUs(input)
        const theirs = await byNode(input)
        const count = Math.min(ours.length, theirs.length)
        if (count > 0) both++
        else neither++
        expect(ours.slice(0, count)).toEqual(theirs.slice(0, count))
      }),
      { ...runs(250) },
    )
    expect(Math.min(both, neither)).toBeGreaterThan(10)
  })
})
