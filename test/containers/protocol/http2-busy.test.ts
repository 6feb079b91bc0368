import { beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/wire/index.ts'
import { FakeHost, turn } from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { helloHost, Talker, waitingFunction } from '../../support/http2-scene.ts'

let clock = new HandClock()

/* Requests for other functions on a connection of HTTP/2 that is busy: they wait, move or are lent. */

/** A client with a container whose function answers when the test says so. */
function arrived() {
  const { waiting, handle } = waitingFunction()
  const host = new FakeHost(handle, { clock })
  return { waiting, host, client: new Talker(true).arrive(host) }
}

/** What a container that has been lent a request answers. */
function answered(body: string) {
  const [status, length, headers, trailers] = [200, undefined, [], []]
  return { outcome: 'answered', status, headers, length, trailers, body: utf8(body) } as const
}

describe('on a busy connection', () => {
  beforeEach(() => {
    clock = new HandClock()
  })

  it('a request for another function waits, and moves with the connection', async () => {
    const { waiting, host, client } = arrived()
    const own = client.request('/echo')
    const foreign = client.request('/hello')
    client.flush()
    clock.pass(40)
    expect([host.offers, host.loans]).toEqual([[], []])
    waiting[0]!.answer({ status: 200, body: 'done' })
    await turn()
    expect(host.offers).toHaveLength(1)
    client.move(helloHost(), await host.offers[0]!.frozen)
    expect(client.answer(own).body).toBe('done')
    expect(client.answer(foreign).body).toBe('GET /hello')
  })

  it('is lent if that takes too long, and so are those that follow', async () => {
    const { waiting, host, client } = arrived()
    const own = client.request('/echo')
    const foreign = client.request('/hello?a=b', { body: 'content', headers: [['x-field', 'value']] })
    client.flush()
    clock.pass(60)
    expect(host.loans.map(({ functionName }) => functionName)).toEqual(['hello'])
    expect(host.loans[0]!.request).toMatchObject({
      method: 'POST',
      path: '/hello',
      query: 'a=b',
      body: utf8('content'),
      tls: true,
      alpn: 'h2',
      requestIndex: 1,
      remoteAddress: '192.0.2.1',
    })
    host.loans[0]!.settle({
      ...answered('lent'),
      headers: [{ name: 'x-hotpotato-container', value: 'hello-1' }],
      trailers: [{ name: 'x-sum', value: '7' }],
    })
    client.hear()
    expect(client.events).toContainEqual(
      expect.objectContaining({ type: 'trailers', streamId: foreign, headers: [['x-sum', '7']] }),
    )
    expect(client.answer(foreign)).toMatchObject({
      status: 200,
      body: 'lent',
      headers: { 'x-hotpotato-container': 'hello-1', 'x-hotpotato-lent-by': 'echo-1' },
    })
    client.request('/hello')
    client.flush()
    expect(host.loans).toHaveLength(2)
    waiting[0]!.answer({ status: 200, body: 'own' })
    await turn()
    client.hear()
    expect(client.answer(own).body).toBe('own')
    expect(host.offers).toEqual([])
  })

  it('is lent at once when both functions are asked side by side', () => {
    const { host, client } = arrived()
    client.request('/echo')
    client.request('/hello')
    client.request('/echo')
    client.flush()
    expect([host.loans.length, host.offers.length]).toEqual([1, 0])
  })

  it('moves after all when no request is for this function any more', async () => {
    const { waiting, host, client } = arrived()
    client.request('/hello')
    client.request('/echo')
    client.flush()
    client.request('/hello')
    waiting[0]?.answer({ status: 200 })
    await turn()
    for (let i = 0; i < 20 && host.offers.length === 0; i++) {
      for (const { settle } of host.loans.splice(0)) settle(answered(''))
      client.hear()
      client.request('/hello')
      client.flush()
    }
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['hello'])
  })

  it.each([
    ['gone', undefined, 503],
    ['busy', { outcome: 'refused', reason: 'busy', detail: 'about to stop' }, 503],
    ['broken', { outcome: 'refused', reason: 'broken', detail: 'broke off' }, 502],
  ] as const)('a loan that fails (%s) says so', (_, answer, status) => {
    const { host, client } = arrived()
    client.request('/echo')
    const foreign = client.request('/hello')
    client.flush()
    clock.pass(60)
    host.loans[0]!.settle(answer)
    client.hear()
    expect(client.answer(foreign).status).toBe(status)
  })

  it.each([10, 500_000])('trailers that cannot be sent end the request alone (behind %i bytes)', length => {
    const { host, client } = arrived()
    client.request('/echo')
    const foreign = client.request('/hello')
    client.flush()
    clock.pass(60)
    const trailers = [{ name: 'x-sum', value: 'a\nb' }]
    host.loans[0]!.settle({ ...answered(''), body: new Uint8Array(length), trailers })
    client.flush()
    expect([client.answer(foreign).reset, client.connection.open]).toEqual([2, true])
  })

  it('too large a request is misdirected', () => {
    const { host, client } = arrived()
    client.request('/echo')
    const told = client.request('/hello', { open: true, headers: [['content-length', '2000000']] })
    const untold = client.request('/hello', { open: true })
    client.flush()
    clock.pass(60)
    client.hear()
    expect(client.answer(told).status).toBe(421)
    for (let sent = 0; sent < 1_200_000; ) {
      const count = client.http.write(untold, new Uint8Array(40_000))
      sent += count
      client.flush()
      if (client.answers.get(untold)?.status !== undefined) break
    }
    expect(client.answer(untold).status).toBe(421)
    expect(host.loans).toEqual([])
  })

  it('an answer that comes when the client has given up is dropped', () => {
    const { host, client } = arrived()
    client.request('/echo')
    const foreign = client.request('/hello')
    client.flush()
    clock.pass(60)
    client.http.reset(foreign)
    client.flush()
    host.loans[0]!.settle(answered('x'))
    expect(client.stream.take()).toHaveLength(0)
  })
})
