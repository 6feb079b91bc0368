import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Classes to an octave of the picture. */
const CLASSES = 8
export const PERCENTILES = [50, 75, 90, 95, 99, 99.9, 99.99] as const

/** A row of the picture: what took at most so many milliseconds, and more than the row before. */
export interface Class {
  readonly upTo: number
  readonly count: number
}

/** Milliseconds. */
export interface Summary {
  readonly count: number
  readonly fastest: number
  readonly average: number
  readonly slowest: number
  readonly percentiles: Readonly<Record<string, number>>
}

/** What {@link Times} holds, as threads send it to each other. */
export interface TimesState {
  readonly histogram: RecordableHistogram
  readonly classes: ReadonlyMap<number, number>
  readonly sum: number
}

/** How long things took. Its memory does not grow with their number; it is exact to three digits. */
export class Times {
  readonly #histogram: RecordableHistogram = createHistogram()
  readonly #classes = new Map<number, number>()
  #sum = 0

  record(milliseconds: number): void {
    this.#sum += milliseconds
    // Nanoseconds: a histogram counts whole numbers.
    this.#histogram.record(Math.max(1, Math.round(milliseconds * 1e6)))
    const index = Math.ceil(Math.log2(Math.max(milliseconds, 1e-3)) * CLASSES)
    this.#classes.set(index, (this.#classes.get(index) ?? 0) + 1)
  }

  get count(): number {
    return this.#histogram.count
  }

  get state(): TimesState {
    return { histogram: this.#histogram, classes: this.#classes, sum: this.#sum }
  }

  /** Takes in what another one has counted. */
  add({ histogram, classes, sum }: TimesState): void {
    if (histogram.count > 0) this.#histogram.add(histogram)
    for (const [index, count] of classes) this.#classes.set(index, (this.#classes.get(index) ?? 0) + count)
    this.#sum += sum
  }

  /** @returns undefined if there is nothing */
  get summary(): Summary | undefined {
    const { count, min, max } = this.#histogram
    if (count === 0) return undefined
    const milliseconds = (nanoseconds: number): number => Math.round(nanoseconds / 1000) / 1000
    const at = (percent: number): number => milliseconds(Math.min(max, this.#histogram.percentile(percent)))
    return {
      count,
      fastest: milliseconds(min),
      slowest: milliseconds(max),
      average: Math.round((this.#sum / count) * 1000) / 1000,
      percentiles: Object.fromEntries(PERCENTILES.map(percent => [percent, at(percent)])),
    }
  }

  /** The distribution in at most `rows` classes, each as many times as wide as the one before. */
  classes(rows: number): Class[] {
    const indices = [...this.#classes.keys()]
    if (indices.length === 0) return []
    const [low, high] = [Math.min(...indices), Math.max(...indices)]
    const step = Math.max(1, Math.ceil((high - low + 1) / rows))
    const found: Class[] = []
    for (let from = low; from <= high; from += step) {
      let count = 0
      for (let index = from; index < from + step; index++) count += this.#classes.get(index) ?? 0
      found.push({ upTo: 2 ** ((from + step - 1) / CLASSES), count })
    }
    return found
  }
}
