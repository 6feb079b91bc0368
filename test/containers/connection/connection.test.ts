import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Connection } from '../../../src/containers/connection/connection.ts'
import type { ResponseView } from '../../../src/http/message.ts'
import { Session } from '../../../src/tls13/index.ts'
import { decodeEnvelope, encodeEnvelope } from '../../../src/transfer/envelope.ts'
import { writeExtensions } from '../../../src/transfer/extensions.ts'
import { freshHttp, freshTls } from '../../../src/transfer/parcel.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'
import {
  FakeHost,
  FakeStream,
  freshConnection,
  get,
  inboundOf,
  movedConnection,
  responses,
  turn,
} from '../../support/connection-scene.ts'
import { clientConfig, dataOf } from '../../support/pair.ts'

const REFUSED = {
  state: 'owned',
  verdict: { outcome: 'refused', reason: 'draining', detail: 'soon' },
} as const

describe('requests on one connection', () => {
  it('serves what came with the envelope, and pipelined requests in their order', async () => {
    const host = new FakeHost()
    const { stream } = freshConnection(host, get('/echo/1') + get('/2'))
    stream.receive(utf8(get('/echo/3')))
    expect(responses(stream.take(), 3).map(({ body }) => body)).toEqual([
      'GET /echo/1',
      'GET /2',
      'GET /echo/3',
    ])
  })

  it('serves one after the other when the function takes its time', async () => {
    const waiting: ((view: ResponseView) => void)[] = []
    const host = new FakeHost(() => new Promise(resolve => waiting.push(resolve)))
    const { stream } = freshConnection(host, get('/1') + get('/2'))
    expect(waiting).toHaveLength(1)
    waiting[0]!({ status: 200, body: 'one' })
    await turn()
    waiting[1]!({ status: 200, body: 'two' })
    await turn()
    expect(responses(stream.take(), 2).map(({ body }) => body)).toEqual(['one', 'two'])
  })

  it('tells the function the address of its client, by socket or gateway, also after a move', async () => {
    const seen: unknown[] = []
    const host = new FakeHost()
    host.available.add('echo')
    host.module = {
      kind: 'raw',
      file: 'test',
      handle: (_, { connection }) => {
        seen.push(connection.remoteAddress)
        return { status: 204 }
      },
    }
    freshConnection(host, get('/'))
    const fresh = freshHttp({ sessionId: new Uint8Array(16), idleLeft: 1000, inbound: utf8(get('/')) })
    const relayed = { ...fresh, extensions: writeExtensions({ client: { remoteAddress: '2001:db8::7' } }) }
    const { connection } = movedConnection(host, encodeEnvelope(relayed))
    connection.drain(true)
    const { stream } = movedConnection(host, await host.offers[0]!.frozen)
    stream.receive(utf8(get('/')))
    expect(seen).toEqual(['192.0.2.1', '2001:db8::7', '2001:db8::7'])
  })

  it('says which container served, and how often the connection has moved', () => {
    const { stream } = freshConnection(new FakeHost(), get('/'))
    expect(responses(stream.take(), 1)[0]!.headers).toMatchObject({
      'x-hotpotato-container': 'echo-1',
      'x-hotpotato-hops': '0',
    })
  })

  it('answers a function that throws, rejects or gives nonsense with 500 and goes on', async () => {
    const faults: (() => ResponseView | Promise<ResponseView>)[] = [
      () => {
        throw new Error('sync')
      },
      () => Promise.reject(new Error('async')),
      () => ({ status: 200, headers: [['bad name', 'x']] }),
      () => ({ status: 42 }),
      () => undefined as never,
    ]
    let turnOf = 0
    const host = new FakeHost(() => (faults[turnOf++] ?? (() => ({ status: 204 })))())
    const { stream } = freshConnection(host)
    for (let i = 0; i <= faults.length; i++) {
      stream.receive(utf8(get(`/${i}`)))
      await turn()
      const [answer] = responses(stream.take(), 1)
      expect(answer?.status, String(i)).toBe(i < faults.length ? 500 : 204)
      if (i < faults.length) expect(JSON.parse(answer!.body)).toMatchObject({ status: 500 })
    }
    expect(host.ends).toEqual([])
    expect(host.logged).toHaveLength(faults.length)
  })

  it('breaks off where the body of a response breaks off', async () => {
    const host = new FakeHost()
    let controller!: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({
      start: one => {
        controller = one
      },
    })
    host.module = { kind: 'fetch', file: 'test', fetch: () => new Response(body) }
    const { stream } = freshConnection(host, get('/'))
    controller.enqueue(utf8('the beginning'))
    await turn()
    await turn()
    controller.error(new Error('no more'))
    await turn()
    const sent = new TextDecoder().decode(stream.take())
    expect(sent).toContain('the beginning')
    expect(sent).not.toContain('0\r\n\r\n')
    expect(stream.closedBy).toBe('destroy')
    expect(host.ends).toEqual(['ended'])
  })

  it('lets a function wait while the client reads slowly', async () => {
    const host = new FakeHost()
    let pulled = 0
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          pulled++
          // Not at once, so that it stays a stream.
          await new Promise(resolve => setImmediate(resolve))
          if (pulled > 40) controller.close()
          else controller.enqueue(new Uint8Array(1000))
        },
      },
      { highWaterMark: 0 },
    )
    host.module = { kind: 'fetch', file: 'test', fetch: () => new Response(body) }
    const stream = new FakeStream()
    stream.blocked = true
    freshConnection(host, get('/'), stream)
    for (let i = 0; i < 20; i++) await turn()
    expect(pulled).toBeLessThan(20)
    const before = pulled
    for (let i = 0; i < 10; i++) await turn()
    expect(pulled).toBe(before)
    stream.drain()
    for (let i = 0; i < 60; i++) await turn()
    expect(pulled).toBe(41)
    expect(responses(stream.take(), 1)[0]!.body).toHaveLength(40_000)
  })

  it('stops reading a client that runs far ahead, and goes on when it has caught up', async () => {
    let release!: (view: ResponseView) => void
    const host = new FakeHost(
      () =>
        new Promise(resolve => {
          release = resolve
        }),
    )
    const { stream } = freshConnection(host, get('/'))
    for (let i = 0; i < 100 && !stream.paused; i++) stream.receive(utf8(get(`/${i}/${'x'.repeat(2000)}`)))
    expect(stream.paused).toBe(true)
    for (let i = 0; i < 60; i++) {
      release({ status: 204 })
      await turn()
    }
    expect(stream.paused).toBe(false)
  })

  it('closes after the response that says so, and at the limit of requests', () => {
    for (const [more, requests] of [
      ['Connection: close\r\n', 100],
      ['', 1],
    ] as const) {
      const host = new FakeHost(undefined, { http: { requests } })
      const { stream } = freshConnection(host, get('/', more) + get('/not-served'))
      const answers = responses(stream.take(), 1)
      expect(answers[0]!.headers.connection).toBe('close')
      expect(answers).toHaveLength(1)
      expect(stream.finished).toBe(true)
    }
  })

  it('answers what is no HTTP with 400 and closes', () => {
    const { stream } = freshConnection(new FakeHost(), 'GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n')
    expect(responses(stream.take(), 1)[0]!.status).toBe(400)
    expect(stream.finished).toBe(true)
  })
})

