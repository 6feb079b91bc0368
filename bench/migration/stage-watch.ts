import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Platform } from '../rig/platform.ts'
import { ASK, type Moment, readMarks } from '../tamper/marks.ts'
import type { Sampled } from './rows.ts'
import { cut, type Seen, STAGES, type Stage } from './stages.ts'

/** Milliseconds for a container to write its marks down, and between two looks. */
const PATIENCE = 5000
const LOOK = 5
/** The share of requests that must have every mark; else the marks are not where they should be. */
const WHOLE = 0.9

/** Finds the stages of requests in what the containers have noted. */
export class StageWatch {
  readonly #platform: Platform
  readonly #containers: readonly string[]

  constructor(platform: Platform, containers: readonly string[]) {
    this.#platform = platform
    this.#containers = containers
  }

  /**
   * @param make makes requests, one after the other, and tells of each when it began and ended, in ms of
   * `performance.now()`
   * @returns µs of each stage of the typical requests, the fifth in the middle, so that means add up to a
   * median; `whole` among them; nothing if the marks do not fit the requests
   */
  async watch(
    kind: 'stays' | 'migrated',
    make: (noted: (began: number, ended: number) => void) => Promise<unknown>,
  ): Promise<Sampled[]> {
    await this.#collect() // and begins anew
    const offset = clockOffset()
    const seen: Seen[] = []
    await make((began, ended) => seen.push({ began: began * 1e6 + offset, ended: ended * 1e6 + offset }))
    const stages = cut(seen, await this.#collect(), kind)
    const whole = stages.flatMap((found, index) =>
      found === undefined ? [] : [{ found, request: seen[index]! }],
    )
    if (whole.length < seen.length * WHOLE) return []
    const typical = middle(whole, ({ request }) => request.ended - request.began)
    const sampled = (stage: string, title: string, values: readonly number[]): Sampled => ({
      name: 'stage',
      title,
      labels: { stage, request: kind },
      unit: 'µs',
      statistic: 'mean',
      values,
    })
    const names = (Object.keys(STAGES) as Stage[]).filter(stage =>
      typical.every(({ found }) => found[stage] !== undefined),
    )
    return [
      ...names.map(stage =>
        sampled(
          stage,
          STAGES[stage],
          typical.map(({ found }) => found[stage]!),
        ),
      ),
      sampled(
        'whole',
        'the whole request, as the client sees it',
        typical.map(({ request }) => (request.ended - request.began) / 1000),
      ),
    ]
  }

  /** Has every container write down what it has noted. */
  async #collect(): Promise<Moment[][]> {
    const members = await this.#platform.status()
    const { directory } = this.#platform
    for (const name of this.#containers) {
      rmSync(join(directory, `marks-${name}`), { force: true })
      process.kill(members.find(one => one.name === name)!.pid!, ASK)
    }
    const found: Moment[][] = []
    const deadline = Date.now() + PATIENCE
    for (const name of this.#containers) {
      let moments = readMarks(directory, name)
      while (moments === undefined) {
        if (Date.now() > deadline) throw new Error(`${name} does not write its marks down`)
        await setTimeout(LOOK)
        moments = readMarks(directory, name)
      }
      found.push(moments)
    }
    return found
  }
}

/** The fifth of the values that lies around the median; at least one. */
function middle<T>(values: readonly T[], of: (value: T) => number): T[] {
  const sorted = [...values].sort((one, other) => of(one) - of(other))
  return sorted.slice(Math.floor(sorted.length * 0.4), Math.max(1, Math.ceil(sorted.length * 0.6)))
}

/**
 * Nanoseconds from the zero of `performance.now()` back to that of `process.hrtime`: the closest of several
 * looks at both.
 */
function clockOffset(): number {
  let best = { gap: Number.POSITIVE_INFINITY, offset: 0 }
  for (let i = 0; i < 50; i++) {
    const before = process.hrtime.bigint()
    const now = performance.now()
    const after = process.hrtime.bigint()
    const gap = Number(after - before)
    if (gap < best.gap) best = { gap, offset: Number(before) + gap / 2 - now * 1e6 }
  }
  return best.offset
}
