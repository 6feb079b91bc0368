import type { Clock, Timer } from '../time/clock.ts'
import { lateText } from './liveness/late.ts'
import { waitedOf } from './liveness/work.ts'
import type { Processes } from './processes.ts'
import type { Replica } from './replica.ts'

/** One that waits for a replica. */
interface Expecting {
  readonly settle: (error?: Error) => void
  /** Undefined until the process is started that is to be ready. */
  timer: Timer | undefined
}

/** Replicas that a caller waits for to be ready. */
export class Expectations {
  readonly #clock: Clock
  readonly #timeout: number
  readonly #starts: Pick<Processes, 'waits'>
  readonly #expected = new Map<Replica, Set<Expecting>>()

  /**
   * @param timeout milliseconds that each has
   * @param starts knows whose process is not started yet: {@link started} will be called then
   */
  constructor(clock: Clock, timeout: number, starts: Pick<Processes, 'waits'>) {
    this.#clock = clock
    this.#timeout = timeout
    this.#starts = starts
  }

  /** Rejects if its process ends before it is ready, or takes too long from its start on. */
  untilReady(replica: Replica): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = this.#expected.get(replica) ?? new Set()
      const one: Expecting = {
        settle: error => {
          one.timer?.stop()
          waiting.delete(one)
          if (error === undefined) resolve()
          else reject(error)
        },
        timer: undefined,
      }
      this.#expected.set(replica, waiting.add(one))
      if (!this.#starts.waits(replica)) this.started(replica)
    })
  }

  /** Its process has been started: from now on it has its time. */
  started(replica: Replica): void {
    for (const one of this.#expected.get(replica) ?? []) {
      one.timer ??= this.#clock.after(this.#timeout, () => {
        const waited = waitedOf(replica.member?.payload.pid)
        one.settle(new Error(lateText(replica.name, this.#timeout, waited)))
      })
    }
  }

  /** It is ready, or, with an error, is not going to be. */
  settle(replica: Replica, error?: Error): void {
    const waiting = this.#expected.get(replica) ?? []
    this.#expected.delete(replica)
    for (const one of waiting) one.settle(error)
  }
}
