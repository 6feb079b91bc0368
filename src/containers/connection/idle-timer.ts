import { steadyNow } from '../../platform/clock.ts'

/**
 * The time that a connection has before it counts as idle for too long. It travels as time left, because
 * clocks of processes need not agree.
 */
export class IdleTimer {
  readonly #limit: number
  readonly #onIdle: () => void
  #deadline: number
  #timer: NodeJS.Timeout | undefined

  /** @param limit milliseconds @param left milliseconds of them that are left now */
  constructor(limit: number, left: number, onIdle: () => void) {
    this.#limit = limit
    this.#onIdle = onIdle
    this.#deadline = steadyNow() + left
  }

  /** Milliseconds left. */
  get left(): number {
    return Math.max(0, this.#deadline - steadyNow())
  }

  /**
   * Something has happened: the time begins anew. The timer itself is left alone, and looks again when it
   * fires.
   */
  touch(): void {
    this.#deadline = steadyNow() + this.#limit
  }

  start(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#fire(), this.left)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #fire(): void {
    if (this.left > 0) this.start()
    else this.#onIdle()
  }
}
