import type { Clock, Timer } from '../time/clock.ts'
import type { Loads as Told } from '../transfer/control.ts'

/** Milliseconds in which what containers say of their load is collected before all processes hear of it. */
const DELAY = 50

/** How many connections containers have said that they have since the last report. */
export class Loads {
  readonly #clock: Clock
  readonly #tell: (loads: Told) => void
  readonly #said = new Map<number, number>()
  #telling: Timer | undefined

  /** @param tell tells all processes */
  constructor(clock: Clock, tell: (loads: Told) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  heard(id: number, connections: number): void {
    this.#said.set(id, connections)
    this.#telling ??= this.#clock.after(DELAY, () => {
      this.#telling = undefined
      const loads = [...this.#said].map(([one, has]) => ({ id: one, connections: has }))
      this.#said.clear()
      this.#tell(loads)
    })
  }

  /** That process has ended. */
  forget(id: number): void {
    this.#said.delete(id)
  }

  /** Tells no more. */
  stop(): void {
    this.#telling?.stop()
  }
}
