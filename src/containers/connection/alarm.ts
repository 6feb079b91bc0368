import { steadyNow } from '../../platform/clock.ts'

/**
 * Rings when a moment has come that is named anew all the time. One timer of Node's serves: it is replaced
 * only by an earlier one, so an alarm may ring for nothing, and its owner looks what has come due and
 * names the next moment.
 */
export class Alarm {
  readonly #ring: () => void
  #at = Infinity
  #timer: NodeJS.Timeout | undefined

  constructor(ring: () => void) {
    this.#ring = ring
  }

  /** Rings at that moment or before. @param at milliseconds, as {@link steadyNow} */
  by(at: number): void {
    if (at >= this.#at) return
    this.#at = at
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#at = Infinity
      this.#ring()
    }, at - steadyNow())
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#at = Infinity
  }
}
