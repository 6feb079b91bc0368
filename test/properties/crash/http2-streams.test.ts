import { describe, expect, it } from 'vitest'
import type { FetchHandler, ResumeFunction } from '../../../src/functions/contract.ts'
import { resumable } from '../../../src/functions/resumable.ts'
import { H2Client } from '../../../src/http/h2/index.ts'
import { concat, EMPTY, utf8 } from '../../../src/wire/index.ts'
import { turn } from '../../support/connection-scene.ts'
import { StreamWorld } from './stream-world.ts'
import { EVERY_BYTE } from './world.ts'

/*
 * A container dies behind any byte of several responses on one HTTP/2 connection whose functions freeze, over
 * a leg, once and several times in a row. Its client gets each byte of each once, or a genuine alert: never
 * what only looks whole.
 */

/** Pieces of any size, of which some come together; each stream begins with another one. */
const SIZES = [1, 300, 17, 5000, 2, 2, 2, 900, 12_000, 3, 9000, 1]
const PIECES = SIZES.map((size, n) => new Uint8Array(size).fill(n + 65))

interface Place {
  readonly first: number
  readonly n: number
}

/** All that a response says. */
const contentOf = (first: number): Uint8Array => concat(...PIECES.slice(first))

/** @param times how often a pull waits before it gives what there is */
const from =
  (times: (n: number) => number): ResumeFunction =>
  state => {
    let { n } = state as Place
    const { first } = state as Place
    return resumable({
      async pull(controller) {
        for (let at = 0; at < times(n + first); at++) await turn()
        const piece = PIECES[n]
        if (piece === undefined) controller.close()
        else {
          n++
          controller.enqueue(piece.slice())
        }
      },
      freeze: () => ({ first, n }),
    })
  }

const give = (resume: ResumeFunction, first: number, ctx: never): ReadableStream<Uint8Array> =>
  resume({ first, n: first }, ctx, {}, undefined as never) as ReadableStream<Uint8Array>

class World extends StreamWorld {
  readonly #http = new H2Client()
  readonly #paths: readonly string[]
  /** What the client takes of its windows' worth at once; all of it if it is not told. */
  readonly #slow: boolean
  readonly #owed: [number, number][] = []
  readonly bodies = new Map<number, Uint8Array>()
  readonly ended = new Set<number>()
  #ids: number[] = []

  constructor(
    deaths: readonly number[],
    fetch: FetchHandler['fetch'],
    resume: ResumeFunction,
    paths: readonly string[],
    slow = false,
  ) {
    super('h2', deaths, fetch, resume)
    this.#paths = paths
    this.#slow = slow
  }

  /** In the order in which they were asked for. */
  get contents(): Uint8Array[] {
    return this.#ids.map(id => this.bodies.get(id) ?? EMPTY)
  }

  protected ask(): void {
    const head = { method: 'GET', scheme: 'https', authority: 'a' } as const
    this.#ids = this.#paths.map(path => this.#http.request({ ...head, path }, true))
    this.#say()
  }

  protected take(data: Uint8Array): boolean {
    this.#http.receive(data)
    for (let event = this.#http.next(); event !== undefined; event = this.#http.next()) {
      if (event.type === 'error' || event.type === 'reset') throw new Error(`it ends by ${event.type}`)
      if (event.type === 'response') {
        expect(event.status).toBe(200)
        // A head comes once.
        expect(this.bodies.has(event.streamId)).toBe(false)
        this.bodies.set(event.streamId, EMPTY)
      }
      if (event.type === 'data') {
        expect(this.ended.has(event.streamId)).toBe(false)
        this.bodies.set(event.streamId, concat(this.bodies.get(event.streamId)!, event.data))
        this.#owed.push([event.streamId, event.data.length])
        if (event.endStream) this.ended.add(event.streamId)
      }
    }
    return this.ended.size === this.#paths.length
  }

  protected override said(): void {
    for (const one of this.#owed.splice(0, this.#slow ? 1 : Infinity)) this.#http.consume(...one)
    this.#say()
  }

  #say(): void {
    const bytes = this.#http.takeOutput()
    if (bytes.length > 0) this.client.send(bytes)
  }
}

const FUNCTIONS: readonly [string, ResumeFunction][] = [
  ['gives several pieces at once', from(n => (n % 3 === 1 ? 1 : 0))],
  ['takes its time', from(n => n % 3)],
]
const FIRSTS = [0, 4, 7]
const PATHS = FIRSTS.map(first => `/echo/${first}`)

describe.each(FUNCTIONS)('functions of which each %s', (_, resume) => {
  const fetch: FetchHandler['fetch'] = (request, _env, ctx) =>
    new Response(give(resume, Number(new URL(request.url).pathname.split('/').at(-1)), ctx as never))

  const check = (world: World, what: string): void => {
    expect(world.end, what).toMatch(/^(whole|alert|lost)$/)
    world.contents.forEach((content, at) => {
      const expected = contentOf(FIRSTS[at]!)
      expect(content, `${what}, stream ${at}`).toEqual(expected.subarray(0, content.length))
      if (world.end === 'whole') expect(content.length).toBe(expected.length)
    })
  }

  it('go on behind any byte after which their container dies, or it is said that they do not', async () => {
    const { written, begun, ...calm } = await new World([], fetch, resume, PATHS).run()
    expect(calm).toMatchObject({ end: 'whole', takenOver: 0 })
    const step = EVERY_BYTE ? 7 : 2999
    let [went, times] = [0, 0]
    for (let death = begun + 1; death < written; death += step) {
      const world = await new World([death], fetch, resume, PATHS).run()
      check(world, `after ${death} bytes`)
      times++
      if (world.end === 'whole' && world.takenOver > 0) went++
    }
    // Most of them go on: what is cut is where a head had gone alone.
    expect(went).toBeGreaterThan(times * 0.6)
  })

  it('go on again and again', async () => {
    const deaths = [20_000, 6000, 5500, 9000, 7000]
    const world = await new World(deaths, fetch, resume, PATHS).run()
    check(world, 'in the end')
    expect([world.end, world.takenOver]).toEqual(['whole', deaths.length])
  })

  it('go on to a client that opens its windows little by little', async () => {
    let went = 0
    for (const death of [9000, 20_000, 31_000, 47_000]) {
      const world = await new World([death, 15_000], fetch, resume, PATHS, true).run()
      check(world, `after ${death} bytes`)
      if (world.end === 'whole') went++
    }
    expect(went).toBeGreaterThan(1)
  })
})

it('one of them that has no `freeze` cuts all, and it is said so', async () => {
  const [, resume] = FUNCTIONS[1]!
  const plain = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      async pull(controller) {
        await turn()
        controller.enqueue(utf8('piece'))
      },
    })
  const fetch: FetchHandler['fetch'] = (request, _env, ctx) =>
    new Response(new URL(request.url).pathname === '/echo/plain' ? plain() : give(resume, 0, ctx as never))
  const { end, takenOver } = await new World([9000], fetch, resume, ['/echo/plain', '/echo/0']).run()
  expect([end, takenOver]).toEqual(['alert', 1])
})
