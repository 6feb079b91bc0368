import type { Readable } from 'node:stream'
import type { Clock, Timer } from '../../time/clock.ts'
import { Pieces } from '../../wire/index.ts'
import type { ProgramProcess } from './process.ts'

/** How one request ended. */
export type Ending =
  | { readonly kind: 'answered'; readonly output: Uint8Array }
  | { readonly kind: 'unstarted'; readonly how: string }
  /** @example how: `ended with exit code 3` */
  | { readonly kind: 'failed'; readonly how: string }

export interface RunLimits {
  readonly outputBytes: number
  readonly combineOutput: boolean
  /** Bytes that are kept from now on. @returns false if all processes have written too much together */
  readonly keep: (bytes: number) => boolean
  readonly clock: Clock
}

/**
 * Milliseconds that others may hold the output of a process that has ended, until they are ended; and until
 * it is given up, if they have left its group.
 */
const GRACE = 100
const LAST_WORDS = 1000

/** One process at work on one request. When it has ended, all that it has started ends with it. */
export class Run {
  readonly process: ProgramProcess
  /** Never rejected. */
  readonly ending: Promise<Ending>
  readonly #limits: RunLimits
  readonly #output = new Pieces()
  /** Bytes of it. */
  kept = 0
  #settle: (ending: Ending) => void = () => {}
  /** Its answer is settled, and its process ends. */
  over = false

  constructor(process: ProgramProcess, limits: RunLimits) {
    this.process = process
    this.#limits = limits
    this.ending = new Promise(settle => {
      this.#settle = settle
    })
    const { stdout, stderr } = process.child
    // What it says on standard error is read by others, unless it belongs to the answer.
    const read = [this.#collect(stdout!), limits.combineOutput ? this.#collect(stderr!) : closed(stderr!)]
    void this.#wait(Promise.all(read))
  }

  /** The answer is not wanted any more: its time is over, or its client is gone. */
  cancel(): void {
    this.#end({ kind: 'failed', how: 'was ended because nothing waits for its answer' })
  }

  /** @returns when there is no more of it */
  #collect(from: Readable): Promise<void> {
    from.on('data', (bytes: Uint8Array) => {
      if (this.over) return
      const { outputBytes, keep } = this.#limits
      this.kept += bytes.length
      this.#output.add(bytes)
      if (!keep(bytes.length)) this.#end({ kind: 'failed', how: 'wrote more than there is room for now' })
      else if (this.kept > outputBytes)
        this.#end({ kind: 'failed', how: `wrote more than ${outputBytes} bytes` })
    })
    return closed(from)
  }

  async #wait(read: Promise<unknown>): Promise<void> {
    const { clock } = this.#limits
    const how = await this.process.ended
    if (this.process.pid === undefined) {
      this.#end({ kind: 'unstarted', how })
      return
    }
    if (!(await within(read, GRACE, clock))) {
      this.process.signal('SIGKILL')
      await within(read, LAST_WORDS, clock)
    }
    if (this.process.exitCode === 0) this.#end({ kind: 'answered', output: this.#output.takeWhole() })
    else
      this.#end({ kind: 'failed', how: how.startsWith('exit') ? `ended with ${how}` : `was ended by ${how}` })
  }

  #end(ending: Ending): void {
    if (this.over) return
    this.over = true
    if (ending.kind !== 'answered') {
      this.#output.clear()
      this.#limits.keep(-this.kept)
      this.kept = 0
    }
    this.process.kill()
    // It counts as long as it is there.
    void this.process.ended.then(() => this.#settle(ending))
  }
}

function closed(stream: Readable): Promise<void> {
  return new Promise(settle => stream.once('close', () => settle()))
}

/** @returns whether it came to pass in time */
async function within(work: Promise<unknown>, milliseconds: number, clock: Clock): Promise<boolean> {
  let timer: Timer | undefined
  const late = new Promise<false>(settle => {
    timer = clock.after(milliseconds, () => settle(false))
  })
  const done = await Promise.race([work.then(() => true), late])
  timer?.stop()
  return done
}
