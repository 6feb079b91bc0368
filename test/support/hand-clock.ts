import type { Clock, Timer } from '../../src/platform/clock.ts'

interface Due extends Timer {
  at: number
  /** Undefined for what rings once. */
  readonly period: number | undefined
  readonly ring: () => void
}

/** A clock that stands still until a test moves it; what is due then is called in its order. */
export class HandClock implements Clock {
  #now: number
  /** Milliseconds between the steady clock and the wall clock. */
  readonly #ahead: number
  readonly #due = new Set<Due>()

  /** @param now of the steady clock, in milliseconds @param wall milliseconds since 1970 at that moment */
  constructor(now = 1_000_000, wall = Date.UTC(2030, 0, 1)) {
    this.#now = now
    this.#ahead = wall - now
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#due.size
  }

  steady(): number {
    return this.#now
  }

  wall(): number {
    return this.#now + this.#ahead
  }

  after(milliseconds: number, ring: () => void): Timer {
    return this.#enter(milliseconds, undefined, ring)
  }

  every(milliseconds: number, ring: () => void): Timer {
    return this.#enter(milliseconds, milliseconds, ring)
  }

  stop(timer: Timer | undefined): void {
    this.#due.delete(timer as Due)
  }

  /** Lets that many milliseconds pass. */
  pass(milliseconds: number): void {
    const end = this.#now + milliseconds
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = next.at
      if (next.period === undefined) this.#due.delete(next)
      else next.at += next.period
      next.ring()
    }
    this.#now = end
  }

  /** The first one of those that are due by then. */
  #next(end: number): Due | undefined {
    let first: Due | undefined
    for (const one of this.#due) if (one.at <= end && (first === undefined || one.at < first.at)) first = one
    return first
  }

  #enter(milliseconds: number, period: number | undefined, ring: () => void): Timer {
    // Node waits at least a millisecond, too.
    const due: Due = { at: this.#now + Math.max(1, milliseconds), period, ring, unref: () => due }
    this.#due.add(due)
    return due
  }
}
