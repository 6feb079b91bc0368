import { describe, expect, it } from 'vitest'
import { MoveOrder } from '../../../src/containers/move/move-order.ts'
import type { FetchHandler, ResumeFunction } from '../../../src/functions/contract.ts'
import { events } from '../../../src/functions/events.ts'
import { resumable } from '../../../src/functions/resumable.ts'
import { decodeEnvelope } from '../../../src/transfer/envelope.ts'
import { concat, utf8 } from '../../../src/wire/index.ts'
import {
  FakeHost,
  FakeStream,
  freshConnection,
  get,
  movedConnection,
  REFUSED,
  responses,
  turn,
} from '../../support/connection-scene.ts'
import { HandClock } from '../../support/hand-clock.ts'

type Fetch = FetchHandler['fetch']

/** A container with another one of its function beside it. */
function hostOf(
  fetch: Fetch,
  resume?: ResumeFunction,
  container = 'echo-1',
  clock = new HandClock(),
): FakeHost {
  const host = new FakeHost(undefined, { clock })
  host.module = { kind: 'fetch', file: 'test', fetch, ...(resume && { resume }) }
  host.available.add('echo')
  return Object.assign(host, { container })
}

/** A stream that gives a line when it is told to, or one after the other. */
class Lines {
  /** How often a stream of it was cancelled. */
  cancelled = 0
  readonly #wait: boolean
  readonly #most: number
  #next: (() => void) | undefined

  constructor(most: number, wait = true) {
    this.#most = most
    this.#wait = wait
  }

