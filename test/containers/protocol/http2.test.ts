import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ErrorCode } from '../../../src/http/h2/index.ts'
import type { RequestView, ResponseView } from '../../../src/http/message.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { utf8 } from '../../../src/wire/index.ts'
import { FakeHost, turn } from '../../support/connection-scene.ts'
import { Talker } from '../../support/http2-scene.ts'

const REFUSED = {
  state: 'owned',
  verdict: { outcome: 'refused', reason: 'draining', detail: 'soon' },
} as const

/** However slow this machine is. */
const PATIENT = { quietMilliseconds: 600_000 }

/** A host of the function hello. */
function helloHost(handle?: ConstructorParameters<typeof FakeHost>[0]): FakeHost {
  const host = new FakeHost(handle)
  host.available = new Set(['echo', 'resize'])
  return Object.assign(host, { functionName: 'hello', container: 'hello-1' })
}

/** A function whose answers the test gives. */
function waitingFunction() {
  const waiting: { request: RequestView; answer: (view: ResponseView) => void }[] = []
  const handle = (request: RequestView) =>
    new Promise<ResponseView>(answer => void waiting.push({ request, answer }))
  return { waiting, handle }
}

describe.each([true, false])('HTTP/2 (over TLS: %s)', tls => {
  const arrive = (host: FakeHost) => new Talker(tls).arrive(host)

  it('serves streams side by side, each as it is answered', async () => {
    const { waiting, handle } = waitingFunction()
    const client = arrive(new FakeHost(handle))
    const [a, b] = [client.request('/a'), client.request('/b', { body: 'content' })]
    client.flush()
    expect(waiting.map(({ request }) => [request.path, new TextDecoder().decode(request.body)])).toEqual([
      ['/a', ''],
      ['/b', 'content'],
    ])
    waiting[1]!.answer({ status: 201, body: 'second' })
    await turn()
    client.hear()
    expect(client.answer(b)).toMatchObject({ status: 201, body: 'second', ended: true })
    expect(client.answers.has(a)).toBe(false)
    waiting[0]!.answer({ status: 200, headers: [['Connection', 'close']], body: 'first' })
    await turn()
    client.hear()
    expect(client.answer(a)).toMatchObject({
      body: 'first',
      headers: { 'x-hotpotato-container': 'echo-1', 'x-hotpotato-hops': '0' },
    })
    expect(client.answer(a).headers).not.toHaveProperty('connection')
  })

  it('gives functions the same head as HTTP/1.1 does', () => {
    const seen: RequestView[] = []
    const client = arrive(
      new FakeHost(request => {
        seen.push(request)
        return { status: 204 }
      }),
    )
    client.request('/echo/x?y=z', { authority: 'A.example:8443', headers: [['accept', '*/*']] })
    client.flush()
    expect(seen[0]).toMatchObject({
      method: 'GET',
      target: '/echo/x?y=z',
      version: '2',
      host: 'a.example',
      path: '/echo/x',
      query: 'y=z',
      headers: [
        ['host', 'A.example:8443'],
        ['accept', '*/*'],
      ],
    })
  })

  it('refuses what HTTP/1.1 refuses, too', () => {
    const client = arrive(new FakeHost())
    const ids = [
      client.request('/back\\slash'),
      client.request('/', { authority: 'a:b:c' }),
      client.http.request({ method: 'CONNECT', authority: 'a:80' }, false),
      client.request('/x', { body: 'x', headers: [['content-length', '99999999999']] }),
    ]
    client.flush()
    expect(ids.map(id => client.answer(id).status)).toEqual([400, 400, 501, 413])
    const next = client.request('/')
    client.flush()
    expect(client.answer(next).status).toBe(200)
  })

  it('answers content beyond the limit with 413, announced or not', () => {
    const client = arrive(new FakeHost(undefined, { http: { bodyBytes: 10 } }))
    const id = client.request('/', { body: 'eleven byte' })
    client.flush()
    expect(client.answer(id)).toMatchObject({ status: 413, reset: undefined })
    expect(JSON.parse(client.answer(id).body).detail).toContain('10 bytes')
  })

  it('answers HEAD without content, and says 100 to who waits for it', () => {
    const client = arrive(new FakeHost(() => ({ status: 200, body: 'content' })))
    const head = client.request('/', { method: 'HEAD' })
    const patient = client.request('/', { open: true, headers: [['expect', '100-continue']] })
    client.flush()
    expect(client.answer(head)).toMatchObject({ status: 200, body: '', ended: true })
    expect(client.answer(head).headers['content-length']).toBe('7')
    expect(client.events).toContainEqual(
      expect.objectContaining({ type: 'informational', streamId: patient, status: 100 }),
    )
    client.http.write(patient, utf8('now'))
    client.http.end(patient)
    client.flush()
    expect(client.answer(patient)).toMatchObject({ status: 200, body: 'content' })
  })

  it('streams both ways, as fast as the other side takes it', async () => {
    const host = new FakeHost()
    host.module = { kind: 'fetch', file: 'test', fetch: request => new Response(request.body) }
    const client = arrive(host)
    const id = client.request('/', { open: true })
    client.flush()
    for (let i = 0; i < 30; i++) {
      // 1.2 MB, more than all windows together.
      const piece = new Uint8Array(40_000).fill(65 + i)
      for (let at = 0; at < piece.length; ) {
        at += client.http.write(id, piece.subarray(at))
        client.flush()
        await turn()
        client.hear()
      }
    }
    client.http.end(id)
    for (let i = 0; i < 20; i++) {
      client.flush()
      await turn()
      client.hear()
    }
    const { body, ended } = client.answer(id)
    expect([body.length, ended]).toEqual([1_200_000, true])
    expect(body.at(-1)).toBe(String.fromCharCode(94))
  })

  it('tells the function when its client is gone away', async () => {
    let signal!: AbortSignal
    const host = new FakeHost()
    host.module = {
      kind: 'fetch',
      file: 'test',
      fetch: (_, __, context) => {
        signal = context.signal
        return new Promise(() => {})
      },
    }
    const client = arrive(host)
    const id = client.request('/')
    client.flush()
    client.http.reset(id)
    client.flush()
    expect(signal.aborted).toBe(true)
  })

  it('ends a stream whose response breaks off, and no other', async () => {
    const host = new FakeHost()
    host.module = {
      kind: 'fetch',
      file: 'test',
      fetch: ({ url }) => {
        if (!url.endsWith('/broken')) return new Response('whole')
        let count = 0
        const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
          await new Promise(resolve => setImmediate(resolve))
          if (count++ === 0) controller.enqueue(utf8('begun'))
          else controller.error(new Error('no more'))
        }
        return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }))
      },
    }
    const client = arrive(host)
    const [broken, whole] = [client.request('/broken'), client.request('/')]
    client.flush()
    for (let i = 0; i < 10; i++) await turn()
    client.hear()
    expect(client.answer(broken)).toMatchObject({ body: 'begun', reset: ErrorCode.INTERNAL_ERROR })
    expect(client.answer(whole)).toMatchObject({ body: 'whole', ended: true })
    expect(host.ends).toEqual([])
  })

  it('ends with GOAWAY when the client breaks a rule', () => {
    const host = new FakeHost()
    const client = arrive(host)
    client.request('/')
    client.flush()
    // A WINDOW_UPDATE by nothing.
    const wrong = Uint8Array.of(0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    if (tls) {
      client.session.send(wrong)
      client.stream.receive(client.bytes())
    } else client.stream.receive(wrong)
    client.hear()
    expect(client.events.at(-1)).toMatchObject({ type: 'goaway', code: ErrorCode.PROTOCOL_ERROR })
    expect(client.closed).toBe(tls)
    expect(client.stream.finished).toBe(true)
  })

  it('says goodbye in two steps, after what is underway', async () => {
    const { waiting, handle } = waitingFunction()
    const client = arrive(new FakeHost(handle))
    const id = client.request('/')
    client.flush()
    client.connection.drain()
    client.hear()
    expect(client.events.at(-1)).toMatchObject({ type: 'goaway', lastStreamId: 2 ** 31 - 1 })
    client.flush()
    expect(client.events.at(-1)).toMatchObject({ type: 'goaway', lastStreamId: id })
    expect(client.stream.finished).toBe(false)
    waiting[0]!.answer({ status: 200, body: 'last' })
    await turn()
    client.hear()
    expect(client.answer(id)).toMatchObject({ body: 'last', ended: true })
    expect([client.stream.finished, client.closed]).toEqual([true, tls])
  })
})

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

  it('is answered with 503 where nobody takes it, and the connection goes on', async () => {
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

  it('ends with the connection when nobody can tell who owns it', async () => {
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

describe('on a busy connection', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
  afterEach(() => void vi.useRealTimers())

  it('a request for another function waits, and moves with the connection', async () => {
    const { waiting, handle } = waitingFunction()
    const host = new FakeHost(handle)
    const client = new Talker(true).arrive(host)
    const own = client.request('/echo')
    const foreign = client.request('/hello')
    client.flush()
    vi.advanceTimersByTime(40)
    expect([host.offers, host.loans]).toEqual([[], []])
    waiting[0]!.answer({ status: 200, body: 'done' })
    await turn()
    expect(host.offers).toHaveLength(1)
    client.move(helloHost(), await host.offers[0]!.frozen)
    expect(client.answer(own).body).toBe('done')
    expect(client.answer(foreign).body).toBe('GET /hello')
  })

  it('is lent if that takes too long, and so are those that follow', async () => {
    const { waiting, handle } = waitingFunction()
    const host = new FakeHost(handle)
    const client = new Talker(true).arrive(host)
    const own = client.request('/echo')
    const foreign = client.request('/hello?a=b', { body: 'content', headers: [['x-field', 'value']] })
    client.flush()
    vi.advanceTimersByTime(60)
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
      outcome: 'answered',
      status: 200,
      headers: [{ name: 'x-hotpotato-container', value: 'hello-1' }],
      length: undefined,
      body: utf8('lent'),
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
    const { handle } = waitingFunction()
    const host = new FakeHost(handle)
    const client = new Talker(true).arrive(host)
    client.request('/echo')
    client.request('/hello')
    client.request('/echo')
    client.flush()
    expect([host.loans.length, host.offers.length]).toEqual([1, 0])
  })

  it('moves after all when nobody asks for this function any more', async () => {
    const { waiting, handle } = waitingFunction()
    const host = new FakeHost(handle)
    const client = new Talker(true).arrive(host)
    client.request('/hello')
    client.request('/echo')
    client.flush()
    client.request('/hello')
    waiting[0]?.answer({ status: 200 })
    await turn()
    for (let i = 0; i < 20 && host.offers.length === 0; i++) {
      for (const { settle } of host.loans.splice(0))
        settle({
          outcome: 'answered',
          status: 200,
          headers: [],
          length: undefined,
          trailers: [],
          body: utf8(''),
        })
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
    const { handle } = waitingFunction()
    const host = new FakeHost(handle)
    const client = new Talker(true).arrive(host)
    client.request('/echo')
    const foreign = client.request('/hello')
    client.flush()
    vi.advanceTimersByTime(60)
    host.loans[0]!.settle(answer)
    client.hear()
    expect(client.answer(foreign).status).toBe(status)
  })

  it('too large a request is misdirected', () => {
    const { handle } = waitingFunction()
    const host = new FakeHost(handle)
    const client = new Talker(true).arrive(host)
    client.request('/echo')
    const told = client.request('/hello', { open: true, headers: [['content-length', '2000000']] })
    const untold = client.request('/hello', { open: true })
    client.flush()
    vi.advanceTimersByTime(60)
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
    const { handle } = waitingFunction()
    const host = new FakeHost(handle)
    const client = new Talker(true).arrive(host)
    client.request('/echo')
    const foreign = client.request('/hello')
    client.flush()
    vi.advanceTimersByTime(60)
    client.http.reset(foreign)
    client.flush()
    host.loans[0]!.settle({
      outcome: 'answered',
      status: 200,
      headers: [],
      length: undefined,
      trailers: [],
      body: utf8('x'),
    })
    expect(client.stream.take()).toHaveLength(0)
  })
})

describe('a connection that has to leave', () => {
  it('goes with the requests that came meanwhile, after the one that is underway', async () => {
    const { waiting, handle } = waitingFunction()
    const host = new FakeHost(handle, PATIENT)
    host.available.add('echo')
    const client = new Talker(true).arrive(host)
    const first = client.request('/1')
    client.flush()
    client.connection.drain(true)
    const second = client.request('/2')
    client.flush()
    expect(waiting).toHaveLength(1)
    waiting[0]!.answer({ status: 200, body: 'one' })
    await turn()
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['echo'])
    client.move(new FakeHost(), await host.offers[0]!.frozen)
    expect([client.answer(first).body, client.answer(second).body]).toEqual(['one', 'GET /2'])
  })

  it('serves what it held back when nobody takes it, and says goodbye', async () => {
    const host = new FakeHost()
    const client = new Talker(true).arrive(host)
    client.connection.drain(true)
    client.flush()
    expect(client.events.map(({ type }) => type)).toEqual(['goaway', 'goaway'])
    expect([client.stream.finished, host.ends]).toEqual([true, []])
  })

  it('is taken back by its owner, which serves what was held back, and says goodbye', async () => {
    const { waiting, handle } = waitingFunction()
    const host = new FakeHost(handle, PATIENT)
    host.available.add('echo')
    const client = new Talker(true).arrive(host)
    const first = client.request('/1')
    client.flush()
    client.connection.drain(true)
    const second = client.request('/2')
    client.flush()
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
