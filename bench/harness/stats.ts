import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { type Bin, Histogram } from './histogram.ts'

/** What is known of one row; times in µs. */
export interface Summary {
  /** The median of the rounds' medians (or means): a round that was disturbed does not move it. */
  readonly p50: number
  /** Where the true one lies with 95 % certainty; absent for fewer than six rounds. */
  readonly interval?: Interval
  /** These are over all samples of all rounds. */
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly min: number
  readonly max: number
  readonly mean: number
  readonly samples: number
  /** The median (or mean) of each round. */
  readonly rounds: readonly number[]
}

export type Interval = readonly [low: number, high: number]

/** What stands for a round: its median, or its mean where two kinds of sample are mixed on purpose. */
export type Statistic = 'median' | 'mean'

/**
 * Samples of one row, round by round. Times are µs; inside they are nanoseconds, which a histogram can count.
 */
export class Series {
  readonly statistic: Statistic
  readonly #all: RecordableHistogram = createHistogram()
  readonly #histogram = new Histogram()
  readonly #rounds: number[] = []

  constructor(statistic: Statistic = 'median') {
    this.statistic = statistic
  }

  /** The samples of one round, at least one. @throws RangeError none, or one that is no time */
  add(samples: ArrayLike<number>): void {
    if (samples.length === 0) throw new RangeError('a round without samples')
    for (const sample of Array.from(samples)) {
      if (!(sample >= 0 && sample < 1e12)) throw new RangeError(`${sample} µs is not a time`)
      // A histogram begins at 1.
      this.#all.record(Math.max(1, Math.round(sample * 1000)))
      this.#histogram.record(sample)
    }
    this.#rounds.push(this.statistic === 'median' ? median(samples) : mean(samples))
  }

  /** What stands for each round so far. */
  get medians(): readonly number[] {
    return this.#rounds
  }

  /** The distribution of all samples. */
  get bins(): Bin[] {
    return this.#histogram.bins
  }

  /** @throws RangeError nothing was measured */
  get summary(): Summary {
    const all = this.#all
    const at = (percent: number): number => round(all.percentile(percent) / 1000)
    const interval = intervalOfMedian(this.#rounds)
    return {
      p50: round(median(this.#rounds)),
      ...(interval === undefined ? {} : { interval: [round(interval[0]), round(interval[1])] as const }),
      p90: at(90),
      p99: at(99),
      p999: at(99.9),
      min: round(all.min / 1000),
      max: round(all.max / 1000),
      mean: round(all.mean / 1000),
      samples: Number(all.count),
      rounds: this.#rounds.map(round),
    }
  }
}

/**
 * The middle of the values; of an even number of them, the mean of the two in the middle. @throws RangeError
 * of none
 */
export function median(values: ArrayLike<number>): number {
  if (values.length === 0) throw new RangeError('the median of no samples')
  const sorted = Float64Array.from(values).sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length
}

/**
 * Between which two of the values the median of what they were drawn from lies, with at least 95 % certainty:
 * from order statistics, so that nothing is supposed about their distribution. @returns undefined for fewer
 * than six values: they cannot tell
 */
export function intervalOfMedian(values: readonly number[]): Interval | undefined {
  const n = values.length
  // How many may be left out at either end: the chance that so few lie below the median is at most 2.5 %.
  let [left, term, chance] = [0, 0.5 ** n, 0.5 ** n]
  if (chance > 0.025 || term === 0) return undefined
  for (;;) {
    term *= (n - left) / (left + 1)
    if (chance + term > 0.025) break
    chance += term
    left++
  }
  const sorted = [...values].sort((one, other) => one - other)
  return [sorted[left]!, sorted[n - 1 - left]!]
}

/** Half of the interval's width as a share of the median; infinite while there are too few rounds to tell. */
export function imprecision(rounds: readonly number[]): number {
  const interval = intervalOfMedian(rounds)
  return interval === undefined ? Number.POSITIVE_INFINITY : (interval[1] - interval[0]) / 2 / median(rounds)
}

/**
 * The median of `change` applied to what two series measured in the same round: drift of the machine cancels
 * out.
 */
export function acrossRounds(
  one: readonly number[],
  other: readonly number[],
  change: (one: number, other: number) => number,
): number | undefined {
  const count = Math.min(one.length, other.length)
  if (count === 0) return undefined
  return round(median(Array.from({ length: count }, (_, i) => change(one[i]!, other[i]!))))
}

/** Three decimals: nanoseconds, where the value is µs. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
