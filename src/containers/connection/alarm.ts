import type { Clock, Timer } from '../../platform/clock.ts'

/**
 * Rings when a moment has come that is named anew all the time. One timer of Node's serves: it is replaced
 * only by an earlier one, so an alarm may ring for nothing, and its owner looks what has come due and
 * names the next moment.
 */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #at = Infinity
  #timer: Timer | undefined

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Rings at that moment or before. @param at milliseconds, as {@link Clock.steady} */
  by(at: number): void {
    if (at >= this.#at) return
    this.#at = at
    this.#clock.stop(this.#timer)
    this.#timer = this.#clock.after(at - this.#clock.steady(), () => {
      this.#at = Infinity
      this.#ring()
    })
  }

  stop(): void {
    this.#clock.stop(this.#timer)
    this.#at = Infinity
  }
}
