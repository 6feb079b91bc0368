import { describe, expect, it, vi } from 'vitest'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { utf8 } from '../../../src/wire/index.ts'
import {
  FakeHost,
  FakeStream,
  freshConnection,
  get,
  inboundOf,
  movedConnection,
  REFUSED,
  responses,
  STOPS,
  turn,
} from '../../support/connection-scene.ts'

/* How a connection leaves its container, and what becomes of it if no other one takes it. */

describe('moves', () => {
  it('offers itself at the first request of another function, with everything that came', async () => {
    const host = new FakeHost()
    const later = `${get('/hello/2')}POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab`
    const { stream } = freshConnection(host, get('/echo') + get('/hello/1') + later)
    expect(responses(stream.take(), 1)).toHaveLength(1)
    expect(stream.state).toBe('lifted')
    const { application, generation, hops } = decodeEnvelope(await host.offers[0]!.frozen)
    expect({ generation, hops }).toEqual({ generation: 1, hops: 1 })
    expect(application.requestsServed).toBe(1)
    expect(new TextDecoder().decode(inboundOf(application))).toBe(get('/hello/1') + later)
    host.offers[0]!.settle({ state: 'gone' })
    expect(stream.closedBy).toBe('destroy')
    expect(host.ends).toEqual(['moved'])
  })

  it('takes what the stream had read but not given along', async () => {
    const host = new FakeHost()
    const { stream } = freshConnection(host)
    stream.pause()
    stream.receive(utf8(get('/hello') + get('/echo')))
    // As when the kernel gives one piece, and the rest comes with the lift.
    stream.resume()
    const { application } = decodeEnvelope(await host.offers[0]!.frozen)
    expect(new TextDecoder().decode(inboundOf(application))).toBe(get('/hello') + get('/echo'))
  })

  it('keeps its own copy of what came, while its answers wait for the client', async () => {
    const host = new FakeHost()
    const stream = new FakeStream()
    const { connection } = freshConnection(host, '', stream)
    stream.blocked = true
    stream.receive(utf8(get('/echo') + get('/hello/1') + get('/hello/2')))
    // Another connection's bytes go through the same buffer meanwhile.
    const other = freshConnection(new FakeHost()).stream
    other.receive(utf8(get('/other')))
    stream.drain()
    const { application } = decodeEnvelope(await host.offers[0]!.frozen)
    expect(new TextDecoder().decode(inboundOf(application))).toBe(get('/hello/1') + get('/hello/2'))
    expect(connection.id).toHaveLength(32)
  })

  it.each([
    ['is about to stop', STOPS],
    ['is gone', { state: 'owned', verdict: undefined } as const],
  ])('waits where it is when the one that it was offered to %s, and goes to the next', async (_, release) => {
    const host = new FakeHost()
    const { connection, stream } = freshConnection(host, get('/hello') + get('/echo/next'))
    host.available.delete('hello')
    host.offers[0]!.settle(release)
    expect([stream.take().length, host.offers.length, connection.phase]).toEqual([0, 1, 'open'])
    host.available.add('hello')
    connection.available()
    // The next attempt is a later generation.
    const { application, generation } = decodeEnvelope(await host.offers[1]!.frozen)
    expect(generation).toBe(2)
    expect(new TextDecoder().decode(inboundOf(application))).toBe(get('/hello') + get('/echo/next'))
    host.offers[1]!.settle({ state: 'gone' })
    expect(host.ends).toEqual(['moved'])
  })

  it('takes itself up again when it was refused, answers 503 and goes on', async () => {
    const host = new FakeHost()
    const { stream } = freshConnection(host, get('/hello') + get('/echo/next'))
    host.offers[0]!.settle(REFUSED)
    const [refusal, next] = responses(stream.take(), 2)
    expect(refusal).toMatchObject({ status: 503, headers: { 'content-type': 'application/problem+json' } })
    expect(next).toMatchObject({ status: 200, body: 'GET /echo/next' })
    expect(host.ends).toEqual([])
    // The next attempt is a later generation.
    stream.receive(utf8(get('/resize')))
    expect(decodeEnvelope(await host.offers[1]!.frozen).generation).toBe(2)
    host.offers[1]!.settle({ state: 'gone' })
    expect(host.ends).toEqual(['moved'])
  })

  it('answers 503 where it is when no container comes, and goes on', async () => {
    const host = new FakeHost(undefined, { timers: { container: 1 } })
    const body = 'POST /nobody HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde'
    const { stream } = freshConnection(host, get('/nobody') + body + get('/echo'))
    await vi.waitUntil(() => stream.sent.length === 3)
    expect(responses(stream.take(), 3).map(({ status }) => status)).toEqual([503, 503, 200])
    expect(host.ends).toEqual([])
  })

  it('ends without a word when it is not known who has it', async () => {
    for (const reason of ['lost', 'expired'] as const) {
      const host = new FakeHost()
      const { stream } = freshConnection(host, get('/hello'))
      await turn()
      host.offers[0]!.settle({ state: 'ended', reason })
      expect(stream.take()).toHaveLength(0)
      expect(stream.closedBy).toBe('shutdown')
      expect(host.ends).toEqual(['unclean'])
    }
  })

  it('is no unclean end when the client goes before anything was sent', async () => {
    const host = new FakeHost()
    const stream = new FakeStream()
    stream.blocked = true
    freshConnection(host, get('/echo') + get('/hello'), stream)
    await stream.reset()
    expect(host.ends).toEqual(['ended'])
  })

  it('goes on at the target as if nothing had happened', async () => {
    const host = new FakeHost()
    freshConnection(host, get('/echo') + get('/hello') + get('/nobody'))
    const target = new FakeHost(({ path }) => ({ status: 200, body: path }), { timers: { container: 1 } })
    Object.assign(target, { functionName: 'hello', container: 'hello-1' })
    const { stream } = movedConnection(target, await host.offers[0]!.frozen)
    await vi.waitUntil(() => stream.sent.length === 2)
    const answers = responses(stream.take(), 2)
    expect(answers[0]).toMatchObject({ body: '/hello', headers: { 'x-hotpotato-hops': '1' } })
    expect(answers[1]!.status).toBe(503)
  })
})
