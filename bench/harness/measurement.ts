import type { Bin } from './histogram.ts'
import { type Interval, intervalOfMedian, median, round, type Series, type Statistic } from './stats.ts'

/** What something was measured in. `B`: bytes; `1/s`: how many a second. */
export type Unit = 'µs' | 'µs CPU' | 'µs CPU/MB' | 'ms' | 'MB/s' | '1/s' | 'B' | 'ops/s'

/** Under what circumstances: values by name, as `{ provider: 'evp', payload: 1024 }`. */
export type Labels = Readonly<Record<string, string | number>>

/** One thing that was measured: what every bench has in common, for the report, for comparing and for CSV. */
export interface Measurement {
  /** With the labels it says what it is: no two of one result are alike in both. */
  readonly name: string
  readonly title: string
  readonly labels: Labels
  readonly unit: Unit
  readonly better: 'less' | 'more'
  /** What stands for each round. */
  readonly statistic: Statistic
  /** The median over the rounds. */
  readonly value: number
  /** Where the true one lies with 95 % certainty; absent for fewer than six rounds. */
  readonly interval?: Interval
  readonly rounds: readonly number[]
  readonly samples: number
  /** Over all samples; absent where each round has only one. */
  readonly distribution?: Distribution
}

export interface Distribution {
  readonly min: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  readonly mean: number
  /** Classes that are not empty: upper edge, and how many samples. */
  readonly histogram: readonly Bin[]
}

/** Something that was asked for and could not be measured. */
export interface Skipped {
  readonly name: string
  readonly labels: Labels
  readonly reason: string
}

type Named = Pick<Measurement, 'name' | 'title'> & Partial<Pick<Measurement, 'labels' | 'unit' | 'better'>>

/** A measurement of times. @throws RangeError nothing was measured */
export function timesOf({ name, title, labels = {}, unit = 'µs' }: Named, series: Series): Measurement {
  const { p50, interval, p90, p99, p999, min, max, mean, samples, rounds } = series.summary
  const { bins } = series
  const middle = series.statistic === 'median' ? p50 : medianOfBins(bins, samples)
  return {
    name,
    title,
    labels,
    unit,
    better: 'less',
    statistic: series.statistic,
    value: p50,
    ...(interval === undefined ? {} : { interval }),
    rounds,
    samples,
    distribution: { min, p50: middle, p90, p99, p999, max, mean, histogram: bins },
  }
}

function medianOfBins(bins: readonly Bin[], samples: number): number {
  let seen = 0
  for (const [edge, count] of bins) {
    seen += count
    if (seen * 2 >= samples) return edge
  }
  return 0
}

/** A measurement of which each round gives one figure. @throws RangeError nothing was measured */
export function figuresOf(
  {
    name,
    title,
    labels = {},
    unit = '1/s',
    better = unit === '1/s' || unit === 'MB/s' ? 'more' : 'less',
  }: Named,
  rounds: readonly number[],
): Measurement {
  const interval = intervalOfMedian(rounds)
  return {
    name,
    title,
    labels,
    unit,
    better,
    statistic: 'median',
    value: round(median(rounds)),
    ...(interval === undefined ? {} : { interval: [round(interval[0]), round(interval[1])] as const }),
    rounds: rounds.map(round),
    samples: rounds.length,
  }
}

/** What tells measurements apart, as `raw.migrated {placement=one core, provider=evp}`. */
export function identityOf({ name, labels }: Pick<Measurement, 'name' | 'labels'>): string {
  const words = Object.entries(labels)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
  return words.length === 0 ? name : `${name} {${words.join(', ')}}`
}

/** What could not be measured and why, as lines of text. */
export function skippedLines(skipped: readonly Skipped[]): string {
  return skipped
    .map(({ name, labels, reason }) => {
      const words = Object.values(labels).join(', ')
      return `skipped      ${name}${words === '' ? '' : ` (${words})`}: ${reason}`
    })
    .join('\n')
}
