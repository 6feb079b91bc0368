import type { Clock } from '../time/clock.ts'
import type { Step } from './life-cycle.ts'

/** A step of a replica, with its place in time. */
export interface Change extends Step {
  /** Grows by one with each change. */
  readonly number: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** The replica, and its function; the latter is empty for a gateway. */
  readonly name: string
  readonly functionName: string
}

/** Changes that are kept: the newest, of all replicas together. */
const MOST = 256

/** What has become of the replicas lately. */
export class Diary {
  readonly #clock: Clock
  #changes: Change[] = []
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The oldest first. */
  get changes(): readonly Change[] {
    return this.#changes
  }

  note(name: string, functionName: string, step: Step): void {
    this.#changes.push({ number: ++this.#count, at: this.#clock.wall(), name, functionName, ...step })
    if (this.#changes.length > MOST) this.#changes = this.#changes.slice(-MOST)
  }
}
