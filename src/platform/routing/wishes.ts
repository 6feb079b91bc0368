import type { Clock } from '../../time/clock.ts'

/** Milliseconds after which a wish that was not granted is uttered again. */
const AGAIN = 1000

/**
 * Functions that a process needs a container of, where there is none. However many connections wait, the
 * supervisor hears of it once, and then once a second.
 */
export class Wishes {
  readonly #clock: Pick<Clock, 'steady'>
  readonly #utter: (functionName: string) => void
  /** When each was uttered last. */
  readonly #uttered = new Map<string, number>()

  constructor(clock: Pick<Clock, 'steady'>, utter: (functionName: string) => void) {
    this.#clock = clock
    this.#utter = utter
  }

  wish(functionName: string): void {
    const now = this.#clock.steady()
    const last = this.#uttered.get(functionName)
    if (last !== undefined && now - last < AGAIN) return
    this.#uttered.set(functionName, now)
    this.#utter(functionName)
  }

  /** There is a container: the next wish is a new one. */
  granted(functionName: string): void {
    this.#uttered.delete(functionName)
  }
}
