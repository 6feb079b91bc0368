import { describe, expect, it } from 'vitest'
import { LENT_BYTES } from '../../../src/containers/move/policy.ts'
import { serveBorrowed } from '../../../src/containers/protocol/borrowed.ts'
import type { FunctionModule } from '../../../src/functions/module.ts'
import type { RequestView } from '../../../src/http/message.ts'
import {
  decodeLoan,
  decodeLoanAnswer,
  encodeLoan,
  encodeLoanAnswer,
  type LoanAnswer,
} from '../../../src/transfer/loans/loan.ts'
import { EMPTY, utf8 } from '../../../src/wire/index.ts'
import { FakeHost, turn } from '../../support/connection-scene.ts'

const REQUEST = {
  method: 'POST',
  target: '/hello/x?a=b',
  headers: [{ name: 'host', value: 'a' }],
  host: 'a',
  path: '/hello/x',
  query: 'a=b',
  body: utf8('content'),
  tls: true,
  alpn: 'h2',
  serverName: 'echo.local',
  remoteAddress: '192.0.2.7',
  hops: 3,
  requestIndex: 7,
}

/** Serves a request that came as bytes, and gives the answer after its journey. */
function borrow(module: Partial<FunctionModule>, request = REQUEST): Promise<LoanAnswer> {
  const host = Object.assign(new FakeHost(), { module: { file: 'test', ...module } })
  return new Promise(resolve => {
    serveBorrowed(decodeLoan(encodeLoan(request)), host, '/x', answer =>
      resolve(decodeLoanAnswer(encodeLoanAnswer(answer))),
    )
  })
}

const raw = (handle: (request: RequestView) => unknown): Partial<FunctionModule> =>
  ({ kind: 'raw', handle }) as Partial<FunctionModule>

describe('a request that is lent', () => {
  it('is lost when its response is gathered and there is no room for it: its function has run', async () => {
    const host = new FakeHost(undefined, { memoryBytes: 100_000 })
    const streams: ReadableStreamDefaultController<Uint8Array>[] = []
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) => void streams.push(controller)
    const fetch = () => new Response(new ReadableStream({ start }))
    Object.assign(host, { module: { kind: 'fetch', file: 'test', fetch } })
    const lend = (): Promise<LoanAnswer> =>
      new Promise(resolve => serveBorrowed(decodeLoan(encodeLoan(REQUEST)), host, '/x', resolve))
    const answers = [lend(), lend()]
    while (streams.length < 2) await turn()
    streams[0]!.enqueue(new Uint8Array(60_000))
    while (host.memory.held < 60_000) await turn()
    streams[1]!.enqueue(new Uint8Array(60_000))
    const refused = await Promise.race(answers)
    expect(refused).toMatchObject({ outcome: 'refused', reason: 'broken' })
    // That of the refused one has been cancelled.
    for (const stream of streams) if (stream.desiredSize !== 0) stream.close()
    const outcomes = await Promise.all(answers)
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['answered', 'refused'])
    expect([host.memory.held, host.memory.shed]).toEqual([0, 1])
  })

  it('is served as one on a connection of its own', async () => {
    let seen: unknown
    const answer = await borrow({
      kind: 'fetch',
      fetch: async (request, _, context) => {
        seen = [request.method, request.url, await request.text(), context.functionPath, context.connection]
        return new Response('lent', { status: 201, headers: { 'x-mine': 'yes' } })
      },
    })
    expect(seen).toEqual([
      'POST',
      'https://a/hello/x?a=b',
      'content',
      '/x',
      {
        ...{ tls: true, alpn: 'h2', serverName: 'echo.local', remoteAddress: '192.0.2.7' },
        ...{ hops: 3, requestIndex: 7, container: 'echo-1' },
      },
    ])
    expect(answer).toMatchObject({ outcome: 'answered', status: 201, body: utf8('lent') })
    if (answer.outcome !== 'answered') throw new Error()
    expect(answer.headers).toContainEqual({ name: 'x-mine', value: 'yes' })
    expect(answer.headers).toContainEqual({ name: 'x-hotpotato-container', value: 'echo-1' })
  })

  it('is answered with what streams, whole', async () => {
    const pieces = ['one ', 'two ', 'three']
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      await new Promise(resolve => setImmediate(resolve))
      const piece = pieces.shift()
      if (piece === undefined) controller.close()
      else controller.enqueue(utf8(piece))
    }
    const body = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 })
    expect(await borrow({ kind: 'fetch', fetch: () => new Response(body) })).toMatchObject({
      status: 200,
      body: utf8('one two three'),
    })
  })

  it('keeps the length that an answer to HEAD tells', async () => {
    const fetch = () => new Response(null, { headers: { 'content-length': '1234' } })
    expect(await borrow({ kind: 'fetch', fetch }, { ...REQUEST, method: 'HEAD', body: EMPTY })).toMatchObject(
      {
        length: 1234,
        body: EMPTY,
      },
    )
  })

  it('of a function that fails is answered with 500', async () => {
    const answer = await borrow(
      raw(() => {
        throw new Error('no')
      }),
    )
    expect(answer).toMatchObject({ outcome: 'answered', status: 500 })
  })

  it('is not answered by half', async () => {
    let count = 0
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      await new Promise(resolve => setImmediate(resolve))
      if (count++ === 0) controller.enqueue(utf8('half'))
      else controller.error(new Error('no more'))
    }
    const body = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 })
    expect(await borrow({ kind: 'fetch', fetch: () => new Response(body) })).toMatchObject({
      reason: 'broken',
    })
  })

  it('is not answered with more than can be lent', async () => {
    const much = new Uint8Array(LENT_BYTES + 1)
    expect(await borrow(raw(() => ({ status: 200, body: much })))).toMatchObject({ reason: 'broken' })
    const most = new Uint8Array(LENT_BYTES)
    expect(await borrow(raw(() => ({ status: 200, body: most })))).toMatchObject({ outcome: 'answered' })
  })

  it('ends a stream that goes on when it has had more than can be lent', async () => {
    let cancelled = false
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      await new Promise(resolve => setImmediate(resolve))
      controller.enqueue(new Uint8Array(1_048_576))
    }
    const cancel = () => {
      cancelled = true
    }
    const body = new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 })
    expect(await borrow({ kind: 'fetch', fetch: () => new Response(body) })).toMatchObject({
      reason: 'broken',
    })
    await expect.poll(() => cancelled).toBe(true)
  })

  it('is not answered with content of another length than its function has told', async () => {
    for (const told of [4, 6]) {
      const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
        await new Promise(resolve => setImmediate(resolve))
        controller.enqueue(utf8('bytes'))
        controller.close()
      }
      const body = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 })
      const fetch = () => new Response(body, { headers: { 'content-length': String(told) } })
      expect(await borrow({ kind: 'fetch', fetch })).toMatchObject({ reason: 'broken' })
    }
  })

  it('is not answered with trailers that cannot be sent', async () => {
    for (const trailers of [[['x-sum', 'a\nb']], [['x sum', '7']], [['content-length', '7']]] as const)
      expect(await borrow(raw(() => ({ status: 200, body: 'x', trailers })))).toMatchObject({
        reason: 'broken',
      })
  })
})
