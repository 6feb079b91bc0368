import { describe, expect, it } from 'vitest'
import type { Http2 } from '../../../src/containers/protocol/http2.ts'
import type { FunctionModule } from '../../../src/functions/module.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { FakeHost, freshConnection, get, responses, turn } from '../../support/connection-scene.ts'
import { Talker } from '../../support/http2-scene.ts'

/** Bytes that may be ahead of what the client takes, by stream: what waits for it, and one piece more. */
const AHEAD = 2 * 65_536
const LENGTH = 3_000_000
const PIECE = 20_000
const BYTES = Uint8Array.from({ length: LENGTH }, (_, index) => index % 251)
const TEXT = `${'a'.repeat(LENGTH - 2)}\u00e4`

/** Gives the same as a stream, and says how much of it was asked for. */
function counting(): { readonly module: FunctionModule; readonly produced: () => number } {
  let produced = 0
  const fetch = () => {
    let at = 0
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      controller.enqueue(BYTES.slice(at, at + PIECE))
      at += PIECE
      produced += PIECE
      if (at >= LENGTH) controller.close()
    }
    return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }))
  }
  return { module: { kind: 'fetch', file: 'test', fetch }, produced: () => produced }
}

const SOURCES: Readonly<Record<string, () => { module: FunctionModule; produced?: () => number }>> = {
  'a stream': counting,
  'bytes of a raw handler': () => ({
    module: { kind: 'raw', file: 'test', handle: () => ({ status: 200, body: BYTES }) },
  }),
  'a text of a raw handler': () => ({
    module: { kind: 'raw', file: 'test', handle: () => ({ status: 200, body: TEXT }) },
  }),
  'bytes in a Response': () => ({
    module: { kind: 'fetch', file: 'test', fetch: () => new Response(BYTES) },
  }),
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await turn()
}
const sameAs = (body: string, text: boolean): boolean =>
  Buffer.from(body, 'latin1').equals(text ? utf8(TEXT) : BYTES)

describe('a client that takes nothing', () => {
  it.each(Object.entries(SOURCES))(
    'has hardly anything made for it over HTTP/1.1: %s',
    async (name, source) => {
      const { module, produced } = source()
      const host = Object.assign(new FakeHost(), { module })
      const { stream } = freshConnection(host)
      stream.blocked = true
      stream.receive(utf8(get('/echo')))
      await settled()
      expect(stream.unsent).toBeGreaterThan(0)
      expect(stream.unsent).toBeLessThan(AHEAD)
      expect(produced?.() ?? 0).toBeLessThan(AHEAD + PIECE)
      // It takes it after all.
      while (stream.queued) {
        stream.drain()
        stream.blocked = true
        await settled()
      }
      const [answer] = responses(stream.take(), 1)
      if (name.includes('text')) expect(answer!.body).toBe(TEXT)
      else expect(answer!.body).toBe(new TextDecoder().decode(BYTES))
      stream.blocked = false
      stream.receive(utf8(get('/echo')))
      await settled()
      expect(stream.take().length).toBeGreaterThan(0)
    },
  )

  it.each(Object.entries(SOURCES))(
    'has hardly anything made for it over HTTP/2: %s',
    async (name, source) => {
      const { module, produced } = source()
      const host = Object.assign(new FakeHost(), { module })
      const client = new Talker(false).arrive(host)
      const ids = [0, 1, 2, 3].map(() => client.request('/echo'))
      // The client consumes nothing, and so never opens a window.
      const consume = client.http.consume.bind(client.http)
      const kept: [number, number][] = []
      client.http.consume = (id, count) => void kept.push([id, count])
      client.flush()
      for (let i = 0; i < 5; i++) {
        await settled()
        client.hear()
      }
      const { http } = client.connection.protocol as Http2
      const taken = ids.reduce((sum, id) => sum + client.answer(id).body.length, 0)
      // As much as the windows had room for at the beginning.
      expect(taken).toBeLessThanOrEqual(1_048_576)
      expect(http.unsent).toBeLessThanOrEqual(ids.length * 65_536)
      expect(produced?.() ?? 0).toBeLessThan(taken + ids.length * (AHEAD + PIECE))
      client.http.consume = consume
      for (const [id, count] of kept) consume(id, count)
      while (!ids.every(id => client.answer(id).ended)) {
        client.flush()
        await turn()
        client.hear()
      }
      for (const id of ids) expect(sameAs(client.answer(id).body, name.includes('text'))).toBe(true)
      expect(http.openStreams).toBe(0)
    },
  )
})
