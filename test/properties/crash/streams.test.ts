import { describe, expect, it } from 'vitest'
import type { FetchHandler, ResumeFunction } from '../../../src/functions/contract.ts'
import { resumable } from '../../../src/functions/resumable.ts'
import { H1Client } from '../../../src/http/h1/index.ts'
import { concat, EMPTY, utf8 } from '../../../src/wire/index.ts'
import { turn } from '../../support/connection-scene.ts'
import { StreamWorld } from './stream-world.ts'
import { EVERY_BYTE, LONGEST } from './world.ts'

/*
 * A container dies behind any byte of a response whose function freezes, over a leg, once and several times
 * in a row. Its client gets each byte once, or a genuine alert: never what only looks whole.
 */

/** Pieces of any size, of which some come together. */
const SIZES = [1, 300, 17, 5000, 2, 2, 2, 900, 40_000, 3, 20_000, 1]
const PIECES = SIZES.map((size, n) => new Uint8Array(size).fill(n + 65))
const CONTENT = concat(...PIECES)

/** @param times how often a pull waits before it gives what there is */
const from =
  (times: (n: number) => number): ResumeFunction =>
  state => {
    let n = state as number
    return resumable({
      async pull(controller) {
        for (let at = 0; at < times(n); at++) await turn()
        const piece = PIECES[n]
        if (piece === undefined) controller.close()
        else {
          n++
          controller.enqueue(piece.slice())
        }
      },
      freeze: () => n,
    })
  }

class World extends StreamWorld {
  readonly #http = new H1Client()
  body: Uint8Array = EMPTY

  constructor(deaths: readonly number[], resume: ResumeFunction, sized: boolean) {
    const headers = sized ? { 'content-length': String(CONTENT.length) } : {}
    const fetch = (_: unknown, env: object, ctx: never): Response =>
      new Response(resume(0, ctx, env as never, undefined as never) as ReadableStream<Uint8Array>, {
        headers,
      })
    super('http/1.1', deaths, fetch as FetchHandler['fetch'], resume)
  }

  protected ask(): void {
    this.client.send(this.#http.request({ method: 'GET', target: '/echo', headers: [['host', 'a']] }))
  }

  protected take(data: Uint8Array): boolean {
    let whole = false
    for (const one of this.#http.receive(data)) {
      if (one.type === 'error') throw new Error(one.reason)
      if (one.type === 'body') this.body = concat(this.body, one.data)
      if (one.type === 'end') whole = true
    }
    return whole
  }
}

const FUNCTIONS: readonly [string, ResumeFunction][] = [
  ['gives at once', from(() => 0)],
  ['takes its time', from(n => n % 3)],
]
const KINDS = FUNCTIONS.flatMap(([name, resume]) => [
  [name, 'in chunks', resume, false] as const,
  [name, 'with a length', resume, true] as const,
])

describe.each(KINDS)('a function that %s, %s', (_name, _framing, resume, sized) => {
  const title = 'goes on behind any byte after which its container dies, or says that it does not'
  it(title, { timeout: LONGEST }, async () => {
    const { written, begun, ...calm } = await new World([], resume, sized).run()
    expect(calm).toMatchObject({ end: 'whole', takenOver: 0 })
    expect(calm.body).toEqual(CONTENT)
    const step = EVERY_BYTE ? 7 : 2999
    let gone = 0
    for (let death = begun + 1; death < written; death += step) {
      const world = await new World([death], resume, sized).run()
      expect(world.end, `after ${death} bytes`).toMatch(/^(whole|alert|lost)$/)
      expect(world.body).toEqual(CONTENT.subarray(0, world.body.length))
      if (world.end === 'whole') expect(world.body).toEqual(CONTENT)
      if (world.end === 'whole' && world.takenOver > 0) gone++
    }
    // Most of them go on: what is cut is where a piece was too large, or the head had gone alone.
    expect(gone).toBeGreaterThan(((written - begun) / step) * 0.6)
  })

  it('goes on again and again', async () => {
    const deaths = [6000, 3000, 2500, 9000, 30_000]
    const world = await new World(deaths, resume, sized).run()
    expect([world.end, world.takenOver]).toEqual(['whole', deaths.length])
    expect(world.body).toEqual(CONTENT)
  })
})

it('what has no `freeze` is cut, and says so', async () => {
  const plain: ResumeFunction = () =>
    new ReadableStream({
      async pull(controller) {
        await turn()
        controller.enqueue(utf8('piece'))
      },
    })
  const { end, takenOver } = await new World([4000], plain, false).run()
  expect([end, takenOver]).toEqual(['alert', 1])
})
