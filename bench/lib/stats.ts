import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** What is known of one row; times in µs. */
export interface Summary {
  /** The median of the rounds' medians: a round that was disturbed does not move it. */
  readonly p50: number
  /** Over all samples of all rounds. */
  readonly p99: number
  readonly min: number
  readonly max: number
  readonly mean: number
  readonly samples: number
  /** The median of each round. */
  readonly rounds: readonly number[]
}

/** Samples of one row, round by round. Times are µs; inside they are nanoseconds, which a histogram can count. */
export class Series {
  readonly #all: RecordableHistogram = createHistogram()
  readonly #medians: number[] = []

  /** The samples of one round, at least one. @throws RangeError none, or one that is no time */
  add(samples: ArrayLike<number>): void {
    if (samples.length === 0) throw new RangeError('a round without samples')
    for (const sample of Array.from(samples)) {
      if (!(sample >= 0 && sample < 1e12)) throw new RangeError(`${sample} µs is no time`)
      // A histogram begins at 1.
      this.#all.record(Math.max(1, Math.round(sample * 1000)))
    }
    this.#medians.push(median(samples))
  }

  /** The median of each round so far. */
  get medians(): readonly number[] {
    return this.#medians
  }

  /** @throws RangeError nothing was measured */
  get summary(): Summary {
    const all = this.#all
    return {
      p50: round(median(this.#medians)),
      p99: round(all.percentile(99) / 1000),
      min: round(all.min / 1000),
      max: round(all.max / 1000),
      mean: round(all.mean / 1000),
      samples: Number(all.count),
      rounds: this.#medians.map(round),
    }
  }
}

/** The middle of the values; of an even number of them, the mean of the two in the middle. @throws RangeError of none */
export function median(values: ArrayLike<number>): number {
  if (values.length === 0) throw new RangeError('the median of nothing')
  const sorted = Float64Array.from(values).sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The median of `change` applied to what two series measured in the same round: drift of the machine cancels out. */
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
