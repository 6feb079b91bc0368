import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Connection } from '../../../src/containers/connection/connection.ts'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import { utf8 } from '../../../src/wire/index.ts'
import {
  FakeHost,
  type FakeStream,
  freshConnection,
  get,
  movedConnection,
  responses,
  turn,
} from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'
import { Talker } from '../../support/http2-scene.ts'

let clock = new HandClock()

/** Bytes that the connections of these containers may hold together. */
const LIMIT = 200_000

const post = (path: string, length: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`

function host(handle?: ConstructorParameters<typeof FakeHost>[0]): FakeHost {
  return new FakeHost(handle, { clock, memoryBytes: LIMIT })
}

beforeEach(() => {
  clock = new HandClock()
})

/** An upload that is not finished. */
function upload(at: FakeHost, bytes: number) {
  const one = freshConnection(at, post('/echo', 1_000_000))
  one.stream.receive(new Uint8Array(bytes))
  return one
}

describe('uploads that no function has yet', () => {
  it('over HTTP/1.1: the oldest is answered with 503, the others go on', () => {
    const at = host(({ body }) => ({ status: 200, body: `${body.length}` }))
    const old = upload(at, 90_000)
    clock.pass(10_000)
    const young = upload(at, 90_000)
    expect(at.memory.held).toBe(180_000)
    clock.pass(1000)
    const newcomer = upload(at, 90_000)
    expect(responses(old.stream.take(), 1)).toMatchObject([
      {
        status: 503,
        headers: { 'x-hotpotato-error': 'memory-limit', 'retry-after': '1', connection: 'close' },
      },
    ])
    expect(old.stream.finished).toBe(true)
    expect([at.memory.held, at.memory.shed]).toEqual([180_000, 1])
    for (const { stream } of [young, newcomer]) {
      expect(stream.take()).toHaveLength(0)
      for (let left = 910_000; left > 0; left -= 10_000) {
        // What has been given up once more is of others.
        if (at.memory.shed > 1) break
        stream.receive(new Uint8Array(10_000))
      }
    }
    // Alone, one of them is too much as well.
    expect(at.memory.held).toBeLessThanOrEqual(LIMIT)
  })

  it('that a function gathers', async () => {
    const at = host()
    const ends: string[] = []
    const fetch = async (request: Request) => {
      await request.arrayBuffer().catch(() => ends.push('the content broke off'))
      return new Response('whole')
    }
    at.module = { kind: 'fetch', file: 'test', fetch }
    const clients = [upload(at, 90_000), upload(at, 90_000), upload(at, 90_000)]
    while (ends.length === 0) await turn()
    expect([at.memory.shed, at.memory.held, ends.length]).toEqual([1, 180_000, 1])
    const first = clients.find(({ stream }) => stream.finished)!
    expect(responses(first.stream.take(), 1)).toMatchObject([{ status: 503 }])
    for (const { connection } of clients) connection.destroy(new Error('the test is over'))
  })

  it('not those that a function reads while it answers', async () => {
    const at = host()
    const fetch = (request: Request) => {
      request.body!.pipeTo(new WritableStream()).catch(() => {})
      return new Response(new ReadableStream({ start: one => one.enqueue(utf8('begun')) }))
    }
    at.module = { kind: 'fetch', file: 'test', fetch }
    const started: Connection[] = []
    for (let i = 0; i < 3; i++) {
      const { connection, stream } = upload(at, 90_000)
      started.push(connection)
      while (stream.sent.length === 0) await turn()
      stream.receive(new Uint8Array(10))
      while (at.memory.held > 0) await turn()
    }
    expect(at.memory.shed).toBe(0)
    for (const connection of started) connection.destroy(new Error('the test is over'))
  })

  it('over HTTP/2: the streams that hold much, not the connection', () => {
    const at = host(({ path, body }) => ({ status: 200, body: `${path} ${body.length}` }))
    const client = new Talker(false).arrive(at)
    const large = client.request('/echo/large', { body: new Uint8Array(150_000), open: true })
    const small = client.request('/echo/small', { body: new Uint8Array(1000), open: true })
    client.flush()
    clock.pass(1000)
    upload(at, 90_000)
    client.hear()
    expect(client.answers.get(large)).toMatchObject({
      status: 503,
      headers: { 'x-hotpotato-error': 'memory-limit' },
    })
    client.http.end(small)
    client.flush()
    expect(client.answers.get(small)).toMatchObject({ status: 200, body: '/echo/small 1000' })
    expect(client.closed).toBe(false)
  })
})

describe('output that the client does not take', () => {
  it('ends its connection, for another one', () => {
    const at = host(() => ({ status: 200, body: new Uint8Array(65_000) }))
    const reader = freshConnection(at)
    reader.stream.blocked = true
    reader.stream.receive(utf8(get('/echo') + get('/echo')))
    expect(at.memory.held).toBeGreaterThan(130_000)
    clock.pass(1000)
    upload(at, 90_000)
    expect(reader.stream.state).toBe('closed')
    expect(at.ends).toEqual(['ended'])
    expect(at.memory.held).toBe(90_000)
  })

  it('is not counted any more when it has been taken', () => {
    const at = host(() => ({ status: 200, body: new Uint8Array(65_000) }))
    const { stream } = freshConnection(at)
    stream.blocked = true
    stream.receive(utf8(get('/echo') + get('/echo')))
    stream.drain()
    expect(at.memory.held).toBe(0)
  })

  it('is still counted when its connection says goodbye', () => {
    const at = host(() => ({ status: 200, body: new Uint8Array(65_000) }))
    const { stream } = freshConnection(at)
    stream.blocked = true
    stream.receive(utf8(get('/echo') + get('/echo', 'Connection: close\r\n')))
    expect(stream.finished).toBe(true)
    expect(at.memory.held).toBeGreaterThan(130_000)
    clock.pass(1000)
    upload(at, 90_000)
    expect(stream.state).toBe('closed')
  })
})

it('what is on its way to another container is held until that has it, and cannot be given up', async () => {
  const at = host()
  at.available.add('echo')
  const { connection } = upload(at, 150_000)
  connection.drain(true)
  const frozen = await at.offers[0]!.frozen
  expect(at.memory.held).toBeGreaterThan(150_000)
  const target = host()
  movedConnection(target, frozen)
  expect(target.memory.held).toBe(150_000)
  clock.pass(1000)
  const newcomer = upload(at, 90_000)
  expect(responses(newcomer.stream.take(), 1)).toMatchObject([{ status: 503 }])
  at.offers[0]!.settle({ state: 'gone' })
  expect(at.memory.held).toBe(0)
})

describe('whatever becomes of connections', () => {
  interface Live {
    readonly at: FakeHost
    readonly connection: Connection
    readonly stream: FakeStream
  }
  const step = fc.record({
    who: fc.nat(7),
    what: fc.constantFrom('ask', 'send', 'block', 'drain', 'move', 'refuse', 'reset', 'fin', 'stop', 'wait'),
    by: fc.nat(60_000),
  })

  it('what is held is what they hold, and nothing when they are gone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async steps => {
        const hosts = [0, 1].map(() => host(({ body }) => ({ status: 200, body })))
        for (const one of hosts) one.available.add('echo')
        const live = new Map<number, Live>()
        for (const { who, what, by } of steps) {
          const one = live.get(who) ?? { at: hosts[by % 2]!, ...freshConnection(hosts[by % 2]!) }
          live.set(who, one)
          await act(one, what, by, moved => {
            hosts.push(moved.at)
            live.set(who, moved)
          })
          for (const at of hosts) {
            const sum = [...live.values()].filter(other => other.at === at)
            for (const { connection } of sum) connection.burden.update()
            expect(at.memory.held).toBe(sum.reduce((all, { connection }) => all + weight(connection), 0))
          }
        }
        for (const { connection } of live.values()) connection.destroy(new Error('the test is over'))
        for (const { offers } of hosts) for (const offer of offers) settle(offer)
        expect(hosts.filter(({ memory }) => memory.held !== 0)).toEqual([])
      }),
      { numRuns: 40 },
    )
  })

  const talk = fc.record({
    what: fc.constantFrom(
      'open',
      'write',
      'end',
      'reset',
      'ask',
      'block',
      'drain',
      'move',
      'refuse',
      'crowd',
    ),
    by: fc.nat(60_000),
  })

  it('over HTTP/2 as well', async () => {
    const serving = (): FakeHost => {
      const at = host(({ body }) => ({ status: 200, body }))
      at.available.add('echo')
      return at
    }
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(talk, { minLength: 5, maxLength: 60 }), async (tls, steps) => {
        let at = serving()
        const hosts = [at]
        const client = new Talker(tls).arrive(at)
        const open: number[] = []
        const others: Connection[] = []
        for (const { what, by } of steps) {
          // It has been told to go.
          if (client.stream.state === 'closed' || client.closed || !client.http.canRequest) break
          const id = open[by % Math.max(1, open.length)]
          if (what === 'open') open.push(client.request('/echo', { open: true }))
          else if (what === 'ask')
            client.request(by % 2 === 0 ? '/echo' : '/resize', { body: new Uint8Array(by) })
          else if (what === 'block') client.stream.blocked = true
          else if (what === 'drain') client.stream.drain()
          else if (what === 'crowd') others.push(upload(at, by).connection)
          else if (what === 'move' || what === 'refuse') {
            const before = at.offers.length
            client.connection.moveTo(new MoveOrder(2, () => {}))
            const offer = at.offers[before]
            if (offer !== undefined && client.stream.state === 'lifted') {
              const frozen = await offer.frozen
              if (what === 'refuse') {
                const verdict = { outcome: 'refused', reason: 'suite', detail: 'no' } as const
                offer.settle({ state: 'owned', verdict })
              } else {
                at = serving()
                hosts.push(at)
                client.move(at, frozen)
                offer.settle({ state: 'gone' })
              }
            }
          } else if (id !== undefined) {
            if (what === 'write') client.http.write(id, new Uint8Array(by))
            else if (what === 'end') client.http.end(id)
            else client.http.reset(id)
            if (what !== 'write') open.splice(open.indexOf(id), 1)
          }
          if (client.stream.state === 'open') client.flush()
          await turn()
          if (at.memory.shed === 0) expect(at.memory.held).toBeLessThanOrEqual(LIMIT)
        }
        client.connection.destroy(new Error('the test is over'))
        for (const one of hosts) {
          for (const offer of one.offers) settle(offer)
          for (const loan of one.loans) loan.settle(undefined)
        }
        for (const connection of others) connection.destroy(new Error('the test is over'))
        expect(hosts.filter(({ memory }) => memory.held !== 0)).toEqual([])
      }),
      { numRuns: 40 },
    )
  })

  function weight(connection: Connection): number {
    return connection.phase === 'closed' ? 0 : connection.burden.weigh()
  }

  function settle(offer: FakeHost['offers'][number]): void {
    offer.settle({ state: 'ended', reason: 'lost' })
  }

  async function act({ at, connection, stream }: Live, what: string, by: number, moved: (to: Live) => void) {
    if (what === 'ask') stream.receive(utf8(`${get('/echo')}${post('/echo', by)}`))
    else if (what === 'send') stream.receive(new Uint8Array(by))
    else if (what === 'block') stream.blocked = true
    else if (what === 'drain') stream.drain()
    else if (what === 'reset') await stream.reset()
    else if (what === 'fin') stream.fin()
    else if (what === 'stop') connection.stop()
    else if (what === 'move' || what === 'refuse') {
      const before = at.offers.length
      connection.drain(true)
      const offer = at.offers[before]
      if (offer === undefined || stream.state === 'lifting') return
      if (what === 'refuse') {
        offer.settle({ state: 'owned', verdict: { outcome: 'refused', reason: 'suite', detail: 'no' } })
        return
      }
      const target = host(({ body }) => ({ status: 200, body }))
      target.available.add('echo')
      const there = movedConnection(target, await offer.frozen)
      offer.settle({ state: 'gone' })
      moved({ at: target, ...there })
    }
  }
})