  readonly from = (state: unknown) => {
    let n = state as number
    return resumable({
      pull: async controller => {
        if (n === this.#most) return controller.close()
        if (this.#wait)
          await new Promise<void>(resolve => {
            this.#next = resolve
          })
        controller.enqueue(`line ${n++}\n`)
      },
      cancel: () => void this.cancelled++,
      freeze: () => n,
    })
  }

  give(): Promise<void> {
    this.#next?.()
    return turn()
  }
}

/** What `Lines` of that length have to say. */
const linesOf = (most: number): string => Array.from({ length: most }, (_, n) => `line ${n}\n`).join('')

/** Takes the connection out of a host, and gives it to another. */
async function moved(from: FakeHost, to: FakeHost, connection: { moveTo(order: MoveOrder): void }) {
  const reports: string[] = []
  connection.moveTo(new MoveOrder(2, ({ outcome, detail }) => reports.push(`${outcome} ${detail}`.trim())))
  await turn()
  const offer = from.offers.at(-1)
  if (offer === undefined) throw new Error('it is not offered')
  const bytes = await offer.frozen
  const next = movedConnection(to, bytes)
  offer.settle({ state: 'gone' })
  expect(reports).toEqual(['moved'])
  return { ...next, bytes }
}

describe('a response that can be frozen', () => {
  it.each([
    ['in chunks', '1.1', {}],
    ['of a length', '1.1', { 'content-length': String(linesOf(8).length) }],
    ['until the connection closes', '1.0', {}],
  ])('goes on in another container behind each piece: %s', async (_, version, headers) => {
    const lines = new Lines(8)
    const fetch: Fetch = () => new Response(lines.from(0), { headers })
    const hosts = ['echo-1', 'echo-2'].map(name => hostOf(fetch, lines.from, name))
    const request = get('/echo').replace('1.1', version)
    let { connection, stream } = freshConnection(hosts[0]!, request)
    await turn()
    const parts = [stream.take()]
    for (let at = 0; at < 6; at++) {
      if (at % 2 === 1) await lines.give()
      parts.push(stream.take())
      const [from, to] = at % 2 === 0 ? hosts : [...hosts].reverse()
      ;({ connection, stream } = await moved(from!, to!, connection))
      await turn()
      if (at % 2 === 0) await lines.give()
      parts.push(stream.take())
    }
    while (!new TextDecoder().decode(concat(...parts)).includes('line 7')) {
      await lines.give()
      parts.push(stream.take())
    }
    await lines.give()
    parts.push(stream.take())
    expect(responses(concat(...parts), 1)[0]!.body).toBe(linesOf(8))
    expect(lines.cancelled).toBe(6)
    if (version === '1.0') expect(stream.finished).toBe(true)
    else {
      // The next request finds the connection as if nothing had happened.
      stream.receive(utf8(get('/echo')))
      await turn()
      expect(new TextDecoder().decode(stream.take())).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    }
    expect(hosts.flatMap(({ logged }) => logged)).toEqual([])
  })

  it('says all that it had enqueued, also what no client has got', async () => {
    const pieces = (state: unknown) => {
      const left = state as number
      return resumable({
        start: controller => {
          for (let n = left; n < 9; n++) controller.enqueue(`line ${n}\n`)
          controller.close()
        },
        freeze: () => 9,
      })
    }
    const host = hostOf(() => new Response(pieces(0)), pieces)
    const stream = new FakeStream()
    stream.blocked = true
    const { connection } = freshConnection(host, get('/echo'), stream)
    await turn()
    connection.moveTo(new MoveOrder(2, () => {}))
    await turn()
    expect(host.offers).toHaveLength(0)
    stream.drain()
    await turn()
    const target = movedConnection(
      hostOf((host.module as FetchHandler).fetch, pieces, 'echo-2'),
      await host.offers[0]!.frozen,
    )
    await turn()
    const text = concat(stream.take(), target.stream.take())
    expect(responses(text, 1)[0]!.body).toBe(linesOf(9))
  })

  it('moves in the midst of a source that never waits, to a client that reads slowly', async () => {
    const lines = new Lines(20_000, false)
    const fetch: Fetch = () => new Response(lines.from(0))
    const host = hostOf(fetch, lines.from)
    const stream = new FakeStream()
    stream.blocked = true
    const { connection } = freshConnection(host, get('/echo'), stream)
    await turn()
    connection.moveTo(new MoveOrder(2, () => {}))
    await turn()
    stream.drain()
    await turn()
    const bytes = await host.offers[0]!.frozen
    const { application } = decodeEnvelope(bytes)
    expect(application).toMatchObject({ protocol: 'http1_response', response: { framing: 'chunked' } })
    host.offers[0]!.settle({ state: 'gone' })
    const next = movedConnection(hostOf(fetch, lines.from, 'echo-2'), bytes)
    for (let i = 0; i < 200; i++) await turn()
    const all = concat(stream.take(), next.stream.take())
    expect(responses(all, 1)[0]!.body).toBe(linesOf(20_000))
  })

  it.each(['refused', 'without a container'])('goes on where it was when it is %s', async how => {
    const lines = new Lines(3)
    const fetch: Fetch = () => new Response(lines.from(0))
    const host = hostOf(fetch, lines.from)
    if (how !== 'refused') host.available.delete('echo')
    const { connection, stream } = freshConnection(host, get('/echo'))
    await turn()
    await lines.give()
    const reports: string[] = []
    connection.moveTo(new MoveOrder(2, ({ outcome, detail }) => reports.push(`${outcome}: ${detail}`)))
    await turn()
    if (how === 'refused') {
      await host.offers[0]!.frozen
      host.offers[0]!.settle(REFUSED)
    }
    await turn()
    expect(reports).toEqual([how === 'refused' ? 'kept: none of these' : 'kept: that container is gone'])
    for (let i = 0; i < 4; i++) await lines.give()
    expect(responses(stream.take(), 1)[0]!.body).toBe(linesOf(3))
  })

  it('leaves with a container that drains, and its request behind it', async () => {
    const lines = new Lines(2)
    const fetch: Fetch = () => new Response(lines.from(0))
    const host = hostOf(fetch, lines.from)
    const { connection, stream } = freshConnection(host, get('/echo') + get('/echo', 'X-Second: 1\r\n'))
    await turn()
    connection.drain(true)
    await turn()
    const next = movedConnection(hostOf(fetch, lines.from, 'echo-2'), await host.offers[0]!.frozen)
    host.offers[0]!.settle({ state: 'gone' })
    for (let i = 0; i < 8; i++) await lines.give()
    const found = responses(concat(stream.take(), next.stream.take()), 2)
    expect(found.map(({ body, headers }) => [body, headers['x-hotpotato-container']])).toEqual([
      [linesOf(2), 'echo-1'],
      [linesOf(2), 'echo-2'],
    ])
  })

  it('moves as soon as it begins, if the order came before', async () => {
    const lines = new Lines(2)
    let begin = (): void => {}
    const fetch: Fetch = async () => {
      await new Promise<void>(resolve => {
        begin = resolve
      })
      return new Response(lines.from(0))
    }
    const host = hostOf(fetch, lines.from)
    const { connection, stream } = freshConnection(host, get('/echo'))
    await turn()
    connection.drain(true)
    await turn()
    expect(host.offers).toEqual([])
    begin()
    for (let i = 0; i < 4; i++) await turn()
    const next = movedConnection(hostOf(fetch, lines.from, 'echo-2'), await host.offers[0]!.frozen)
    for (let i = 0; i < 4; i++) await lines.give()
    expect(responses(concat(stream.take(), next.stream.take()), 1)[0]!.body).toBe(linesOf(2))
  })

  it('asks for no rest of a stream that has ended, though its client has yet to take it', async () => {
    const pieces = resumable({
      start: controller => {
        controller.enqueue('all of it')
        controller.close()
      },
      freeze: () => 'nothing follows',
    })
    const fetch: Fetch = () => new Response(pieces)
    const resume: ResumeFunction = () => Promise.reject(new Error('nothing follows'))
    const host = hostOf(fetch, resume)
    const stream = new FakeStream()
    stream.blocked = true
    const { connection } = freshConnection(host, get('/echo'), stream)
    connection.moveTo(new MoveOrder(2, () => {}))
    await turn()
    stream.drain()
    for (let i = 0; i < 3; i++) await turn()
    const other = hostOf(fetch, resume, 'echo-2')
    const target = movedConnection(other, await host.offers[0]!.frozen)
    await turn()
    expect(responses(concat(stream.take(), target.stream.take()), 1)[0]!.body).toBe('all of it')
    expect([...host.logged, ...other.logged]).toEqual([])
  })

  it('of a function that goes to sleep, it is given whole first', async () => {
    const lines = new Lines(2)
    const host = hostOf(() => new Response(lines.from(0)), lines.from)
    Object.assign(host, { resting: { underway: true } })
    const { connection, stream } = freshConnection(host, get('/echo'))
    await turn()
    connection.drain(true)
    for (let i = 0; i < 4; i++) {
      expect(host.offers).toHaveLength(i < 2 ? 0 : host.offers.length)
      await lines.give()
    }
    expect(responses(stream.take(), 1)[0]!.body).toBe(linesOf(2))
    const { application } = decodeEnvelope(await host.offers[0]!.frozen)
    expect(application.protocol).toBe('http1')
  })

  it('is a stream of events, whose ids are where it stands', async () => {
    const asked: string[] = []
    let ring = (): void => {}
    const ticks = (last: unknown) =>
      events(last as string, async (id, signal) => {
        asked.push(id)
        await new Promise<void>(resolve => {
          ring = resolve
          signal.addEventListener('abort', () => resolve())
        })
        return { id: String(Number(id) + 1), data: `tick\n${id}`, event: 'tick' }
      })
    const fetch: Fetch = request =>
      new Response(ticks(request.headers.get('last-event-id') ?? '0'), {
        headers: { 'content-type': 'text/event-stream' },
      })
    const [one, two] = [hostOf(fetch, ticks), hostOf(fetch, ticks, 'echo-2')]
    const { connection, stream } = freshConnection(one, get('/echo', 'Last-Event-ID: 7\r\n'))
    await turn()
    ring()
    await turn()
    const next = await moved(one, two, connection)
    await turn()
    ring()
    await turn()
    const { body } = responses(concat(stream.take(), next.stream.take()), 1)[0]!
    expect(body).toBe([7, 8].map(id => `id: ${id + 1}\nevent: tick\ndata: tick\ndata: ${id}\n\n`).join(''))
    expect(asked).toEqual(['7', '8', '8', '9'])
  })

  it('is the rest of a body that was there as a whole', async () => {
    const body = 'x'.repeat(300_000)
    const fetch: Fetch = () => new Response(body)
    const host = hostOf(fetch)
    const stream = new FakeStream()
    stream.blocked = true
    const { connection } = freshConnection(host, get('/echo'), stream)
    await turn()
    connection.moveTo(new MoveOrder(2, () => {}))
    await turn()
    stream.drain()
    await turn()
    const next = movedConnection(hostOf(fetch), await host.offers[0]!.frozen)
    await turn()
    const first = stream.take()
    const second = next.stream.take()
    expect(second.length).toBeGreaterThan(100_000)
    expect(responses(concat(first, second), 1)[0]!.body).toBe(body)
  })
})

describe('a response stays', () => {
  const ring: Record<string, unknown> = {}
  Object.assign(ring, { itself: ring })
  const fails = (): never => {
    throw new Error('not now')
  }
  const thrower = Object.defineProperty({}, 'at', { get: fails, enumerable: true })
  const reasons: readonly (readonly [string, Fetch, ResumeFunction | undefined])[] = [
    ['without freeze', () => new Response(plain()), () => plain()],
    ['without resume', () => new Response(new Lines(3).from(0)), undefined],
    [
      'with trailers',
      (_request, _env, ctx) => {
        ctx.trailers([['x-sum', '1']])
        return new Response(new Lines(3).from(0))
      },
      new Lines(3).from,
    ],
    ['with a state that JSON cannot say', () => new Response(frozen(() => undefined)), () => plain()],
    ['with a state that is too large', () => new Response(frozen(() => 'x'.repeat(2 ** 20))), () => plain()],
    [
      'when freeze throws',
      () =>
        new Response(
          frozen(() => {
            throw new Error('not now')
          }),
        ),
      () => plain(),
    ],
    ['with a promise of a state', () => new Response(frozen(async () => 1)), () => plain()],
    ['with a promise that fails', () => new Response(frozen(() => Promise.reject(1))), () => plain()],
    ['with a large number', () => new Response(frozen(() => ({ at: 2n ** 64n }))), () => plain()],
    ['with a state that is within itself', () => new Response(frozen(() => ring)), () => plain()],
    ['with a field that throws', () => new Response(frozen(() => thrower)), () => plain()],
    ['with a toJSON that throws', () => new Response(frozen(() => ({ toJSON: fails }))), () => plain()],
  ]

  it.each(reasons)('%s', async (_, fetch, resume) => {
    const host = hostOf(fetch, resume)
    const { connection, stream } = freshConnection(host, get('/echo'))
    await turn()
    connection.drain(true)
    for (let i = 0; i < 4; i++) await turn()
    expect(host.offers).toEqual([])
    expect(new TextDecoder().decode(stream.take())).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(stream.state).toBe('open')
  })

  it('and is told of once', async () => {
    const host = hostOf(reasons[3]![1], reasons[3]![2])
    const { connection } = freshConnection(host, get('/echo'))
    await turn()
    for (let i = 0; i < 3; i++) {
      connection.drain(true)
      await turn()
    }
    const err = { message: 'what is frozen is nothing that JSON can say' }
    expect(host.logged).toMatchObject([[{ err }, 'a response cannot move: its function does not freeze']])
  })

  it('and of a state that is too large it is told how much goes along', async () => {
    const host = hostOf(reasons[4]![1], reasons[4]![2])
    const { connection } = freshConnection(host, get('/echo'))
    await turn()
    connection.drain(true)
    await turn()
    const message = 'what is frozen has 1048578 bytes as JSON, and at most 1048576 go along'
    expect(host.logged).toMatchObject([[{ err: { message } }, expect.any(String)]])
  })
})

describe('a response whose rest cannot be made', () => {
  it.each([
    ['resume throws', () => Promise.reject(new Error('lost')), /lost/],
    ['resume gives no stream', () => 'text' as never, /gave no ReadableStream/],
  ] as const)('breaks off: %s', async (_, resume, reason) => {
    const lines = new Lines(3)
    const fetch: Fetch = () => new Response(lines.from(0))
    const [one, two] = [hostOf(fetch, lines.from), hostOf(fetch, resume as ResumeFunction)]
    const { connection } = freshConnection(one, get('/echo'))
    await turn()
    const next = await moved(one, two, connection)
    await turn()
    expect(next.stream.closedBy).toBeDefined()
    expect(String((two.logged[0]![0] as { err: Error }).err)).toMatch(reason)
  })

  it('breaks off when resume takes longer than a call may take to begin', async () => {
    const lines = new Lines(3)
    const fetch: Fetch = () => new Response(lines.from(0))
    const clock = new HandClock()
    const [one, two] = [
      hostOf(fetch, lines.from),
      hostOf(fetch, () => new Promise(() => {}), 'echo-2', clock),
    ]
    const { connection } = freshConnection(one, get('/echo'))
    await turn()
    const next = await moved(one, two, connection)
    await turn()
    expect(next.stream.closedBy).toBeUndefined()
    clock.pass(two.limits.timers.handler)
    await turn()
    expect(next.stream.closedBy).toBeDefined()
    expect(String((two.logged[0]![0] as { err: Error }).err)).toMatch(/`resume` has given nothing in \d+ ms/)
  })
})

function plain(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: controller => controller.enqueue(utf8('a')) })
}

function frozen(freeze: () => unknown): ReadableStream<Uint8Array> {
  return resumable({ start: controller => controller.enqueue('a'), freeze })
}
