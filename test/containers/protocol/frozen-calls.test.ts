import { describe, expect, it } from 'vitest'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import type { CallContext } from '../../../src/containers/protocol/call-context.ts'
import type { Context, FetchHandler, ResumeFunction } from '../../../src/functions/contract.ts'
import { resumable } from '../../../src/functions/resumable.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'
import {
  FakeStream,
  freshConnection,
  get,
  movedConnection,
  REFUSED,
  responses,
  turn,
} from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'
import { gate, offered, ResponseHost } from '../../support/response-scene.ts'

type Fetch = FetchHandler['fetch']

const MIB = 1_048_576

/** A stream of which 9 bytes are there, and that waits from then on; its state has so many bytes. */
const waiting = (stateBytes: number, content = 'some of i') =>
  resumable({
    start: controller => controller.enqueue(content),
    freeze: () => 'x'.repeat(stateBytes - 2),
  })

/** The rest of it. */
const rest = (text: unknown = 't') =>
  resumable({
    start: controller => {
      controller.enqueue(text as string)
      controller.close()
    },
    freeze: () => '',
  })

describe('what a call takes along', () => {
  it('is in the account of its connection, on its way and where it arrives', async () => {
    const body = gate<ReadableStream<Uint8Array>>()
    const fetch: Fetch = () => new Response(waiting(600_000))
    const [one, two] = [new ResponseHost(fetch, rest), new ResponseHost(fetch, () => body.passed, 'echo-2')]
    const { connection } = freshConnection(one, get('/echo'))
    await turn()
    expect(one.memory.held).toBe(0)
    const { offer, frozen } = await offered(one, connection)
    expect(one.memory.held).toBeGreaterThanOrEqual(600_000)
    const next = movedConnection(two, frozen)
    offer.settle({ state: 'gone' })
    expect(one.memory.held).toBe(0)
    await turn()
    next.connection.pump()
    expect(two.memory.held).toBeGreaterThanOrEqual(600_000)
    body.open(rest())
    await turn()
    next.connection.pump()
    expect(two.memory.held).toBe(0)
  })

  it('is in it over HTTP/2 as well, and the rest of a whole body', async () => {
    const large = 'y'.repeat(700_000)
    const fetch: Fetch = request =>
      new Response(new URL(request.url).pathname === '/echo/large' ? large : waiting(300_000))
    const [one, two] = ['echo-1', 'echo-2'].map(name => new ResponseHost(fetch, () => waiting(300_000), name))
    const client = new Talker(false).arrive(one!)
    client.request('/echo')
    const id = client.request('/echo/large')
    client.stream.receive(client.bytes())
    await turn()
    client.hear()
    const { offer, frozen } = await offered(one!, client.connection)
    expect(one!.memory.held).toBeGreaterThanOrEqual(700_000)
    client.move(two!, frozen)
    offer.settle({ state: 'gone' })
    await turn()
    // Not all of it fits into the client's windows.
    expect(two!.memory.held).toBeGreaterThanOrEqual(400_000)
    for (let at = 0; at < 8; at++) {
      client.flush()
      await turn()
    }
    expect(client.answer(id)).toMatchObject({ body: large, ended: true })
    client.connection.pump()
    // What remains is the table of fields.
    expect(two!.memory.held).toBeLessThan(4096)
  })

  it('holds up no other stream if all together are too large', async () => {
    let ring = (): void => {}
    const source = (state: unknown) => {
      let n = state as number
      return resumable({
        pull: async controller => {
          await new Promise<void>(resolve => {
            ring = resolve
          })
          controller.enqueue(`${n++} `)
        },
        freeze: () => n,
      })
    }
    const fetch: Fetch = request =>
      new Response(new URL(request.url).pathname === '/echo/large' ? waiting(MIB) : source(0))
    const host = new ResponseHost(fetch, source)
    const client = new Talker(false).arrive(host)
    for (let at = 0; at < 5; at++) client.request('/echo/large')
    const id = client.request('/echo')
    client.flush()
    await turn()
    client.connection.drain(true)
    for (let at = 0; at < 4; at++) {
      ring()
      await turn()
    }
    client.flush()
    expect(host.offers).toEqual([])
    expect(client.answer(id).body).toMatch(/^0 1 2 /)
  })
})

