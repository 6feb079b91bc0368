import { describe, expect, it } from 'vitest'
import { Connection } from '../../../src/containers/connection/connection.ts'
import type { ByteStream } from '../../../src/transfer/byte-stream.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { openPair } from '../../../src/transfer/pair.ts'
import { freshHttp } from '../../../src/transfer/parcel.ts'
import { openStream } from '../../../src/transfer/stream.ts'
import { concat, EMPTY, utf8 } from '../../../src/wire/index.ts'
import { FakeHost, freshConnection, get, inboundOf, responses, turn } from '../../support/connection-scene.ts'
import { Talker } from '../../support/http2-scene.ts'

/** Bytes that may wait for a client: what `outlet.ts` says, and the response that was underway then. */
const BOUND = 65_536
const BODY = 40_000

/** What has come on a stream, read only when the test says so. */
function reader(stream: ByteStream) {
  const pieces: Uint8Array[] = []
  stream.read({ bytes: view => void pieces.push(view.slice()), end() {}, error() {} })
  stream.pause()
  return { pieces, length: () => pieces.reduce((sum, { length }) => sum + length, 0) }
}

describe('a client that asks and never reads', () => {
  it.each([false, true])(
    'is not answered over real sockets, until it reads; it ends its side: %j',
    async ends => {
      const [ours, theirs] = await openPair()
      const server = openStream(theirs)
      const client = openStream(ours)
      const heard = reader(client)
      let served = 0
      let most = 0
      const handle = () => {
        served++
        most = Math.max(most, server.unsent)
        return { status: 200, body: new Uint8Array(BODY) }
      }
      const host = new FakeHost(handle, { http: { requests: 1_000_000 } })
      const fresh = { sessionId: new Uint8Array(16), idleLeft: 30_000, inbound: EMPTY }
      const connection = new Connection(host, freshHttp(fresh), server)
      connection.start()
      const count = 1000
      client.write(Array.from({ length: count }, (_, i) => utf8(get(`/${i}`))))
      if (ends) client.end()
      while (!server.queued) await turn()
      for (let i = 0; i < 100; i++) await turn()
      // The client takes nothing: the kernel's buffer is full, and ours has what it may have.
      expect(served).toBeLessThan(count / 2)
      expect(server.unsent).toBeLessThan(BOUND + 2 * BODY)
      client.resume()
      while (heard.length() < count * BODY) await turn()
      await turn()
      expect(responses(concat(...heard.pieces), count).map(({ status }) => status)).toEqual(
        Array(count).fill(200),
      )
      expect(served).toBe(count)
      expect(most).toBeLessThanOrEqual(BOUND)
      connection.stop()
      client.destroy()
    },
  )

  it.each([false, true])('over HTTP/2, TLS %j', async tls => {
    let served = 0
    const host = new FakeHost(() => {
      served++
      return { status: 204, headers: [['x-filler', String(served).padStart(200, 'x')]] }
    })
    const client = new Talker(tls).arrive(host)
    client.request('/echo')
    client.flush()
    const count = 2000
    const { stream } = client
    stream.blocked = true
    stream.sent = []
    for (let id = 3, left = count; left > 0; left -= 200) {
      const frames: Uint8Array[] = []
      for (let i = 0; i < 200; i++, id += 2) frames.push(getFrame(id, tls))
      stream.receive(sealed(client, concat(...frames)))
    }
    expect(stream.paused).toBe(true)
    expect(served).toBeLessThan(600)
    const before = served
    await turn()
    expect(served).toBe(before)
    // It reads at last.
    while (served < count + 1) {
      stream.drain()
      await turn()
    }
    expect(stream.paused).toBe(false)
    expect(stream.finished).toBe(false)
  })

  it('may move with the requests that it has not been answered', async () => {
    const host = new FakeHost(() => ({ status: 200, body: new Uint8Array(BODY) }))
    host.available.add('echo')
    const { connection, stream } = freshConnection(host)
    stream.blocked = true
    stream.receive(utf8(get('/1') + get('/2') + get('/3') + get('/4')))
    connection.drain(true)
    expect(stream.state).toBe('lifting')
    stream.drain()
    const { application } = decodeEnvelope(await host.offers[0]!.frozen)
    expect(application.requestsServed).toBe(2)
    expect(new TextDecoder().decode(inboundOf(application))).toBe(get('/3') + get('/4'))
  })
})

/**
 * HEADERS of a GET request, all of it (RFC 7541 Appendix A: 2, 6 and 4 are its pseudo-fields, 1 is
 * `:authority`).
 */
function getFrame(streamId: number, tls: boolean): Uint8Array {
  // And a field `x` of 60 characters, which is not indexed: so many requests are more than is read ahead.
  const block = [0x82, tls ? 0x87 : 0x86, 0x84, 0x01, 0x01, 0x61, 0, 1, 0x78, 60, ...Array(60).fill(0x61)]
  const id = [streamId >>> 24, streamId >>> 16, streamId >>> 8, streamId]
  return Uint8Array.of(0, 0, block.length, 1, 5, ...id, ...block)
}

function sealed(client: Talker, frames: Uint8Array): Uint8Array {
  if (!client.secured) return frames
  client.session.send(frames)
  return concat(...client.session.takeOutput())
}
