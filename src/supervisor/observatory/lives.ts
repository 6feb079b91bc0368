import type { Step } from './telling.ts'

/** Connections whose lives are kept, and steps of each: the oldest go first. */
const LIVES = 4096
const STEPS = 64

/** What has become of connections since the page was opened, one by one, as far as there is room. */
export class Lives {
  readonly #lives = new Map<string, Step[]>()

  /** @param id of the connection, in hexadecimal */
  add(id: string, step: Step): void {
    const steps = this.#lives.get(id) ?? []
    // What changed last stays longest.
    this.#lives.delete(id)
    this.#lives.set(id, steps)
    steps.push(step)
    if (steps.length > STEPS) steps.shift()
    if (this.#lives.size <= LIVES) return
    const [oldest] = this.#lives.keys()
    this.#lives.delete(oldest!)
  }

  /** Two containers tell of one move, the one that it has left later: generations say the order. */
  of(id: string): readonly Step[] {
    const steps = this.#lives.get(id) ?? []
    const late = ({ kind }: Step): number => (kind === 'left' ? 0 : 1)
    return steps.toSorted(
      (one, other) => one.generation - other.generation || late(one) - late(other) || one.at - other.at,
    )
  }

  clear(): void {
    this.#lives.clear()
  }
}
