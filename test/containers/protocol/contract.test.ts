import { describe, expect, it } from 'vitest'
import { serveBorrowed } from '../../../src/containers/protocol/borrowed.ts'
import { CLIENT_GONE, Traffic } from '../../../src/containers/protocol/traffic.ts'
import type { Context, RawResponse } from '../../../src/functions/contract.ts'
import type { FunctionModule } from '../../../src/functions/module.ts'
import { header, type RequestView } from '../../../src/http/message.ts'
import { MILLISECONDS, readCallCounter } from '../../../src/platform/counters/calls.ts'
import type { Clock } from '../../../src/time/clock.ts'
import { SYSTEM_CLOCK } from '../../../src/time/system-clock.ts'
import type { LoanAnswer } from '../../../src/transfer/loans/loan.ts'
import { EMPTY } from '../../../src/wire/index.ts'
import { FakeHost, freshConnection, get, turn } from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'

/*
 * What a container does with every request beside calling its function: it answers for its health, refuses
 * what is too much, marks and counts.
 */

type Handle = (request: RequestView, context: Context) => RawResponse | Promise<RawResponse>
const hello: Handle = () => ({ status: 200, body: 'hello' })

function hostOf(handle: Handle = hello, most = 0, draining = false, clock: Clock = SYSTEM_CLOCK) {
  const module = { kind: 'raw', file: 'test', handle } as FunctionModule
  return Object.assign(new FakeHost(undefined, { clock }), { module, traffic: new Traffic(most), draining })
}

/** How many calls were answered so, by status. */
function counted({ traffic }: ReturnType<typeof hostOf>): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const [name, count] of traffic.counters()) {
    const { status, place } = readCallCounter(name)
    if (place !== MILLISECONDS) counts[status] = (counts[status] ?? 0) + count
  }
  return counts
}

const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

async function overHttp1(host: FakeHost, request = get('/echo')): Promise<string> {
  const { stream } = freshConnection(host, request)
  for (let i = 0; i < 5; i++) await turn()
  return textOf(stream.take())
}

async function overHttp2(host: FakeHost, path: string): Promise<Record<string, string>> {
  const client = new Talker(false).arrive(host)
  client.request(path)
  client.flush()
  for (let i = 0; i < 5; i++) await turn()
  client.hear()
  const response = client.events.find(event => event.type === 'response')
  return { status: String(response?.status), ...Object.fromEntries(response?.headers ?? []) }
}

function lent(host: ReturnType<typeof hostOf>, path: string): Promise<LoanAnswer> {
  const request = { method: 'GET', target: path, headers: [], host: 'a', path, query: '', body: EMPTY }
  const place = { tls: false, alpn: undefined, serverName: undefined, remoteAddress: undefined }
  return new Promise(resolve =>
    serveBorrowed({ ...request, ...place, hops: 0, requestIndex: 0 }, host, path, resolve),
  )
}

describe('/_/health and /_/ready', () => {
  it('are answered by the container, by path and by host', async () => {
    const host = hostOf(() => ({ status: 500 }))
    for (const path of ['/_/health', '/_/ready', '/echo/_/health', '/function/echo/_/ready']) {
      expect(await overHttp1(host, get(path)), path).toMatch(/^HTTP\/1.1 200 [\s\S]*\r\n\r\nOK\n$/)
      expect((await overHttp2(host, path)).status, path).toBe('200')
    }
    expect(await lent(host, '/_/health')).toMatchObject({ outcome: 'answered', status: 200 })
    expect(host.traffic.calls).toBe(0)
  })

  it('leave every other path below /_/ to the function', async () => {
    const host = hostOf()
    expect(await overHttp1(host, get('/echo/_/healthy'))).toContain('hello')
  })

  it('say that it is not ready when it drains, and that it lives', async () => {
    const host = hostOf(hello, 0, true)
    expect(await overHttp1(host, get('/_/ready'))).toMatch(/^HTTP\/1.1 503 [\s\S]*retry-after: 1\r\n/i)
    expect(await overHttp1(host, get('/_/health'))).toMatch(/^HTTP\/1.1 200 /)
  })

  it('say that it is not ready when it has as many requests as it may', async () => {
    const host = hostOf(() => new Promise<never>(() => {}), 1)
    await overHttp1(host)
    expect(await overHttp1(host, get('/_/ready'))).toMatch(/^HTTP\/1.1 429 /)
    expect(await overHttp1(host, get('/_/health'))).toMatch(/^HTTP\/1.1 200 /)
    expect(host.traffic.refused).toBe(0)
  })
})