describe('a call that moves is counted and told of once', () => {
  const fetch: Fetch = () => new Response(waiting(10))
  const counts = ({ traffic, lines }: ResponseHost) => ({
    inFlight: traffic.inFlight,
    calls: traffic.calls,
    lines: lines.map(({ status }) => status),
  })

  it.each([false, true])('where it ends; over HTTP/2: %s', async http2 => {
    const [one, two] = ['echo-1', 'echo-2'].map(name => new ResponseHost(fetch, () => rest(), name))
    const client = http2 ? new Talker(false).arrive(one!) : undefined
    client?.request('/echo')
    client?.flush()
    const connection = client?.connection ?? freshConnection(one!, get('/echo')).connection
    await turn()
    const { offer, frozen } = await offered(one!, connection)
    if (client === undefined) movedConnection(two!, frozen)
    else client.move(two!, frozen)
    offer.settle({ state: 'gone' })
    await turn()
    await turn()
    expect(counts(one!)).toEqual({ inFlight: 0, calls: 0, lines: [] })
    expect(counts(two!)).toEqual({ inFlight: 0, calls: 1, lines: [200] })
  })

  it.each([false, true])('here, if nothing is known of the other container; over HTTP/2: %s', async http2 => {
    const host = new ResponseHost(fetch, () => rest())
    const client = http2 ? new Talker(false).arrive(host) : undefined
    client?.request('/echo')
    client?.flush()
    const connection = client?.connection ?? freshConnection(host, get('/echo')).connection
    await turn()
    const { offer } = await offered(host, connection)
    offer.settle({ state: 'ended', reason: 'lost' })
    await turn()
    expect(counts(host)).toEqual({ inFlight: 0, calls: 1, lines: [200] })
  })

  it('here, if it was refused', async () => {
    const host = new ResponseHost(fetch, () => rest())
    const { connection, stream } = freshConnection(host, get('/echo'))
    await turn()
    const { offer } = await offered(host, connection)
    offer.settle(REFUSED)
    for (let turns = 0; turns < 3; turns++) await turn()
    expect(responses(stream.take(), 1)[0]!.body).toBe('some of it')
    expect(counts(host)).toEqual({ inFlight: 0, calls: 1, lines: [200] })
  })
})

it('a call that goes on began when it began, and is due when it was', async () => {
  const told: { container: string; startTime: string; deadline: number | undefined }[] = []
  const tell = (ctx: Context): void => {
    const { connection, startTime, deadline } = ctx as CallContext
    told.push({ container: connection.container, startTime, deadline })
  }
  const fetch: Fetch = (_request, _env, ctx) => {
    tell(ctx)
    return new Response(waiting(10))
  }
  const resume: ResumeFunction = (_state, ctx) => {
    tell(ctx)
    return waiting(10)
  }
  const clock = new HandClock()
  const hosts = ['echo-1', 'echo-2', 'echo-3'].map(name => new ResponseHost(fetch, resume, name, clock))
  const began = clock.wall()
  let { connection } = freshConnection(hosts[0]!, get('/echo', 'X-Timeout: 20s\r\n'))
  await turn()
  for (const [at, to] of hosts.slice(1).entries()) {
    clock.pass(5000)
    const { offer, frozen } = await offered(hosts[at]!, connection)
    // On its way it takes its time, too.
    clock.pass(1000)
    ;({ connection } = movedConnection(to, frozen))
    offer.settle({ state: 'gone' })
    await turn()
  }
  expect(told).toEqual(
    ['echo-1', 'echo-2', 'echo-3'].map(container => ({
      container,
      startTime: `${began}000000`,
      deadline: began + 20_000,
    })),
  )
})

it.each<[string, Fetch]>([
  ['a stream', (_request, _env, ctx) => new Response(ctx.resumable({ freeze: () => 1 }))],
  ['events', (_request, _env, ctx) => new Response(ctx.events('0', () => new Promise(() => {})))],
  [
    'a request',
    (_request, _env, ctx) => {
      ctx.freezes(() => 1)
      return new Response('')
    },
  ],
])('a function that freezes %s, in a module without `resume`, is told of once', async (_, fetch) => {
  const host = new ResponseHost(fetch)
  for (let calls = 0; calls < 3; calls++) freshConnection(host, get('/echo'))
  await turn()
  const why = 'this function freezes, and cannot move: its module exports no `resume`'
  expect(host.logged).toEqual([[{ file: 'test' }, why]])
})

