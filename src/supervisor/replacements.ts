import type { Log } from '../platform/log.ts'
import type { Clock } from '../time/clock.ts'
import type { Replica } from './replica.ts'

/**
 * What follows a process that has ended: another one for the same place, after a while that grows with each
 * end in a row, or nothing if the place is to be given up. When that is, {@link LifeCycle} knows.
 */
export class Replacements {
  readonly #clock: Clock
  readonly #log: Log
  readonly #start: (replica: Replica) => void

  /** @param start starts the next process of a replica */
  constructor(clock: Clock, log: Log, start: (replica: Replica) => void) {
    this.#clock = clock
    this.#log = log
    this.#start = start
  }

  /**
   * The process of a replica has ended.
   * @param how as `code 1` or `SIGKILL` @param failure why it said that it could not start
   * @returns false if no other one follows
   */
  ended(replica: Replica, how: string, failure: string | undefined): boolean {
    const { name, life } = replica
    const delay = life.ended(this.#clock.steady(), Math.random(), failure ?? how)
    if (delay === undefined) {
      this.#log.info({ how }, `${name} ended and is not restarted`)
      return false
    }
    const { state } = life
    const again =
      state === 'crash-looping'
        ? `${name} ended, again and again (a crash loop); it is being restarted at the slowest pace`
        : `${name} ended; it is being restarted`
    this.#log.warn({ how, failure, delay, state }, again)
    replica.restart = this.#clock.after(delay, () => {
      life.started()
      this.#start(replica)
    })
    return true
  }

  /** No process of it is started any more. */
  giveUp(replica: Replica): void {
    replica.restart?.stop()
  }
}