describe('more requests than maxInflight', () => {
  it('get 429 with Retry-After over each road, are counted, and later ones are served', async () => {
    const answer: (() => void)[] = []
    const host = hostOf(
      () => new Promise(resolve => void answer.push(() => resolve({ status: 200, body: 'late' }))),
      2,
    )
    const slow = freshConnection(host, get('/echo'))
    const other = freshConnection(host, get('/echo'))
    await turn()
    expect(host.traffic.inFlight).toBe(2)
    expect(await overHttp1(host)).toMatch(/^HTTP\/1.1 429 Too Many Requests\r\n[\s\S]*retry-after: 1\r\n/i)
    expect(await overHttp2(host, '/echo')).toMatchObject({
      status: '429',
      'retry-after': '1',
      'x-hotpotato-error': 'too-many-requests',
    })
    expect(await lent(host, '/')).toMatchObject({ outcome: 'answered', status: 429 })
    expect(host.traffic.refused).toBe(3)
    for (const settle of answer.splice(0)) settle()
    for (let i = 0; i < 5; i++) await turn()
    for (const { stream } of [slow, other]) expect(textOf(stream.take())).toContain('late')
    expect(host.traffic.inFlight).toBe(0)
    const next = overHttp1(host)
    await turn()
    answer[0]!()
    expect(await next).toContain('late')
    expect(counted(host)).toEqual({ 200: 3, 429: 3 })
  })
})

describe('a call is counted', () => {
  it.each(['http/1.1', 'h2'])('as 499 when its client goes before it is answered, over %s', async version => {
    const host = hostOf(() => new Promise<never>(() => {}))
    if (version === 'h2') {
      const client = new Talker(false).arrive(host)
      client.request('/echo')
      client.flush()
      await turn()
      expect(host.traffic.inFlight).toBe(1)
      client.connection.destroy(new Error('gone'))
    } else {
      const { connection } = freshConnection(host, get('/echo'))
      await turn()
      expect(host.traffic.inFlight).toBe(1)
      connection.destroy(new Error('gone'))
    }
    await turn()
    expect(host.traffic.inFlight).toBe(0)
    expect(counted(host)).toEqual({ [CLIENT_GONE]: 1 })
  })

  it('as 500 when its function throws', async () => {
    const host = hostOf(() => {
      throw new Error('on purpose')
    })
    await overHttp1(host)
    expect(counted(host)).toEqual({ 500: 1 })
  })

  it.each(['http/1.1', 'h2'])('as 504 when its time is over, over %s', async version => {
    const clock = new HandClock()
    const host = hostOf(() => new Promise<never>(() => {}), 0, false, clock)
    if (version === 'h2') {
      const client = new Talker(false).arrive(host)
      client.request('/echo')
      client.flush()
    } else freshConnection(host, get('/echo'))
    await turn()
    clock.pass(host.limits.timers.handler + 1)
    await turn()
    expect(host.traffic.inFlight).toBe(0)
    expect(counted(host)).toEqual({ 504: 1 })
  })

  it('not at all when it goes to another container before its function has begun', async () => {
    const host = hostOf()
    const request = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf'
    const { connection } = freshConnection(host, request)
    await turn()
    expect(host.traffic.inFlight).toBe(1)
    host.available.add('echo')
    connection.drain(true)
    for (let i = 0; i < 5; i++) await turn()
    expect(host.offers.length).toBe(1)
    host.offers[0]!.settle({ state: 'gone' })
    expect(host.traffic.inFlight).toBe(0)
    expect(counted(host)).toEqual({})
  })
})

describe('a call has an id and a time', () => {
  it('that its function and its client are told, over each road', async () => {
    const seen: RequestView['headers'][] = []
    const host = hostOf(request => {
      seen.push(request.headers)
      return { status: 200 }
    })
    const one = await overHttp1(host)
    const id = /x-call-id: ([0-9a-f-]{36})\r\n/.exec(one)?.[1]
    expect(header(seen[0]!, 'x-call-id')).toBe(id)
    expect(one).toMatch(/x-duration-seconds: 0\.\d{6}\r\n/)
    const start = /x-start-time: (\d{19})\r\n/.exec(one)?.[1]
    expect(header(seen[0]!, 'x-start-time')).toBe(start)
    const two = await overHttp2(host, '/echo')
    expect(header(seen[1]!, 'x-call-id')).toBe(two['x-call-id'])
    expect(two['x-duration-seconds']).toMatch(/^0\.\d{6}$/)
    expect(two['x-call-id']).not.toBe(id)
  })

  it('of the caller, unless it is nothing for a field or a log', async () => {
    const ids: (string | undefined)[] = []
    const host = hostOf((request, ctx) => {
      ids.push(header(request.headers, 'x-call-id'), ctx.callId)
      return { status: 200 }
    })
    const ask = (id: string): string =>
      `GET /echo HTTP/1.1\r\nHost: a\r\nX-Call-Id: ${id}\r\nX-Start-Time: 1\r\n\r\n`
    expect(await overHttp1(host, ask('mine-1'))).toContain('x-call-id: mine-1\r\n')
    await overHttp1(host, ask('<script>'))
    expect(ids.slice(0, 2)).toEqual(['mine-1', 'mine-1'])
    expect(ids[2]).toMatch(/^[0-9a-f-]{36}$/)
    expect(ids[3]).toBe(ids[2])
  })
})
