import { beforeEach, describe, expect, it } from 'vitest'
import { serveBorrowed } from '../../../src/containers/protocol/borrowed.ts'
import type { Context } from '../../../src/functions/contract.ts'
import { ErrorCode } from '../../../src/http/h2/index.ts'
import type { RequestView, ResponseView } from '../../../src/http/message.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import type { LoanAnswer } from '../../../src/transfer/loans/loan.ts'
import { EMPTY, utf8 } from '../../../src/wire/index.ts'
import {
  FakeHost,
  freshConnection,
  get,
  inboundOf,
  movedConnection,
  openBody,
  responses,
  turn,
} from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'

let clock = new HandClock()

const TIMERS = { headers: 1000, 'request-body': 2000, 'keep-alive': 60_000, handler: 3000, container: 4000 }
const POST = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n'

beforeEach(() => {
  clock = new HandClock()
})

/** A function that keeps every call, until the test answers it. */
function patientHost(timers: Partial<typeof TIMERS> = {}) {
  const calls: { context: Context; request: RequestView; answer: (view: ResponseView) => void }[] = []
  const host = new FakeHost(undefined, { clock, timers: { ...TIMERS, ...timers } })
  host.module = {
    kind: 'raw',
    file: 'test',
    handle: (request, context) => new Promise(answer => calls.push({ context, request, answer })),
  }
  return { host, calls }
}

/** A problem as a client reads it. */
function problemOf(answer: { status: number; headers: Record<string, string>; body: string }) {
  expect(answer.headers['content-type']).toBe('application/problem+json')
  const { timer, milliseconds, setting } = JSON.parse(answer.body)
  return { status: answer.status, timer, milliseconds, setting }
}

describe('headers', () => {
  it('answers the beginning of a head with 408 that says so, and closes', () => {
    const { host } = patientHost()
    const { stream } = freshConnection(host, 'GET / HT')
    clock.pass(900)
    stream.receive(utf8('TP/1.1\r\nHo'))
    clock.pass(99)
    expect(stream.sent).toEqual([])
    clock.pass(1)
    const [answer] = responses(stream.take(), 1)
    expect(problemOf(answer!)).toEqual({
      status: 408,
      timer: 'headers',
      milliseconds: 1000,
      setting: 'connection.timers.headers',
    })
    expect(answer!.headers.connection).toBe('close')
    expect(stream.finished).toBe(true)
  })

  it('begins anew with each head, and does not run between two', () => {
    const host = new FakeHost(undefined, { clock, timers: TIMERS })
    const { stream } = freshConnection(host)
    for (let i = 0; i < 5; i++) {
      stream.receive(utf8('GET / HTTP/1.1\r\n'))
      clock.pass(900)
      stream.receive(utf8('Host: a\r\n\r\n'))
      clock.pass(5000)
    }
    expect(responses(stream.take(), 5)).toHaveLength(5)
    expect(stream.finished).toBe(false)
  })

  it('moves with the connection, as half of the head and the number of requests do', async () => {
    const host = new FakeHost(undefined, { clock, timers: TIMERS })
    host.available.add('echo')
    const { connection } = freshConnection(host, `${get('/1')}${get('/2')}GET /3 HT`)
    clock.pass(600)
    connection.drain(true)
    const frozen = await host.offers[0]!.frozen
    const { application } = decodeEnvelope(frozen)
    expect(application.requestsServed).toBe(2)
    expect(new TextDecoder().decode(inboundOf(application))).toBe('GET /3 HT')
    const { stream } = movedConnection(new FakeHost(undefined, { clock, timers: TIMERS }), frozen)
    clock.pass(399)
    expect(stream.sent).toEqual([])
    clock.pass(1)
    expect(responses(stream.take(), 1)[0]!.status).toBe(408)
  })

  it('ends an HTTP/2 connection whose client stops in the middle of a head', () => {
    const { host } = patientHost()
    const client = new Talker(false).arrive(host)
    client.request('/')
    const bytes = client.bytes()
    client.stream.receive(bytes.subarray(0, bytes.length - 1))
    clock.pass(999)
    expect(client.hear().events.some(({ type }) => type === 'goaway')).toBe(false)
    clock.pass(1)
    expect(client.hear().events.some(({ type }) => type === 'goaway')).toBe(true)
    expect(client.stream.finished).toBe(true)
  })
})

