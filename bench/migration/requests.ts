import type { Call } from './client.ts'
import type { Wanderer } from './wanderer.ts'

/** Requests that a connection makes in a row, before the other one has its turn. */
const BATCH = 25
/** Milliseconds of other work before each request of the cold rows. */
const OTHER_WORK = 10
/** Bytes that it goes through: more than a core's own caches hold, more pages than its tables remember. */
const OTHER_MEMORY = 16 << 20
/** Bytes of a line of a cache. */
const LINE = 64

/** µs of requests, or of pairs of them. */
export interface Times {
  readonly stays: number[]
  readonly migrated: number[]
}

/** Two connections of which one stays where it is, and the other moves. */
export interface Two {
  readonly staying: Wanderer
  readonly moving: Wanderer
}

/**
 * Measures so many requests that stay and as many that move, a batch of each in turn.
 * @param until milliseconds since 1970 from which on what has been measured is enough
 */
export async function inTurns(
  count: number,
  until: number,
  stay: (size: number) => Promise<number[]>,
  move: (size: number) => Promise<number[]>,
): Promise<Times> {
  const times: Times = { stays: [], migrated: [] }
  for (let left = count; left > 0; left -= BATCH) {
    const size = Math.min(BATCH, left)
    times.stays.push(...(await stay(size)))
    times.migrated.push(...(await move(size)))
    if (Date.now() > until) break
  }
  return times
}

/** Requests back to back. @throws WrongAnswer */
export function warm({ staying, moving }: Two, count: number, until: number): Promise<Times> {
  return inTurns(
    count,
    until,
    size => staying.measure(size, () => staying.stay()),
    size => moving.measure(size, () => moving.move()),
  )
}

/**
 * Two requests, the second as soon as the first is answered: what an owner still has to do after an answer
 * falls into the second. Of a moving pair the first moves. @throws WrongAnswer
 */
export function pairs({ staying, moving }: Two, count: number, until: number): Promise<Times> {
  const make = (size: number, pair: () => Call[]): Call[] => Array.from({ length: size }, pair).flat()
  return inTurns(
    count,
    until,
    size => staying.client.measurePairs(make(size, () => [staying.stay(), staying.stay()])),
    size => moving.client.measurePairs(make(size, () => [moving.move(), moving.stay()])),
  )
}

/** Single requests, each after this process has done something else for a while. @throws WrongAnswer */
export async function cold({ staying, moving }: Two, count: number, until: number): Promise<Times> {
  const times: Times = { stays: [], migrated: [] }
  for (let i = 0; i < count; i++) {
    work(OTHER_WORK)
    times.stays.push(...(await staying.measure(1, () => staying.stay())))
    work(OTHER_WORK)
    times.migrated.push(...(await moving.measure(1, () => moving.move())))
    if (Date.now() > until) break
  }
  return times
}

let memory: Uint32Array | undefined
let at = 1

/** Goes through memory without a pattern, as other programs do that share the core. */
function work(milliseconds: number): void {
  memory ??= new Uint32Array(OTHER_MEMORY / 4)
  const lines = OTHER_MEMORY / LINE
  const end = performance.now() + milliseconds
  do {
    for (let i = 0; i < 1000; i++) {
      // A linear congruential generator: every line has its turn (Numerical Recipes, §7.1).
      at = (Math.imul(at, 1_664_525) + 1_013_904_223) >>> 0
      memory[((at >>> 8) % lines) * (LINE / 4)]! += at
    }
  } while (performance.now() < end)
}