describe('the end of a connection', () => {
  it('answers everything that came before the client ended its side', async () => {
    const waiting: ((view: ResponseView) => void)[] = []
    const host = new FakeHost(() => new Promise(resolve => waiting.push(resolve)))
    const { stream } = freshConnection(host, get('/1') + get('/2') + get('/3'))
    stream.fin()
    for (let i = 0; i < 3; i++) {
      waiting[i]?.({ status: 200, body: String(i) })
      await turn()
    }
    expect(responses(stream.take(), 3).map(({ body }) => body)).toEqual(['0', '1', '2'])
    expect(host.ends).toEqual(['ended'])
  })

  it('takes a request to its container though the client has ended its side', async () => {
    const waiting: ((view: ResponseView) => void)[] = []
    const host = new FakeHost(() => new Promise(resolve => waiting.push(resolve)))
    const { stream } = freshConnection(host, get('/echo') + get('/hello'))
    stream.fin()
    waiting[0]!({ status: 204 })
    await turn()
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['hello'])
  })

  it('drops a request that was cut off', () => {
    const host = new FakeHost()
    const { stream } = freshConnection(host, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab')
    stream.fin()
    expect(stream.take()).toHaveLength(0)
    expect(stream.closedBy).toBe('destroy')
    expect(host.ends).toEqual(['ended'])
  })

  it('survives a reset at any moment, once', async () => {
    const host = new FakeHost(() => new Promise(() => {}))
    for (const inbound of ['', 'GET', get('/'), get('/') + get('/hello')]) {
      const { stream } = freshConnection(host, inbound)
      await stream.reset()
    }
    expect(host.ends).toEqual(['ended', 'ended', 'ended', 'ended'])
  })

  it('survives a connection that breaks under an answer before a move', async () => {
    const host = new FakeHost()
    const stream = new FakeStream()
    stream.broken = true
    freshConnection(host, get('/echo') + get('/hello'), stream)
    await turn()
    expect(host.offers).toEqual([])
    expect(host.ends).toEqual(['ended'])
  })

  it('when told to drain: now if idle, otherwise after the response', async () => {
    const host = new FakeHost()
    const idle = freshConnection(host)
    idle.connection.drain()
    expect(idle.stream.finished).toBe(true)

    let release!: (view: ResponseView) => void
    host.module = {
      kind: 'raw',
      file: 'test',
      handle: () =>
        new Promise(resolve => {
          release = resolve
        }),
    }
    const busy = freshConnection(host, get('/') + get('/late'))
    busy.connection.drain()
    expect(busy.stream.finished).toBe(false)
    release({ status: 200, body: 'done' })
    await turn()
    expect(responses(busy.stream.take(), 1)[0]!.body).toBe('done')
    expect(busy.stream.finished).toBe(true)
  })

  it('when told to drain: to another container of the function, with half a request if any', async () => {
    const host = new FakeHost()
    host.available.add('echo')
    const { connection, stream } = freshConnection(host, 'GET /half')
    connection.drain(true)
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['echo'])
    const { application } = decodeEnvelope(await host.offers[0]!.frozen)
    expect(Buffer.from(inboundOf(application)).toString()).toBe('GET /half')
    host.offers[0]!.settle({ state: 'gone' })
    expect([host.ends, stream.sent]).toEqual([['moved'], []])
  })

  it('when told to drain and to move: after the response, and not in the middle of a request', async () => {
    let release!: (view: ResponseView) => void
    const host = new FakeHost(
      () =>
        new Promise(resolve => {
          release = resolve
        }),
    )
    host.available.add('echo')
    const { connection, stream } = freshConnection(host, get('/'))
    connection.drain(true)
    expect(host.offers).toEqual([])
    release({ status: 200, body: 'done' })
    await turn()
    expect(responses(stream.take(), 1)[0]!.body).toBe('done')
    expect(host.offers).toHaveLength(1)
  })

  it('when told to drain and to move, and nobody takes it: in order, and once', () => {
    const host = new FakeHost()
    host.available.add('echo')
    const refused = freshConnection(host)
    refused.connection.drain(true)
    host.offers[0]!.settle(REFUSED)
    expect([refused.stream.finished, host.offers.length]).toEqual([true, 1])
    host.available.delete('echo')
    const alone = freshConnection(host)
    alone.connection.drain(true)
    expect(alone.stream.finished).toBe(true)
  })

  it('when told to stop: at once', () => {
    const host = new FakeHost(() => new Promise(() => {}))
    const { connection, stream } = freshConnection(host, get('/'))
    connection.stop()
    expect(stream.state).toBe('closed')
    expect(host.ends).toEqual(['ended'])
  })
})

