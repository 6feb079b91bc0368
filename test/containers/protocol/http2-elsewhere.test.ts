import { describe, expect, it, vi } from 'vitest'
import { ErrorCode } from '../../../src/http/h2/index.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { FakeHost, REFUSED, turn } from '../../support/connection-scene.ts'
import { helloHost, PATIENT, Talker, waitingFunction } from '../../support/http2-scene.ts'

/* Requests over HTTP/2 for other functions, and connections that have to leave. */

describe('a request for another function over HTTP/2', () => {
  it('moves a quiet connection, with everything that has been said on it', async () => {
    const [host, target] = [new FakeHost(), helloHost()]
    const client = new Talker(true).arrive(host)
    const first = client.request('/echo', { headers: [['x-long', 'kept in the tables of both sides']] })
    client.flush()
    const second = client.request('/hello/1', {
      headers: [['x-long', 'kept in the tables of both sides']],
      body: 'with content',
    })
    client.flush()
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['hello'])
    const frozen = await host.offers[0]!.frozen
    expect(decodeEnvelope(frozen)).toMatchObject({
      hops: 1,
      generation: 1,
      application: { protocol: 'http2', requestsServed: 1 },
    })
    host.offers[0]!.settle({ state: 'gone' })
    client.move(target, frozen).flush()
    expect(client.answer(first)).toMatchObject({ status: 200, body: 'GET /echo' })
    expect(client.answer(second)).toMatchObject({
      body: 'POST /hello/1',
      headers: { 'x-hotpotato-container': 'hello-1', 'x-hotpotato-hops': '1' },
    })
    expect(host.ends).toEqual(['moved'])
    // And back.
    client.request('/echo')
    client.flush()
    expect(target.offers.map(({ functionName }) => functionName)).toEqual(['echo'])
  })

  it('is found by :authority where the path names none, and the path beats it', () => {
    const host = new FakeHost()
    const client = new Talker(true).arrive(host)
    client.request('/echo', { authority: 'hello.local' })
    client.flush()
    expect(host.offers).toEqual([])
    client.request('/x', { authority: 'hello.local' })
    client.flush()
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['hello'])
  })

  it('goes along unread, several at once, also half of one', async () => {
    const { waiting, handle } = waitingFunction()
    const host = new FakeHost()
    const client = new Talker(true).arrive(host)
    client.request('/hello/1')
    const open = client.request('/hello/2', { body: 'half ', open: true })
    client.flush()
    const frozen = await host.offers[0]!.frozen
    client.move(helloHost(handle), frozen)
    client.http.write(open, utf8('and half'))
    client.http.end(open)
    client.flush()
    expect(waiting.map(({ request }) => [request.path, new TextDecoder().decode(request.body)])).toEqual([
      ['/hello/1', ''],
      ['/hello/2', 'half and half'],
    ])
  })

  it('is answered with 503 where no container takes it, and the connection goes on', async () => {
    const host = new FakeHost(undefined, { timers: { container: 1 } })
    const client = new Talker(true).arrive(host)
    const nobody = client.request('/nobody')
    client.flush()
    await vi.waitUntil(() => client.hear().answers.has(nobody))
    expect(client.answer(nobody)).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    const refused = client.request('/hello')
    client.flush()
    await turn()
    host.offers[0]!.settle(REFUSED)
    client.hear()
    expect(client.answer(refused).status).toBe(503)
    const next = client.request('/echo')
    client.flush()
    expect(client.answer(next).status).toBe(200)
    // The refusal counts for what waited then.
    client.request('/hello')
    client.flush()
    expect(host.offers).toHaveLength(2)
  })

  it('ends with the connection when it is not known who owns it', async () => {
    const host = new FakeHost()
    const client = new Talker(true).arrive(host)
    client.request('/hello')
    client.flush()
    await turn()
    host.offers[0]!.settle({ state: 'ended', reason: 'expired' })
    expect([client.stream.closedBy, host.ends]).toEqual(['shutdown', ['unclean']])
  })

  it('takes along what functions have given and windows have not let through', async () => {
    const host = new FakeHost(() => ({ status: 200, body: new Uint8Array(320_000).fill(65) }))
    const client = new Talker(true).arrive(host)
    const consume = client.http.consume
    client.http.consume = () => {}
    const id = client.request('/echo')
    client.flush()
    while (client.answer(id).body.length < 262_144) {
      await turn()
      client.flush()
    }
    await turn()
    client.request('/hello')
    client.flush()
    client.move(helloHost(), await host.offers[0]!.frozen)
    client.http.consume = consume
    client.http.consume(id, 262_144)
    client.flush()
    expect(client.answer(id)).toMatchObject({ body: 'A'.repeat(320_000), ended: true })
  })

  it('does not carry about, move by move, what is for a function without a container', () => {
    const host = new FakeHost(undefined, PATIENT)
    const client = new Talker(true).arrive(host)
    const kept = client.request('/nobody', { open: true, body: new Uint8Array(70_000) })
    client.flush()
    client.request('/hello')
    client.flush()
    expect(host.offers).toEqual([])
    client.http.reset(kept)
    client.flush()
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['hello'])
  })

  it('waits as long as there is much of that', async () => {
    const host = new FakeHost(() => ({ status: 200, body: new Uint8Array(800_000).fill(65) }), PATIENT)
    const client = new Talker(true).arrive(host)
    const consume = client.http.consume
    client.http.consume = () => {}
    const id = client.request('/echo')
    client.request('/hello')
    client.flush()
    for (let i = 0; i < 20; i++) {
      await turn()
      client.flush()
    }
    expect(host.offers).toEqual([])
    client.http.consume = consume
    client.http.consume(id, 262_144)
    while (host.offers.length === 0) {
      client.flush()
      await turn()
    }
    const frozen = await host.offers[0]!.frozen
    client.move(helloHost(), frozen).flush()
    expect(client.answer(id)).toMatchObject({ body: 'A'.repeat(800_000), ended: true })
  })
})

