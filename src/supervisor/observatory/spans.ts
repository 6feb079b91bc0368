/** Spans of time fall into this many classes for each doubling: what is told is off by 5 % at most. */
const CLASSES = 8
/** Seconds of one window, and how many of them count. */
const WINDOW = 5
const WINDOWS = 12

/** How long something took lately, in microseconds. */
export interface SpanSummary {
  /** How many there were. */
  readonly count: number
  readonly p50: number
  readonly p99: number
}

/** Spans of time of the last minute, by size. It takes the same room however many there are. */
export class Spans {
  /** The newest last: how many spans fell into each class. */
  #windows: { readonly number: number; readonly counts: Map<number, number> }[] = []

  /** @param micro microseconds @param now milliseconds of a clock that goes forward */
  add(micro: number, now: number): void {
    const number = Math.floor(now / 1000 / WINDOW)
    let last = this.#windows.at(-1)
    if (last?.number !== number) {
      last = { number, counts: new Map() }
      this.#windows.push(last)
      this.#forget(number)
    }
    const size = Math.floor(Math.log2(Math.max(1, micro)) * CLASSES)
    last.counts.set(size, (last.counts.get(size) ?? 0) + 1)
  }

  /** @returns undefined if there was none lately */
  summary(now: number): SpanSummary | undefined {
    this.#forget(Math.floor(now / 1000 / WINDOW))
    const sums = new Map<number, number>()
    for (const { counts } of this.#windows)
      for (const [size, count] of counts) sums.set(size, (sums.get(size) ?? 0) + count)
    const sorted = [...sums].sort(([one], [other]) => one - other)
    const count = sorted.reduce((sum, [, some]) => sum + some, 0)
    return count === 0 ? undefined : { count, p50: at(sorted, count * 0.5), p99: at(sorted, count * 0.99) }
  }

  #forget(number: number): void {
    this.#windows = this.#windows.filter(one => one.number > number - WINDOWS)
  }
}

/** The middle of the class in which the span of that rank lies. */
function at(sorted: readonly (readonly [number, number])[], rank: number): number {
  let below = 0
  for (const [size, count] of sorted) {
    below += count
    if (below >= rank) return Math.round(2 ** ((size + 0.5) / CLASSES))
  }
  return 0
}
