import { describe, expect, it } from 'vitest'
import { Connection } from '../../src/containers/connection/connection.ts'
import { H1Client } from '../../src/http/h1/index.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { Session } from '../../src/tls13/index.ts'
import { decodeEnvelope } from '../../src/transfer/envelope.ts'
import { freshHttp, freshTls } from '../../src/transfer/parcel.ts'
import { concat, utf8 } from '../../src/wire/index.ts'
import { FakeHost, FakeStream } from '../support/connection-scene.ts'
import { clientConfig } from '../support/pair.ts'

/*
 * A whole HTTP/1.1 connection, from its handshake to its last response, moves between containers at any byte
 * that its client sends: in a head, in a length, between pipelined requests, in a chunk. The client sees
 * nothing of it.
 */

/** Requests, one flight after the other, and their methods. */
const FLIGHTS: readonly (readonly [methods: readonly string[], bytes: string])[] = [
  [['GET'], 'GET /1?a HTTP/1.1\r\nHost: a\r\nUser-Agent: someone\r\n\r\n'],
  [
    ['POST', 'HEAD', 'GET'],
    'POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x="y"\r\nhello\r\n6\r\n' +
      ' world\r\n0\r\nX-Sum: 11\r\n\r\n' +
      'HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET SCHEME://b/4 HTTP/1.1\r\nHost: b\r\n\r\n',
  ],
  [
    ['POST', 'OPTIONS'],
    `POST /5 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n${'x'.repeat(40)}` +
      'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [['GET'], 'GET /6 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
]

function host(more: Partial<FakeHost> = {}): FakeHost {
  const made = new FakeHost(({ method, path, headers, body }) => ({
    status: 200,
    headers: [['x-path', path]],
    body: `${method} ${headers.length} ${body.length} ${String(body.reduce((sum, byte) => sum + byte, 0))}`,
  }))
  made.available.add('echo')
  return Object.assign(made, more)
}

/**
 * Talks, and has the connection leave when so many bytes have been sent. @returns the answers, how it ended,
 * and the bytes it sent
 */
async function talk(tls: boolean, at: number, target: () => FakeHost) {
  const source = host()
  const session = tls ? Session.client(clientConfig({ alpn: ['http/1.1'] })) : undefined
  const http = new H1Client()
  const answers: unknown[] = []
  let stream = new FakeStream()
  let closed = false
  const sessionId = new Uint8Array(16)
  const hello = { sessionId, idleLeft: 30_000, inbound: concat(...(session?.takeOutput() ?? [])) }
  let connection = new Connection(source, tls ? freshTls(hello) : freshHttp(hello), stream)
  connection.start()

  const take = (bytes: Uint8Array): void => {
    for (const event of http.receive(bytes)) {
      if (event.type === 'error') throw new Error(event.reason)
      if (event.type === 'response') {
        const kept = event.headers.filter(([name]) => !/^(date|x-hotpotato-hops)$/i.test(name))
        answers.push({ status: event.status, kept, body: '' })
      } else if (event.type === 'body') {
        const last = answers.at(-1) as { body: string }
        last.body += new TextDecoder().decode(event.data)
      }
    }
  }
  const hear = (): void => {
    const sent = stream.take()
    closed ||= stream.finished
    if (session === undefined) take(sent)
    for (const event of session?.receive(sent) ?? []) {
      if (event.type === 'application_data') take(event.data)
      if (event.type === 'alert') throw event.error
    }
  }
  let moved = false
  /** A request that a function has begun with is answered first. */
  const follow = async (): Promise<void> => {
    const [offer] = source.offers
    if (moved || offer === undefined) return
    const frozen = await offer.frozen
    hear()
    stream = new FakeStream()
    connection = new Connection(target(), decodeEnvelope(frozen), stream)
    connection.start()
    moved = true
  }
  let sent = 0
  const send = async (bytes: Uint8Array): Promise<void> => {
    const cut = Math.max(0, Math.min(bytes.length, at - sent))
    if (cut > 0) stream.receive(bytes.subarray(0, cut))
    if (at >= sent && at < sent + bytes.length) connection.drain(true)
    await follow()
    if (cut < bytes.length) stream.receive(bytes.subarray(cut))
    await follow()
    sent += bytes.length
    hear()
  }
  hear()
  for (const [methods, flight] of FLIGHTS) {
    const text = flight.replace('SCHEME', tls ? 'https' : 'http')
    for (const method of methods) http.request({ method, target: '/', headers: [['host', 'a']] })
    session?.send(utf8(text))
    await send(session === undefined ? utf8(text) : concat(...session.takeOutput()))
  }
  if (at < sent && !moved) throw new Error('the connection has not left')
  return { heard: { answers, closed }, bytes: sent }
}

describe.each([
  { name: 'without TLS', tls: false, step: 1, target: () => host() },
  {
    name: 'over TLS, to another provider',
    tls: true,
    // Where a record is cut is tried byte by byte in `moves.test.ts`.
    step: process.env.HOTPOTATO_EVERY_BYTE ? 1 : 5,
    target: () => {
      const made = host()
      return Object.assign(made, { tls: { ...made.tls, provider: noble } })
    },
  },
])('an HTTP/1.1 connection $name', ({ tls, step, target }) => {
  it('moves without a trace, at any byte', async () => {
    const { heard, bytes } = await talk(tls, Number.POSITIVE_INFINITY, target)
    expect(heard.answers).toHaveLength(7)
    expect(heard.closed).toBe(true)
    for (let at = 0; at < bytes; at += step) {
      const other = await talk(tls, at, target)
      expect([at, other.heard]).toEqual([at, heard])
    }
  })
})
