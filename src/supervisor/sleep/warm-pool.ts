import type { Log } from '../../platform/log.ts'
import type { Clock, Timer } from '../../time/clock.ts'

/** Milliseconds until a process takes the place of one that was taken: what it was taken for comes first. */
const REFILL = 1000
/** The same of one that has ended by itself, doubled each time. */
const AGAIN = 1000
const MOST = 60_000

/** A process that waits for its settings. */
export interface Waiting {
  /** It has ended before it was taken. */
  readonly ended: Promise<unknown>
  /** Ends it. */
  kill(): void
}

export interface WarmPoolOptions<W extends Waiting> {
  readonly clock: Clock
  readonly log: Log
  /** How many there are to be now. */
  readonly count: () => number
  /** @throws Error it cannot be started */
  readonly start: () => W
}

/** Processes that have loaded all that a container needs, and wait for a function. */
export class WarmPool<W extends Waiting> {
  readonly #options: WarmPoolOptions<W>
  /** The oldest first. */
  readonly #waiting = new Set<W>()
  #failures = 0
  #filling: Timer | undefined
  #stopped = false

  constructor(options: WarmPoolOptions<W>) {
    this.#options = options
  }

  /** Processes that wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Starts what is missing, and ends what is too much. */
  fill(): void {
    this.#filling = undefined
    const { count, start, log } = this.#options
    if (this.#stopped) return
    while (this.#waiting.size > count()) this.take()?.kill()
    try {
      while (this.#waiting.size < count()) this.#enter(start())
    } catch (error) {
      log.warn(`a process of the warm pool could not be started: ${(error as Error).message}`)
      this.#later(this.#delay())
    }
  }

  /** The one that has waited for longest, which is the caller's then; undefined if none is there. */
  take(): W | undefined {
    for (const one of this.#waiting) {
      this.#waiting.delete(one)
      this.#failures = 0
      this.#later(REFILL)
      return one
    }
    return undefined
  }

  /** Ends all. */
  stop(): void {
    this.#stopped = true
    this.#filling?.stop()
    for (const one of this.#waiting) one.kill()
    this.#waiting.clear()
  }

  #enter(one: W): void {
    this.#waiting.add(one)
    void one.ended.then(() => {
      if (!this.#waiting.delete(one) || this.#stopped) return
      this.#options.log.warn('a process of the warm pool has ended')
      this.#later(this.#delay())
    })
  }

  #delay(): number {
    return Math.min(MOST, AGAIN * 2 ** this.#failures++)
  }

  #later(milliseconds: number): void {
    if (!this.#stopped) this.#filling ??= this.#options.clock.after(milliseconds, () => this.fill()).unref()
  }
}
