import { describe, expect, it } from 'vitest'
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
  openBody,
  REFUSED,
  responses,
  turn,
} from '../../support/connection-scene.ts'
import { clientConfig, dataOf } from '../../support/pair.ts'

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
    const { body, controller } = openBody()
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

  it.each([false, true])(
    'answers HEAD without waiting for the end of a stream (cancel throws: %s)',
    async throws => {
      const host = new FakeHost()
      const cancelled: unknown[] = []
      const cancel = () => {
        cancelled.push('cancelled')
        if (throws) throw new Error('from cancel')
      }
      const fetch = () => new Response(new ReadableStream({ cancel }))
      host.module = { kind: 'fetch', file: 'test', fetch }
      const { stream } = freshConnection(host, get('/').replace('GET', 'HEAD').repeat(2))
      for (let i = 0; i < 4; i++) await turn()
      expect(responses(stream.take(), 2, 'HEAD').map(({ status }) => status)).toEqual([200, 200])
      expect([cancelled.length, host.logged.length, host.ends]).toEqual([2, throws ? 2 : 0, []])
    },
  )

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