/** A connection that has to leave while its function works on one request; another one is held back. */
function leaving() {
  const { waiting, handle } = waitingFunction()
  const host = new FakeHost(handle, PATIENT)
  host.available.add('echo')
  const client = new Talker(true).arrive(host)
  const first = client.request('/1')
  client.flush()
  client.connection.drain(true)
  const second = client.request('/2')
  client.flush()
  return { waiting, host, client, first, second }
}

describe('a connection that has to leave', () => {
  it('goes with the requests that came meanwhile, after the one that is underway', async () => {
    const { waiting, host, client, first, second } = leaving()
    expect(waiting).toHaveLength(1)
    waiting[0]!.answer({ status: 200, body: 'one' })
    await turn()
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['echo'])
    client.move(new FakeHost(), await host.offers[0]!.frozen)
    expect([client.answer(first).body, client.answer(second).body]).toEqual(['one', 'GET /2'])
  })

  it('serves what it held back when no container takes it, and says goodbye', async () => {
    const host = new FakeHost()
    const client = new Talker(true).arrive(host)
    client.connection.drain(true)
    client.flush()
    expect(client.events.map(({ type }) => type)).toEqual(['goaway', 'goaway'])
    expect([client.stream.finished, host.ends]).toEqual([true, []])
  })

  it('is taken back by its owner, which serves what was held back, and says goodbye', async () => {
    const { waiting, host, client, first, second } = leaving()
    waiting[0]!.answer({ status: 200, body: 'one' })
    await turn()
    host.offers[0]!.settle(REFUSED)
    client.flush()
    waiting[1]!.answer({ status: 200, body: 'two' })
    await turn()
    client.hear()
    client.flush()
    expect([client.answer(first).body, client.answer(second).body]).toEqual(['one', 'two'])
    expect([client.closed, client.stream.finished]).toEqual([true, true])
  })

  it('tells the client which requests it may send again', async () => {
    const { handle } = waitingFunction()
    const host = new FakeHost(handle, PATIENT)
    const client = new Talker(true).arrive(host)
    client.request('/1')
    client.flush()
    client.connection.drain(true)
    const held = client.request('/2')
    client.flush()
    client.connection.stop()
    client.hear()
    expect(client.answer(held)).toMatchObject({ reset: ErrorCode.REFUSED_STREAM, retryable: true })
    expect(client.closed).toBe(true)
  })
})
