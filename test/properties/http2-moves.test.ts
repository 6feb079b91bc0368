import { describe, expect, it } from 'vitest'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { utf8 } from '../../src/wire/index.ts'
import { FakeHost } from '../support/connection-scene.ts'
import { Talker } from '../support/http2-scene.ts'

/*
 * A whole HTTP/2 connection, from its handshake to its last response, moves between containers at any byte
 * that its client sends. The client sees nothing of it: the answers are those of a connection that never
 * moved.
 */

/** Answers that say what was heard, with fields that fill the tables of both sides. */
function host(more: Partial<FakeHost> = {}): FakeHost {
  const made = new FakeHost(
    ({ method, path, headers, body }) => ({
      status: 200,
      headers: [
        ['server', 'hot'],
        ['x-path', path],
      ],
      body: `${method} ${headers.length} ${body.length} ${String(body.reduce((sum, byte) => sum + byte, 0))}`,
    }),
    { quietMilliseconds: 600_000 },
  )
  made.available.add('echo')
  return Object.assign(made, more)
}

/** The requests of a conversation, one flight after the other. */
function* conversation(client: Talker): Generator<void> {
  const fields = [
    ['user-agent', 'a field that is in the tables'],
    ['cookie', 'a=b'],
  ] as const
  client.request('/1', { headers: fields })
  yield
  const half = client.request('/2', {
    headers: [...fields, ['x-more', 'y'.repeat(100)]],
    body: 'half of ',
    open: true,
  })
  client.request('/3', { headers: fields, body: new Uint8Array(300).fill(7) })
  yield
  client.http.write(half, utf8('it'))
  client.http.end(half, [['sum', '3']])
  client.http.reset(client.request('/4', { open: true }))
  yield
  client.request('/5', { headers: [...fields, ['x-more', 'y'.repeat(100)]] })
  yield
}

/**
 * Talks, and has the connection leave when so many bytes have been sent. @returns what the client has heard,
 * and the bytes it sent
 */
async function talk(
  tls: boolean,
  at: number,
  target: () => FakeHost,
): Promise<{ heard: unknown; bytes: number }> {
  const source = host()
  const client = new Talker(tls).arrive(source, false)
  let sent = 0
  let moved = false
  /** A request that has been accepted is answered first. */
  const follow = async (): Promise<void> => {
    const [offer] = source.offers
    if (moved || offer === undefined) return
    client.move(target(), await offer.frozen)
    moved = true
  }
  for (const _ of conversation(client)) {
    for (let bytes = client.bytes(); bytes.length > 0; bytes = client.bytes()) {
      const cut = Math.max(0, Math.min(bytes.length, at - sent))
      if (cut > 0) client.stream.receive(bytes.subarray(0, cut))
      if (at >= sent && at < sent + bytes.length) client.connection.drain(true)
      await follow()
      if (cut < bytes.length) client.stream.receive(bytes.subarray(cut))
      await follow()
      sent += bytes.length
      client.hear()
    }
  }
  if (at < sent && !moved) throw new Error('the connection has not left')
  const heard = [...client.answers].map(([id, { headers, ...answer }]) => {
    const { date: _, 'x-hotpotato-hops': __, ...kept } = headers
    return [id, { ...answer, headers: kept }]
  })
  return { heard: heard.sort(), bytes: sent }
}

describe.each([
  { name: 'without TLS', tls: false, step: 1, target: () => host() },
  {
    name: 'over TLS, to another provider',
    tls: true,
    // Each has a handshake of its own; all of them are for `npm run test:long`.
    step: process.env.HOTPOTATO_LONG === '1' ? 1 : 7,
    target: () => host({ tls: otherProvider() }),
  },
])('an HTTP/2 connection $name', ({ tls, step, target }) => {
  it('moves without a trace, at any byte', async () => {
    const { heard, bytes } = await talk(tls, Number.POSITIVE_INFINITY, target)
    expect(heard).toHaveLength(4)
    for (let at = 0; at < bytes; at += step) {
      const other = await talk(tls, at, target)
      expect([at, other.heard]).toEqual([at, heard])
    }
  })
})

function otherProvider() {
  const { tls } = host()
  return { ...tls, provider: noble }
}