describe('a stream is asked where it stands', () => {
  it('when its source has begun, and not before', async () => {
    const begun = gate<number>()
    const source = () => {
      let n: number | undefined
      return resumable({
        start: async () => {
          n = await begun.passed
        },
        pull: () => new Promise(() => {}),
        freeze: () => ({ n }),
      })
    }
    const host = new ResponseHost(() => new Response(source()), source)
    const { connection } = freshConnection(host, get('/echo'))
    await turn()
    connection.moveTo(new MoveOrder(2, () => {}))
    await turn()
    expect(host.offers).toEqual([])
    begun.open(7)
    await turn()
    await turn()
    const { application } = decodeEnvelope(await host.offers[0]!.frozen)
    expect(application).toMatchObject({ call: { state: utf8('{"n":7}') } })
  })

  it('never again, when it has broken off: what was given does not look whole', async () => {
    let fail = (): void => {}
    const source = resumable({
      start: controller => {
        controller.enqueue('begun')
        fail = () => controller.error(new Error('no more'))
      },
      freeze: () => 'here',
    })
    const host = new ResponseHost(
      () => new Response(source),
      () => rest(),
    )
    const stream = new FakeStream()
    stream.blocked = true
    const { connection } = freshConnection(host, get('/echo'), stream)
    await turn()
    fail()
    connection.moveTo(new MoveOrder(2, () => {}))
    await turn()
    stream.drain()
    for (let turns = 0; turns < 3; turns++) await turn()
    expect(host.offers).toEqual([])
    const text = new TextDecoder().decode(stream.take())
    expect(text).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/)
    expect(stream.state).toBe('closed')
  })
})

describe('while `resume` has not answered', () => {
  const fetch: Fetch = () => new Response(waiting(10, 'x'.repeat(300_000)))

  async function carrying(two: ResponseHost) {
    const one = new ResponseHost(fetch, rest)
    const stream = new FakeStream()
    stream.blocked = true
    const { connection } = freshConnection(one, get('/echo'), stream)
    await turn()
    connection.moveTo(new MoveOrder(2, () => {}))
    await turn()
    stream.drain()
    for (let turns = 0; turns < 3; turns++) await turn()
    return { stream, next: movedConnection(two, await one.offers[0]!.frozen) }
  }

  it('what was carried goes out', async () => {
    const { open, passed } = gate<ReadableStream<Uint8Array>>()
    const { stream, next } = await carrying(new ResponseHost(fetch, () => passed, 'echo-2'))
    await turn()
    const carried = concat(stream.take(), next.stream.take())
    expect(responses(carried, 1)[0]!.body).toBe('x'.repeat(300_000))
    open(rest('y'))
    await turn()
    expect(responses(concat(carried, next.stream.take()), 1)[0]!.body).toBe(`${'x'.repeat(300_000)}y`)
  })

  it('it moves on, and what it answers then is given up', async () => {
    const { open, passed } = gate<ReadableStream<Uint8Array>>()
    const two = new ResponseHost(fetch, () => passed, 'echo-2')
    const { stream, next } = await carrying(two)
    await turn()
    const { offer, frozen } = await offered(two, next.connection)
    const third = movedConnection(
      new ResponseHost(fetch, state => rest(`y${(state as string).length}`), 'echo-3'),
      frozen,
    )
    offer.settle({ state: 'gone' })
    const cancelled: unknown[] = []
    open(new ReadableStream({ cancel: reason => void cancelled.push(reason) }))
    await turn()
    const all = concat(stream.take(), next.stream.take(), third.stream.take())
    expect(responses(all, 1)[0]!.body).toBe(`${'x'.repeat(300_000)}y8`)
    expect(cancelled).toHaveLength(1)
  })
})

it('a connection whose client has said close_notify ends behind its response', async () => {
  const fetch: Fetch = () => new Response(waiting(10))
  const [one, two] = [new ResponseHost(fetch, rest), new ResponseHost(fetch, () => rest(), 'echo-2')]
  const client = new Talker(true).arrive(one)
  const id = client.request('/echo')
  client.flush()
  client.session.close()
  client.stream.receive(concat(...client.session.takeOutput()))
  await turn()
  const { offer, frozen } = await offered(one, client.connection)
  client.move(two, frozen)
  offer.settle({ state: 'gone' })
  for (let turns = 0; turns < 3; turns++) await turn()
  expect(client.hear().answer(id)).toMatchObject({ body: 'some of it', ended: true })
  expect([client.closed, client.stream.finished]).toEqual([true, true])
})
