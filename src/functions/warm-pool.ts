import type { Log } from '../platform/log.ts'
import type { Clock, Timer } from '../time/clock.ts'
import { reasonOf } from '../wire/thrown.ts'

/** Milliseconds until the next try when one has ended before it was used: doubled each time, at most this. */
const FIRST = 100
const MOST = 10_000

/** A process as a pool sees it. */
export interface Poolable {
  /** Settled when it has ended, with how. */
  readonly ended: Promise<string>
  /** Ends it at once. */
  kill(): void
}

/** Processes that have been started ahead, and wait for their request. Each of them is used once. */
export class WarmPool<Process extends Poolable> {
  readonly #size: number
  readonly #start: () => Process
  readonly #clock: Clock
  readonly #log: Log
  #waiting: Process[] = []
  #failures = 0
  #retry: Timer | undefined
  #closed = false

  /** @param start may throw */
  constructor(size: number, start: () => Process, clock: Clock, log: Log) {
    this.#size = size
    this.#start = start
    this.#clock = clock
    this.#log = log
    this.#fill()
  }

  get size(): number {
    return this.#waiting.length
  }

  /** The one that has waited longest; another one is started in its place. */
  take(): Process | undefined {
    const process = this.#waiting.shift()
    if (process === undefined) return undefined
    this.#failures = 0
    this.#later(1)
    return process
  }

  /** @returns those that wait */
  close(): readonly Process[] {
    this.#closed = true
    this.#retry?.stop()
    return this.#waiting
  }

  #fill(): void {
    while (!this.#closed && this.#waiting.length < this.#size) {
      let process: Process
      try {
        process = this.#start()
      } catch (error) {
        this.#failed(reasonOf(error))
        return
      }
      this.#waiting.push(process)
      void process.ended.then(how => {
        const at = this.#waiting.indexOf(process)
        if (at < 0 || this.#closed) return
        this.#waiting.splice(at, 1)
        process.kill()
        this.#failed(how)
      })
    }
  }

  #failed(how: string): void {
    this.#log.warn({ how }, 'a process that waited for its request has ended')
    this.#later(Math.min(MOST, FIRST * 2 ** Math.min(30, this.#failures++)))
  }

  #later(milliseconds: number): void {
    this.#retry?.stop()
    this.#retry = this.#clock.after(milliseconds, () => this.#fill())
  }
}
