/** Classes to an octave: an edge is at most 2.2 % above what it stands for. */
const CLASSES = 32

/** One class: the upper edge, and how many values lie in it. */
export type Bin = readonly [edge: number, count: number]

/** Counts values in classes that grow with them, for curves; percentiles come from Node's own histogram. */
export class Histogram {
  readonly #counts = new Map<number, number>()

  /** @param value above 0 counts as what it is, 0 as the smallest there is */
  record(value: number): void {
    const index = Math.floor(Math.log2(Math.max(value, 0.001)) * CLASSES)
    this.#counts.set(index, (this.#counts.get(index) ?? 0) + 1)
  }

  /** The classes that are not empty, in order. */
  get bins(): Bin[] {
    return [...this.#counts]
      .sort(([one], [other]) => one - other)
      .map(([index, count]) => [Number((2 ** ((index + 1) / CLASSES)).toPrecision(4)), count])
  }
}