describe('time', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
  afterEach(() => void vi.useRealTimers())

  it('closes a connection that is idle for too long', () => {
    const host = new FakeHost(undefined, { timers: { 'keep-alive': 1000 } })
    const { stream } = freshConnection(host, get('/'))
    vi.advanceTimersByTime(900)
    stream.receive(utf8(get('/')))
    vi.advanceTimersByTime(900)
    expect(stream.finished).toBe(false)
    vi.advanceTimersByTime(101)
    expect(stream.finished).toBe(true)
  })

  it('does not let single bytes of a head keep it open', () => {
    const host = new FakeHost(undefined, { timers: { headers: 1000 } })
    const { stream } = freshConnection(host)
    for (const letter of 'GET / HTTP/1.') {
      vi.advanceTimersByTime(100)
      if (!stream.finished) stream.receive(utf8(letter))
    }
    expect(stream.finished).toBe(true)
  })

  it('does not count the time that the function takes', async () => {
    let release!: (view: ResponseView) => void
    const host = new FakeHost(
      () =>
        new Promise(resolve => {
          release = resolve
        }),
      { timers: { 'keep-alive': 1000 } },
    )
    const { stream } = freshConnection(host, get('/'))
    vi.advanceTimersByTime(5000)
    expect(stream.finished).toBe(false)
    release({ status: 204 })
    await turn()
    vi.advanceTimersByTime(999)
    expect(stream.finished).toBe(false)
    vi.advanceTimersByTime(2)
    expect(stream.finished).toBe(true)
  })

  it('takes the time that is left along', async () => {
    const host = new FakeHost(undefined, { timers: { 'keep-alive': 1000 } })
    const { stream } = freshConnection(host)
    vi.advanceTimersByTime(600)
    stream.receive(utf8(get('/hello')))
    expect(decodeEnvelope(await host.offers[0]!.frozen).idleLeft).toBe(400)
  })

  it.each(['', 'Connection: close\r\n'])('leaves a slow reader its response as long as it reads %j', more => {
    const host = new FakeHost(() => ({ status: 200, body: 'x'.repeat(1000) }), {
      timers: { 'keep-alive': 1000 },
    })
    const stream = new FakeStream()
    stream.blocked = true
    freshConnection(host, get('/', more), stream)
    for (let i = 0; i < 50; i++) {
      vi.advanceTimersByTime(900)
      stream.drain(20)
    }
    expect(stream.state).toBe('open')
    stream.drain()
    expect(responses(stream.take(), 1)[0]!.body).toHaveLength(1000)
    vi.advanceTimersByTime(5000)
    expect(stream.state).toBe('closed')
  })

  it.each(['', 'Connection: close\r\n'])('closes on a reader that takes nothing %j', more => {
    const host = new FakeHost(() => ({ status: 200, body: 'x'.repeat(1000) }), {
      timers: { 'keep-alive': 1000 },
    })
    const stream = new FakeStream()
    stream.blocked = true
    freshConnection(host, get('/', more), stream)
    vi.advanceTimersByTime(2500)
    expect(stream.state).toBe('closed')
    expect(host.ends).toEqual(['ended'])
  })

  it('closes on a reader that takes nothing while its connection is to move', async () => {
    const host = new FakeHost(() => ({ status: 200, body: 'x'.repeat(1000) }), {
      timers: { 'keep-alive': 1000 },
    })
    const stream = new FakeStream()
    stream.blocked = true
    freshConnection(host, get('/echo') + get('/hello'), stream)
    expect(stream.state).toBe('lifting')
    vi.advanceTimersByTime(2500)
    await turn()
    expect(stream.state).toBe('closed')
    expect(host.ends).toEqual(['ended'])
  })
})

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
    // Somebody else's bytes go through the same buffer meanwhile.
    const other = freshConnection(new FakeHost()).stream
    other.receive(utf8(get('/other')))
    stream.drain()
    const { application } = decodeEnvelope(await host.offers[0]!.frozen)
    expect(new TextDecoder().decode(inboundOf(application))).toBe(get('/hello/1') + get('/hello/2'))
    expect(connection.id).toHaveLength(32)
  })

  it.each([
    ['refused', REFUSED],
    ['not sent', { state: 'owned', verdict: undefined } as const],
  ])('takes itself up again when it was %s, answers 503 and goes on', async (_, release) => {
    const host = new FakeHost()
    const { stream } = freshConnection(host, get('/hello') + get('/echo/next'))
    host.offers[0]!.settle(release)
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

  it('ends without a word when nobody can tell who has it', async () => {
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

describe('with TLS', () => {
  /** A client's session, and a connection that it has shaken hands with. */
  function connected(host: FakeHost, stream = new FakeStream()) {
    const client = Session.client(clientConfig({ alpn: ['http/1.1'] }))
    const fresh = { sessionId: new Uint8Array(16), idleLeft: 30_000, inbound: concat(...client.takeOutput()) }
    const connection = new Connection(host, freshTls(fresh), stream)
    connection.start()
    client.receive(stream.take())
    stream.receive(concat(...client.takeOutput()))
    expect(client.connected).toBe(true)
    return { client, connection, stream }
  }

  /** The records of one request each. */
  function records(client: Session, ...texts: string[]): Uint8Array {
    for (const text of texts) client.send(utf8(text))
    return concat(...client.takeOutput())
  }

  it('serves, and closes with close_notify', () => {
    const { client, stream } = connected(new FakeHost())
    stream.receive(records(client, get('/echo'), get('/', 'Connection: close\r\n')))
    const events = client.receive(stream.take())
    expect(responses(dataOf(events), 2)).toHaveLength(2)
    expect(events.at(-1)).toEqual({ type: 'close_notify' })
    expect(stream.finished).toBe(true)
  })

  it('answers the close_notify of the client with its own, after what was asked before it', async () => {
    const waiting: ((view: ResponseView) => void)[] = []
    const host = new FakeHost(() => new Promise(resolve => waiting.push(resolve)))
    const { client, stream } = connected(host)
    client.send(utf8(get('/1') + get('/2')))
    client.close()
    stream.receive(concat(...client.takeOutput()))
    stream.fin()
    for (let i = 0; i < 2; i++) {
      waiting[i]?.({ status: 204 })
      await turn()
    }
    const events = client.receive(stream.take())
    expect(responses(dataOf(events), 2)).toHaveLength(2)
    expect(events.at(-1)).toEqual({ type: 'close_notify' })
  })

  it('opens no record behind the request of another function', async () => {
    const host = new FakeHost()
    const { client, stream } = connected(host)
    const [first, second] = [records(client, get('/hello')), records(client, get('/hello/2'))]
    stream.receive(concat(first, second))
    const { tls, application } = decodeEnvelope(await host.offers[0]!.frozen)
    expect(new TextDecoder().decode(inboundOf(application))).toBe(get('/hello'))
    expect(tls!.inboundRecords).toEqual(second)
  })

  it('keeps its own copy of unopened records, while its answers wait for the client', async () => {
    const host = new FakeHost()
    const { client, stream } = connected(host)
    stream.blocked = true
    stream.receive(records(client, get('/echo'), get('/hello'), get('/hello/2'), get('/hello/3')))
    freshConnection(new FakeHost()).stream.receive(utf8(get('/other')))
    stream.drain()
    const target = new FakeHost(({ path }) => ({ status: 200, body: path }))
    Object.assign(target, { functionName: 'hello' })
    const moved = movedConnection(target, await host.offers[0]!.frozen)
    const events = client.receive(concat(stream.take(), moved.stream.take()))
    expect(responses(dataOf(events), 4).map(({ body }) => body)).toEqual([
      'GET /echo',
      '/hello',
      '/hello/2',
      '/hello/3',
    ])
  })

  it('is taken up again after a refusal with the same keys', async () => {
    const host = new FakeHost()
    const { client, stream } = connected(host)
    stream.receive(records(client, get('/hello'), get('/echo')))
    await turn()
    host.offers[0]!.settle(REFUSED)
    const answers = responses(dataOf(client.receive(stream.take())), 2)
    expect(answers.map(({ status }) => status)).toEqual([503, 200])
  })

  it('answers a record that cannot be opened with an alert and ends', () => {
    const host = new FakeHost()
    const { client, stream } = connected(host)
    const record = records(client, get('/echo'))
    record[record.length - 1]! ^= 1
    stream.receive(record)
    expect(client.receive(stream.take()).at(-1)).toMatchObject({ type: 'alert', alert: 'bad_record_mac' })
    expect(stream.finished).toBe(true)
  })
})
