import type { SlumberPhase } from '../../transfer/control.ts'

/** What the supervisor has said of functions that have no container, and how long is waited because of it. */
export class Slumbers {
  readonly #phases = new Map<string, SlumberPhase>()
  readonly #hold: number
  readonly #wake: number

  /** @param hold milliseconds for a container @param wake the same, of a function that sleeps */
  constructor(hold: number, wake: number) {
    this.#hold = hold
    this.#wake = Math.max(hold, wake)
  }

  /** Functions that sleep, or are waking. */
  get size(): number {
    return this.#phases.size
  }

  told(functionName: string, phase: SlumberPhase): void {
    if (phase === 'awake') this.#phases.delete(functionName)
    else this.#phases.set(functionName, phase)
  }

  /** It has no container, because those that were started have ended. */
  fails(functionName: string): boolean {
    return this.#phases.get(functionName) === 'failing'
  }

  /** Milliseconds that a connection waits for a container: one that fails again and again gets none. */
  patience(functionName: string): number {
    const phase = this.#phases.get(functionName)
    if (this.fails(functionName)) return 0
    return phase === undefined ? this.#hold : this.#wake
  }
}
