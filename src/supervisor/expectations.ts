import type { Clock } from '../time/clock.ts'
import type { Replica } from './replica.ts'

/** Replicas that a caller waits for to be ready. */
export class Expectations {
  readonly #clock: Clock
  readonly #timeout: number
  readonly #expected = new Map<Replica, Set<(error?: Error) => void>>()

  /** @param timeout milliseconds that each has */
  constructor(clock: Clock, timeout: number) {
    this.#clock = clock
    this.#timeout = timeout
  }

  /** Rejects if its process ends before it is ready, or takes too long. */
  untilReady(replica: Replica): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        timer.stop()
        waiting.delete(settle)
        if (error === undefined) resolve()
        else reject(error)
      }
      const waiting = this.#expected.get(replica) ?? new Set()
      const late = new Error(`${replica.name} was not ready in time`)
      const timer = this.#clock.after(this.#timeout, () => settle(late))
      this.#expected.set(replica, waiting.add(settle))
    })
  }

  /** It is ready, or, with an error, is not going to be. */
  settle(replica: Replica, error?: Error): void {
    const waiting = this.#expected.get(replica) ?? []
    this.#expected.delete(replica)
    for (const settle of waiting) settle(error)
  }
}