describe('request-body', () => {
  it('answers content that stops with 408, and the function is not called', () => {
    const { host, calls } = patientHost()
    const { stream } = freshConnection(host, POST)
    for (let i = 0; i < 5; i++) {
      clock.pass(1900)
      stream.receive(utf8('x'))
    }
    clock.pass(1999)
    expect(stream.sent).toEqual([])
    clock.pass(1)
    const [answer] = responses(stream.take(), 1)
    expect(problemOf(answer!)).toMatchObject({ status: 408, timer: 'request-body', milliseconds: 2000 })
    expect(stream.finished).toBe(true)
    stream.receive(utf8('xxxxx'))
    expect(calls).toEqual([])
  })

  it('tells a function that reads it as a stream', async () => {
    const { host } = patientHost({ handler: 10_000 })
    const seen: unknown[] = []
    host.module = {
      kind: 'fetch',
      file: 'test',
      async fetch(request, _env, context) {
        context.signal.addEventListener('abort', () => seen.push(context.signal.reason.message))
        const text = await request.text().catch((error: Error) => error.message)
        seen.push(text)
        return new Response('too late')
      },
    }
    const { stream } = freshConnection(host, `${POST}abc`)
    clock.pass(2000)
    await turn()
    expect(responses(stream.take(), 1)[0]!.status).toBe(408)
    expect(seen).toEqual(Array(2).fill('no more request content arrived within 2 s'))
    expect(stream.finished).toBe(true)
  })

  it('does not run while the function does not read', async () => {
    const { host } = patientHost({ handler: 0 })
    host.module = { kind: 'fetch', file: 'test', fetch: () => new Promise<Response>(() => {}) }
    const head = POST.replace('10', '200000')
    const { stream } = freshConnection(host, head)
    stream.receive(new Uint8Array(100_000))
    await turn()
    clock.pass(100_000)
    expect(stream.sent).toEqual([])
    expect(stream.finished).toBe(false)
  })

  it('answers one stream of HTTP/2 with 408, and the others go on', async () => {
    const { host, calls } = patientHost({ handler: 0 })
    const client = new Talker(true).arrive(host)
    const stalled = client.request('/echo', { body: 'abc', open: true })
    const other = client.request('/echo')
    client.flush()
    clock.pass(2000)
    client.flush()
    expect(problemOf(client.answer(stalled))).toMatchObject({ status: 408, timer: 'request-body' })
    expect(client.answers.has(other)).toBe(false)
    calls[0]!.answer({ status: 200, body: 'fine' })
    await turn()
    expect(client.hear().answer(other)).toMatchObject({ status: 200, body: 'fine', ended: true })
    expect(client.stream.finished).toBe(false)
  })
})

describe('handler', () => {
  it('answers 504, tells the function, and goes on; what that says later goes nowhere', async () => {
    const { host, calls } = patientHost()
    const { stream } = freshConnection(host, get('/1') + get('/2'))
    expect(calls[0]!.context.deadline).toBe(clock.wall() + 3000)
    clock.pass(2999)
    expect(calls[0]!.context.signal.aborted).toBe(false)
    clock.pass(1)
    expect(calls[0]!.context.signal.aborted).toBe(true)
    calls[0]!.answer({ status: 200, body: 'too late' })
    await turn()
    const sent = stream.take()
    const [answer, ...more] = responses(sent, 1)
    expect(more).toEqual([])
    expect(problemOf(answer!)).toEqual({
      status: 504,
      timer: 'handler',
      milliseconds: 3000,
      setting: 'connection.timers.handler',
    })
    expect(new TextDecoder().decode(sent)).not.toContain('too late')
    // The next request is with the function.
    expect(calls).toHaveLength(2)
    expect(stream.finished).toBe(false)
  })

  it('does not run before a function has all that it waits for', () => {
    const { host, calls } = patientHost({ handler: 1000 })
    const { stream } = freshConnection(host, POST)
    for (let i = 0; i < 10; i++) {
      clock.pass(1500)
      expect(stream.sent).toEqual([])
      stream.receive(utf8('x'))
    }
    expect(calls).toHaveLength(1)
    clock.pass(1000)
    expect(responses(stream.take(), 1)[0]!.status).toBe(504)
  })

  it('leaves a response alone that has begun', async () => {
    const { host } = patientHost()
    const { body, controller } = openBody()
    host.module = { kind: 'fetch', file: 'test', fetch: () => new Response(body) }
    const { stream } = freshConnection(host, get('/'))
    await turn()
    await turn()
    clock.pass(100_000)
    controller.enqueue(utf8('fine'))
    controller.close()
    await turn()
    expect(responses(stream.take(), 1)[0]).toMatchObject({ status: 200, body: 'fine' })
    expect(stream.finished).toBe(false)
  })

  it('answers one stream of HTTP/2 with 504, and the others go on', async () => {
    const { host, calls } = patientHost()
    const client = new Talker(true).arrive(host)
    const slow = client.request('/echo/slow')
    client.flush()
    clock.pass(2000)
    const quick = client.request('/echo/quick')
    client.flush()
    clock.pass(1000)
    client.flush()
    expect(problemOf(client.answer(slow))).toMatchObject({ status: 504, timer: 'handler' })
    expect(calls.map(({ context }) => context.signal.aborted)).toEqual([true, false])
    calls[0]!.answer({ status: 200, body: 'too late' })
    calls[1]!.answer({ status: 200, body: 'fine' })
    await turn()
    expect(client.hear().answer(quick)).toMatchObject({ status: 200, body: 'fine' })
    expect(client.answer(slow).body).not.toContain('too late')
    expect(client.stream.finished).toBe(false)
  })

  it('resets a stream of HTTP/2 whose client has not ended its request', () => {
    const { host } = patientHost({ 'request-body': 0 })
    host.module = { kind: 'fetch', file: 'test', fetch: () => new Promise<Response>(() => {}) }
    const client = new Talker(true).arrive(host)
    const open = client.request('/echo', { body: 'abc', open: true })
    client.flush()
    clock.pass(3000)
    client.flush()
    expect(client.answer(open)).toMatchObject({ status: 504, reset: ErrorCode.NO_ERROR })
  })

  it('counts for what is served for another container, too', async () => {
    const { host, calls } = patientHost()
    const answers: LoanAnswer[] = []
    const head = { method: 'GET', target: '/', headers: [], host: 'a', path: '/', query: '', body: EMPTY }
    const info = {
      tls: true,
      alpn: 'h2',
      serverName: undefined,
      remoteAddress: undefined,
      hops: 0,
      requestIndex: 0,
    }
    serveBorrowed({ ...head, ...info }, host, '/', answer => answers.push(answer))
    clock.pass(2999)
    expect(answers).toEqual([])
    clock.pass(1)
    expect(answers).toMatchObject([{ outcome: 'answered', status: 504 }])
    expect(calls[0]!.context.signal.aborted).toBe(true)
    calls[0]!.answer({ status: 200 })
    await turn()
    expect(answers).toHaveLength(1)
  })
})

