/** How much a peer may send before it counts as a flood. */
export interface AllowanceOptions {
  /** Frames a second, for as long as it likes. */
  readonly rate: number
  /** Frames at once. */
  readonly burst: number
}

/** Counts one peer's frames against what it may send: a bucket that fills again with time. Time is an argument. */
export class Allowance {
  readonly #options: AllowanceOptions
  #left: number
  #filled: number

  /** @param now milliseconds, never going back */
  constructor(options: AllowanceOptions, now: number) {
    this.#options = options
    this.#left = options.burst
    this.#filled = now
  }

  /** One frame more. @returns false if that is too much */
  take(now: number): boolean {
    if (this.#left < 1) {
      const { rate, burst } = this.#options
      this.#left = Math.min(burst, this.#left + ((now - this.#filled) / 1000) * rate)
      this.#filled = now
      if (this.#left < 1) return false
    }
    this.#left--
    return true
  }
}
