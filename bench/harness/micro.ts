import { add, complete, suite } from 'benny'
import { environment, watchLoad } from './environment.ts'
import type { Measurement } from './measurement.ts'
import { saveResult } from './results.ts'
import { type BenchResult, FORMAT } from './run.ts'
import { round } from './stats.ts'
import { table } from './table.ts'

/** One thing to time. */
export interface MicroCase {
  readonly name: string
  /** Called once before anything is timed. @throws Error if what is timed does not do what it should */
  check(): void | Promise<void>
  run(): unknown
  /** It is over when the promise that `run` gives is settled. */
  readonly later?: boolean
}

/** What benny says of a case. */
interface CaseResult {
  readonly name: string
  readonly ops: number
  readonly margin: number
  readonly samples: number
  readonly details: { readonly sampleResults: readonly number[] }
}

/** Longest time for one case, in seconds. */
const MAX_TIME = Number(process.env.HOTPOTATO_BENCH_SECONDS ?? 0.5)
/** Where results go instead of `bench/results`. */
const OUTPUT = process.env.HOTPOTATO_BENCH_OUTPUT

/**
 * Checks all cases, then times them one after the other, prints operations per second and keeps them as JSON.
 * @param name of the question, as `records`
 */
export async function micro(name: string, cases: readonly MicroCase[]): Promise<void> {
  for (const one of cases) {
    try {
      await one.check()
    } catch (cause) {
      throw new Error(`${name}, ${one.name}: not timed, because its result is wrong`, { cause })
    }
  }
  const date = new Date()
  const load = watchLoad()
  let results: readonly CaseResult[] = []
  await suite(
    name,
    ...cases.map(one => {
      const timed = one.later ? async () => void (await one.run()) : () => void one.run()
      return add(one.name, timed, { maxTime: MAX_TIME, minSamples: 5 })
    }),
    complete(summary => {
      results = summary.results as unknown as readonly CaseResult[]
    }),
  )
  const result: BenchResult = {
    bench: `micro-${name}`,
    format: FORMAT,
    date: date.toISOString(),
    mode: MAX_TIME < 0.5 ? 'quick' : 'default',
    complete: true,
    seconds: Math.round((Date.now() - date.getTime()) / 100) / 10,
    ...environment(),
    load: load(),
    parameters: { seconds: MAX_TIME },
    measurements: results.map(measurementOf),
    skipped: [],
    goals: [],
  }
  // benny's own table compares every case with the fastest, which says nothing where they are different
  // things.
  const rows = results.map(one => [
    one.name,
    Math.round(one.ops).toLocaleString('en'),
    (1e6 / one.ops).toFixed(2),
    `± ${one.margin.toFixed(1)} %`,
  ])
  process.stdout.write(`${table(['', 'ops/s', 'µs', ''], rows)}\n`)
  process.stdout.write(`kept in ${saveResult(`micro-${name}`, date, result, OUTPUT)}\n`)
}

/** benny's samples are seconds for one operation; each is the mean of many, so it stands for a round. */
function measurementOf({ name, ops, margin, samples, details }: CaseResult): Measurement {
  const value = round(1e6 / ops)
  const share = margin / 100
  return {
    name: 'operation',
    title: name,
    labels: { case: name },
    unit: 'µs',
    better: 'less',
    statistic: 'mean',
    value,
    interval: [round(value * (1 - share)), round(value * (1 + share))],
    rounds: details.sampleResults.map(seconds => round(seconds * 1e6)),
    samples,
  }
}

/** @throws Error `what` unless it holds */
export function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}
