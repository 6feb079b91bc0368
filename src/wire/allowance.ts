/** What may be done often, but not all the time: so much at once, and so much more in every second. */
export interface Budget {
  readonly burst: number
  readonly perSecond: number
}

/** Bytes of content below which a record or a frame costs more than it brings. */
export const TINY = 64

/**
 * How many of those a peer may send, each a few microseconds of work: half a second at once, then a twentieth
 * of our time.
 */
export const TINY_PIECES: Budget = { burst: 100_000, perSecond: 10_000 }

/** What a peer has spent of a {@link Budget}. Time pays it back, and so does whatever is worth the work. */
export class Allowance {
  readonly #budget: Budget
  readonly #now: () => number
  #spent: number
  /** Until when time has paid back. */
  #paid: number | undefined

  /**
   * @param now milliseconds; asked only when there seems to be nothing left, and when it goes elsewhere
   * @param spent what has been spent before, somewhere else
   */
  constructor(budget: Budget, now: () => number, spent = 0) {
    this.#budget = budget
    this.#now = now
    this.#spent = spent
    if (spent > 0) this.#paid = now()
  }

  /** What has been spent and not paid back. */
  get spent(): number {
    if (this.#spent > 0) this.#payBack()
    return this.#spent
  }

  /** @returns false if that is more than there is */
  spend(cost = 1): boolean {
    const { burst } = this.#budget
    this.#paid ??= this.#now()
    this.#spent += cost
    if (this.#spent <= burst) return true
    this.#payBack()
    return this.#spent <= burst
  }

  /** Time pays. */
  #payBack(): void {
    const now = this.#now()
    const since = this.#paid ?? now
    this.#paid = now
    this.earn((Math.max(0, now - since) * this.#budget.perSecond) / 1000)
  }

  earn(amount: number): void {
    this.#spent = Math.max(0, this.#spent - amount)
  }
}
