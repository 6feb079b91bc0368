import type { Clock, Timer } from '../../platform/clock.ts'

/**
 * The time that a connection has before it counts as idle for too long. It travels as time left, because
 * clocks of processes need not agree.
 */
export class IdleTimer {
  readonly #clock: Clock
  readonly #limit: number
  readonly #onIdle: () => void
  #deadline: number
  #timer: Timer | undefined

  /** @param limit milliseconds @param left milliseconds of them that are left now */
  constructor(clock: Clock, limit: number, left: number, onIdle: () => void) {
    this.#clock = clock
    this.#limit = limit
    this.#onIdle = onIdle
    this.#deadline = this.#clock.steady() + left
  }

  /** Milliseconds left. */
  get left(): number {
    return Math.max(0, this.#deadline - this.#clock.steady())
  }

  /**
   * Something has happened: the time begins anew. The timer itself is left alone, and looks again when it
   * fires.
   */
  touch(): void {
    this.#deadline = this.#clock.steady() + this.#limit
  }

  start(): void {
    this.#clock.stop(this.#timer)
    this.#timer = this.#clock.after(this.left, () => this.#fire())
  }

  stop(): void {
    this.#clock.stop(this.#timer)
  }

  #fire(): void {
    if (this.left > 0) this.start()
    else this.#onIdle()
  }
}
