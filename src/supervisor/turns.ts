import type { Clock, Timer } from '../time/clock.ts'

export interface TurnsOptions {
  readonly clock: Clock
  /** Turns that there are at a time. */
  readonly most: number
  /** Milliseconds after which one that is not over counts no more: it may wait for one of the others. */
  readonly longest: number
}

/** Lets few begin at a time, and the others wait for their turn, in the order in which they came. */
export class Turns<K> {
  readonly #options: TurnsOptions
  readonly #waiting = new Map<K, () => void>()
  /** Those that wait before all others. */
  readonly #urgent = new Map<K, () => void>()
  readonly #underway = new Map<K, Timer>()
  #going = false

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  /** Whether it has not begun yet. */
  waits(key: K): boolean {
    return this.#waiting.has(key) || this.#urgent.has(key)
  }

  /** Begins at once, or when it is its turn. @param urgent before those that are not */
  take(key: K, begin: () => void, urgent: boolean): void {
    const line = urgent ? this.#urgent : this.#waiting
    line.set(key, begin)
    this.#go()
  }

  /** Its turn is over, or it does not want one any more. */
  leave(key: K): void {
    this.#waiting.delete(key)
    this.#urgent.delete(key)
    this.#underway.get(key)?.stop()
    if (this.#underway.delete(key)) this.#go()
  }

  /** No other one begins. */
  stop(): void {
    this.#waiting.clear()
    this.#urgent.clear()
    for (const timer of this.#underway.values()) timer.stop()
  }

  /** What begins may leave again at once. */
  #go(): void {
    if (this.#going) return
    this.#going = true
    const { clock, most, longest } = this.#options
    while (this.#underway.size < most) {
      const line = this.#urgent.size > 0 ? this.#urgent : this.#waiting
      const [next] = line
      if (next === undefined) break
      const [key, begin] = next
      line.delete(key)
      this.#underway.set(
        key,
        clock.after(longest, () => this.leave(key)),
      )
      begin()
    }
    this.#going = false
  }
}
