import type { Bell, Clock, Timer } from '../../src/time/clock.ts'
import { TimerWheel } from '../../src/time/timer-wheel.ts'

/** A clock that stands still until a test moves it; what is due then is called in its order. */
export class HandClock implements Clock {
  #now: number
  /** Milliseconds between the steady clock and the wall clock. */
  readonly #ahead: number
  readonly #wheel: TimerWheel

  /** @param now of the steady clock, in milliseconds @param wall milliseconds since 1970 at that moment */
  constructor(now = 1_000_000, wall = Date.UTC(2030, 0, 1)) {
    this.#now = now
    this.#ahead = wall - now
    this.#wheel = new TimerWheel({ now: () => this.#now, wake: () => {}, exact: true })
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#wheel.size
  }

  steady(): number {
    return this.#now
  }

  exact(): number {
    return this.#now
  }

  wall(): number {
    return this.#now + this.#ahead
  }

  timer(bell: Bell): Timer {
    return this.#wheel.timer(bell)
  }

  after(milliseconds: number, ring: () => void): Timer {
    return this.#wheel.after(milliseconds, ring)
  }

  every(milliseconds: number, ring: () => void): Timer {
    return this.#wheel.every(milliseconds, ring)
  }

  /** Lets that many milliseconds pass. */
  pass(milliseconds: number): void {
    const end = this.#now + milliseconds
    for (let next = this.#wheel.next; next <= end; next = this.#wheel.next) {
      this.#now = next
      this.#wheel.turn()
    }
    this.#now = end
  }

  /** Wakes up so many milliseconds later, as after a stop of the process: all that was due rings at once. */
  jump(milliseconds: number): void {
    this.#now += milliseconds
    this.#wheel.turn()
  }
}
