import { add, complete, suite } from 'benny'
import { environment } from './environment.ts'
import { saveResult } from './results.ts'
import { round } from './stats.ts'
import { table } from './table.ts'

/** One thing to time. */
export interface MicroCase {
  readonly name: string
  /** Called once before anything is timed. @throws Error if what is timed does not do what it should */
  check(): void
  run(): unknown
}

/** What benny says of a case. */
interface CaseResult {
  readonly name: string
  readonly ops: number
  readonly margin: number
  readonly samples: number
}

/** Longest time for one case, in seconds. */
const MAX_TIME = Number(process.env.HOTPOTATO_BENCH_SECONDS ?? 0.5)

/**
 * Checks all cases, then times them one after the other, prints operations per second and keeps them as JSON.
 * @param name of the question, as `records`
 */
export async function micro(name: string, cases: readonly MicroCase[]): Promise<void> {
  for (const one of cases) {
    try {
      one.check()
    } catch (cause) {
      throw new Error(`${name}, ${one.name}: not timed, because it is wrong`, { cause })
    }
  }
  const date = new Date()
  let results: readonly CaseResult[] = []
  await suite(
    name,
    ...cases.map(one => add(one.name, () => void one.run(), { maxTime: MAX_TIME, minSamples: 5 })),
    complete(summary => {
      results = summary.results
    }),
  )
  const kept = results.map(({ name: title, ops, margin, samples }) => ({
    name: title,
    ops,
    margin,
    microseconds: round(1e6 / ops),
    samples,
  }))
  const result = {
    bench: `micro-${name}`,
    format: 1,
    date: date.toISOString(),
    ...environment(),
    cases: kept,
  }
  // benny's own table compares every case with the fastest, which says nothing where they are different things.
  const rows = kept.map(one => [
    one.name,
    Math.round(one.ops).toLocaleString('en'),
    one.microseconds.toFixed(2),
    `± ${one.margin.toFixed(1)} %`,
  ])
  process.stdout.write(`${table(['', 'ops/s', 'µs', ''], rows)}\n`)
  process.stdout.write(`kept in ${saveResult(`micro-${name}`, date, result)}\n`)
}

/** @throws Error `what` unless it holds */
export function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}
