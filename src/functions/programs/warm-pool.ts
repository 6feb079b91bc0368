import type { Log } from '../../platform/log.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import type { ProgramProcess } from './process.ts'

/** Milliseconds until the next try when one has ended before it was used: doubled each time, at most this. */
const FIRST = 100
const MOST = 10_000

/** Processes that have been started ahead, and wait for their request. Each of them is used once. */
export class WarmPool {
  readonly #size: number
  readonly #start: () => ProgramProcess
  readonly #clock: Clock
  readonly #log: Log
  #waiting: ProgramProcess[] = []
  #failures = 0
  #retry: Timer | undefined
  #closed = false

  /** @param start may throw */
  constructor(size: number, start: () => ProgramProcess, clock: Clock, log: Log) {
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
  take(): ProgramProcess | undefined {
    const process = this.#waiting.shift()
    if (process === undefined) return undefined
    this.#failures = 0
    this.#later(1)
    return process
  }

  /** @returns those that wait */
  close(): readonly ProgramProcess[] {
    this.#closed = true
    this.#retry?.stop()
    return this.#waiting
  }

  #fill(): void {
    while (!this.#closed && this.#waiting.length < this.#size) {
      let process: ProgramProcess
      try {
        process = this.#start()
      } catch (error) {
        this.#failed((error as Error).message)
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
