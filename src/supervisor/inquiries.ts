import type { Clock } from '../time/clock.ts'

interface Asked<T> {
  readonly answer: Promise<T | undefined>
  readonly settle: (answer: T | undefined) => void
}

/**
 * Questions to processes that may never answer. A caller that asks the same while it is asked gets the same
 * answer.
 */
export class Inquiries<T> {
  readonly #clock: Clock
  readonly #timeout: number
  readonly #asked = new Map<string, Asked<T>>()

  /** @param timeout milliseconds for an answer */
  constructor(clock: Clock, timeout: number) {
    this.#clock = clock
    this.#timeout = timeout
  }

  /**
   * @param what tells this question from others to the same process @param send asks it
   * @returns undefined if there is no answer in time, or the process ends
   */
  ask(id: number, what: string, send: () => void): Promise<T | undefined> {
    const key = `${id} ${what}`
    const asked = this.#asked.get(key)
    if (asked !== undefined) return asked.answer
    let settle: Asked<T>['settle'] = () => {}
    const answer = new Promise<T | undefined>(resolve => {
      settle = resolve
    })
    const timer = this.#clock.after(this.#timeout, () => settle(undefined))
    this.#asked.set(key, { answer, settle })
    send()
    return answer.finally(() => {
      timer.stop()
      this.#asked.delete(key)
    })
  }

  answered(id: number, what: string, answer: T): void {
    this.#asked.get(`${id} ${what}`)?.settle(answer)
  }

  /** That process has ended. */
  forget(id: number): void {
    for (const [key, { settle }] of this.#asked) if (key.startsWith(`${id} `)) settle(undefined)
  }
}
