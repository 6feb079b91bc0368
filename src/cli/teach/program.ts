import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { Shown } from '../../supervisor/admin/told.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { packageFolder } from '../platform/configuration.ts'
import { Nameless } from './directory.ts'

const PROGRAM = join(packageFolder(), 'bin/hotpotato.js')
/** Milliseconds that it may take to answer. */
const PATIENCE = 30_000
/** Characters of standard error that are kept. */
const KEPT = 4096
/** Where it writes its recording: a file that has no name. */
const RECORD = ['--record', '/dev/fd/4'] as const

/**
 * A `hotpotato` command of our own that records: it is looked on at while it goes on, and its recording is
 * kept when it has ended. It ends with this process, however that ends: its channel breaks.
 */
export class Program {
  readonly #child: ChildProcess
  readonly #file: Nameless
  readonly #closed: Promise<number | null>
  #said = ''
  #looking: Promise<unknown> = Promise.resolve()
  #ended = false

  /** @param directory of this user alone */
  constructor(words: readonly string[], directory: string) {
    this.#file = new Nameless(directory)
    this.#child = spawn(process.execPath, [PROGRAM, ...words, ...RECORD], {
      stdio: ['pipe', 'pipe', 'pipe', 'ipc', this.#file.descriptor],
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(-KEPT)
    })
    this.input.on('error', () => {})
    this.#child.on('error', () => {})
    this.#closed = once(this.#child, 'close').then(([status]) => {
      this.#ended = true
      return status as number | null
    })
    this.#closed.catch(() => {})
  }

  get input(): Writable {
    return this.#child.stdin!
  }

  get output(): Readable {
    return this.#child.stdout!
  }

  get ended(): boolean {
    return this.#ended
  }

  /** What it has said on standard error, in the end. */
  get said(): string {
    return this.#said.trim()
  }

  /** Waits for its end; after too long it is ended. @returns its status */
  async over(milliseconds: number): Promise<number | null> {
    const timer = SYSTEM_CLOCK.after(milliseconds, () => this.end())
    return this.#closed.finally(() => timer.stop())
  }

  /** Has it do something. */
  tell(what: object): void {
    if (this.#child.connected) this.#child.send(what, () => {})
  }

  /**
   * What it has recorded so far. @param seen what the last look said of that
   * @throws Error it has ended, or does not answer
   */
  look(seen: number): Promise<Shown> {
    // One after the other: answers say nothing of their questions.
    const shown = this.#looking.then(() => this.#look(seen))
    this.#looking = shown.catch(() => {})
    return shown
  }

  async #look(seen: number): Promise<Shown> {
    if (!this.#child.connected) throw new Error('it has ended')
    const answered = once(this.#child, 'message', { signal: AbortSignal.timeout(PATIENCE) })
    this.tell({ look: seen })
    const ended = this.#closed.then(() => {
      throw new Error('it has ended')
    })
    answered.catch(() => {})
    ended.catch(() => {})
    const [shown] = await Promise.race([answered, ended])
    return shown as Shown
  }

  /** Its recording, when it has ended; empty: there is none. */
  recording(): string {
    return this.#file.read()
  }

  /** @param signal after which it writes its recording */
  end(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#child.kill(signal)
  }

  /** Its recording is asked for no more. */
  close(): void {
    this.end()
    this.#file.close()
  }
}