describe('container', () => {
  it('lets a request wait for one, and answers 503 when none comes', () => {
    const { host } = patientHost()
    const { stream } = freshConnection(host, get('/nobody'))
    clock.pass(3999)
    expect(stream.sent).toEqual([])
    clock.pass(1)
    const [answer] = responses(stream.take(), 1)
    expect(problemOf(answer!)).toEqual({
      status: 503,
      timer: 'container',
      milliseconds: 4000,
      setting: 'connection.timers.container',
    })
    expect(answer!.headers['retry-after']).toBe('1')
    expect(stream.finished).toBe(false)
  })

  it('has the connection follow its request when one comes', async () => {
    const { host } = patientHost()
    const { connection, stream } = freshConnection(host)
    stream.receive(utf8(get('/nobody')))
    stream.receive(utf8(get('/echo')))
    stream.fin()
    connection.available()
    expect(host.offers).toEqual([])
    host.available.add('nobody')
    connection.available()
    expect(host.offers.map(({ functionName }) => functionName)).toEqual(['nobody'])
    const { application } = decodeEnvelope(await host.offers[0]!.frozen)
    expect(new TextDecoder().decode(inboundOf(application))).toBe(get('/nobody') + get('/echo'))
  })

  it('does not count at the container that has taken it', async () => {
    const { host } = patientHost()
    const { connection } = freshConnection(host, get('/hello-late').replace('hello-late', 'nobody'))
    clock.pass(1000)
    host.available.add('nobody')
    connection.available()
    const { host: target, calls } = patientHost({ handler: 10_000 })
    Object.assign(target, { functionName: 'nobody' })
    const { stream } = movedConnection(target, await host.offers[0]!.frozen)
    expect(calls).toHaveLength(1)
    clock.pass(9000)
    expect(stream.sent).toEqual([])
  })

  it('takes the time that is left along', async () => {
    const { host } = patientHost()
    host.available.add('echo')
    const { connection } = freshConnection(host, get('/nobody'))
    clock.pass(3000)
    connection.drain(true)
    const { host: target } = patientHost()
    const { stream } = movedConnection(target, await host.offers[0]!.frozen)
    clock.pass(999)
    expect(stream.sent).toEqual([])
    clock.pass(1)
    expect(responses(stream.take(), 1)[0]!.status).toBe(503)
  })

  it('answers at once when the container stops and no container takes the connection', () => {
    const { host } = patientHost()
    const { connection, stream } = freshConnection(host, get('/nobody'))
    connection.drain()
    expect(responses(stream.take(), 1)[0]!.status).toBe(503)
    expect(stream.finished).toBe(true)
  })

  it.each([true, false])('holds no other request up over HTTP/2, and comes in time: %j', async comes => {
    const { host, calls } = patientHost()
    const client = new Talker(true).arrive(host)
    const waiting = client.request('/nobody')
    const own = client.request('/echo')
    client.flush()
    calls[0]!.answer({ status: 200, body: 'fine' })
    await turn()
    client.flush()
    expect(client.answer(own).body).toBe('fine')
    expect(client.answers.has(waiting)).toBe(false)
    if (comes) {
      host.available.add('nobody')
      client.connection.available()
      expect(host.offers.length + host.loans.length).toBe(1)
    } else {
      clock.pass(4000)
      client.flush()
      expect(problemOf(client.answer(waiting))).toMatchObject({ status: 503, timer: 'container' })
      expect(client.stream.finished).toBe(false)
    }
  })
})
