import { constants, openSync, writeSync } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import type { Clock, Timer } from '../time/clock.ts'
import type { LogSink } from './child-output.ts'

/** How much of a log is kept. */
export interface LogLimits {
  /** Of one file. */
  readonly maxBytes: number
  /** Files in all, the present one among them; older ones are called `.1`, `.2` and so on. */
  readonly files: number
}

export interface LogFileOptions extends LogLimits {
  readonly path: string
  readonly clock: Clock
  /** Told in one line when writing begins to fail, and not again until it has worked. */
  readonly onTrouble: (text: string) => void
}

/** Characters that wait to be written; what is more is dropped. */
const WAITING = 4_194_304
/** Characters of one write. */
const CHUNK = 65_536
/** Milliseconds between two looks whether the file is still the one of that name. */
const LOOK = 1000
/** Milliseconds that the last lines have at the end. */
const LAST_WORDS = 1000
const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants
// A pipe that has no reader fails, instead of waiting for one.
const FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK

/**
 * The log of the platform. Writing to it never throws and never waits: lines are queued, and written in the
 * background. What cannot be written is dropped and counted, and the next line that can be written says how
 * much that was.
 */
export class LogFile {
  readonly #options: LogFileOptions
  #queue: string[] = []
  #waiting = 0
  #writing: Promise<void> | undefined
  #file: FileHandle | undefined
  /** Of a regular file; others are not rotated. */
  #size: number | undefined
  #looked = -Infinity
  #dropped = 0
  /** Why the last ones were. */
  #reason = ''
  #troubled = false
  readonly #flush = (): void => this.#flushNow()

  constructor(options: LogFileOptions) {
    this.#options = options
    process.once('exit', this.#flush)
  }

  /** Takes one line, with its end. */
  readonly write: LogSink = line => {
    if (this.#waiting + line.length > WAITING) {
      this.#dropped++
      this.#reason = 'they came too fast'
      return
    }
    this.#queue.push(line)
    this.#waiting += line.length
    this.#writing ??= this.#run()
  }

  /** Waits until all is written, but not for long, and lets go of the file. */
  async close(): Promise<void> {
    const { clock } = this.#options
    let timer: Timer | undefined
    const late = new Promise<void>(resolve => {
      timer = clock.after(LAST_WORDS, resolve)
    })
    await Promise.race([this.#writing, late])
    timer?.stop()
    if (this.#writing === undefined) await this.#let()
    process.removeListener('exit', this.#flush)
  }

  async #run(): Promise<void> {
    // What is logged in the same breath is written at once.
    await undefined
    while (this.#queue.length > 0) {
      let lines: readonly string[] = []
      try {
        await this.#ready(this.#queue[0]!.length)
        lines = this.#take(this.#fitting())
        const said = this.#dropped
        await this.#append(Buffer.from((said === 0 ? '' : this.#droppedLine(said)) + lines.join('')))
        this.#dropped -= said
        this.#troubled = false
      } catch (error) {
        // One look at a disk that is full is enough for all that waits.
        const dropped = lines.length + this.#take(this.#queue.length).length
        await this.#failed(error as NodeJS.ErrnoException, dropped)
      }
    }
    this.#writing = undefined
  }

  #take(count: number): readonly string[] {
    const taken = this.#queue.splice(0, count)
    for (const line of taken) this.#waiting -= line.length
    return taken
  }

  /** How many of the lines that wait go into the present file, and into one write; one goes in any case. */
  #fitting(): number {
    const room = Math.min(CHUNK, this.#size === undefined ? CHUNK : this.#options.maxBytes - this.#size)
    let length = 0
    let count = 0
    while (count < this.#queue.length && (count === 0 || length + this.#queue[count]!.length <= room))
      length += this.#queue[count++]!.length
    return count
  }

  /** Sees to it that a file is open that has room. */
  async #ready(length: number): Promise<void> {
    if (this.#file !== undefined && this.#options.clock.steady() - this.#looked > LOOK) await this.#look()
    if (this.#file === undefined) await this.#open()
    const { maxBytes } = this.#options
    if (this.#size === undefined || this.#size === 0 || this.#size + length <= maxBytes) return
    await this.#rotate()
  }

  async #open(): Promise<void> {
    this.#file = await open(this.#options.path, FLAGS, 0o600)
    const found = await this.#file.stat()
    this.#size = found.isFile() ? found.size : undefined
    this.#looked = this.#options.clock.steady()
  }

  /** The file may have been removed, or rotated by another program: then a new one is opened. */
  async #look(): Promise<void> {
    this.#looked = this.#options.clock.steady()
    const [own, named] = await Promise.all([
      this.#file!.stat(),
      stat(this.#options.path).catch(() => undefined),
    ])
    if (named === undefined || own.ino !== named.ino || own.dev !== named.dev) await this.#let()
    else if (own.isFile()) this.#size = own.size
  }

  async #let(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(() => {})
  }

  async #rotate(): Promise<void> {
    const { path, files } = this.#options
    try {
      if (files === 1) await rm(path, { force: true })
      for (let number = files - 1; number > 0; number--)
        await rename(number === 1 ? path : `${path}.${number - 1}`, `${path}.${number}`).catch(missing)
    } catch {
      // Where it cannot be renamed it begins anew: it must not grow without end.
      await this.#file?.truncate(0)
    }
    await this.#let()
    await this.#open()
  }

  async #append(bytes: Uint8Array): Promise<void> {
    const before = this.#size
    try {
      for (let at = 0; at < bytes.length; ) at += (await this.#file!.write(bytes, at)).bytesWritten
      if (this.#size !== undefined) this.#size += bytes.length
    } catch (error) {
      // No half lines.
      if (before !== undefined) await this.#file?.truncate(before).catch(() => {})
      throw error
    }
  }

  async #failed(error: NodeJS.ErrnoException, lines: number): Promise<void> {
    const code = error.code ?? error.message
    if (!this.#troubled)
      this.#options.onTrouble(
        `the log ${this.#options.path} cannot be written (${code}): its lines are dropped, and counted`,
      )
    this.#troubled = true
    this.#reason = code
    this.#dropped += lines
    await this.#let()
  }

  #droppedLine(dropped: number): string {
    const msg = `${dropped} lines of the log were dropped (${this.#reason})`
    const entry = {
      level: 40,
      time: this.#options.clock.wall(),
      pid: process.pid,
      name: 'supervisor',
      dropped,
      msg,
    }
    return `${JSON.stringify(entry)}\n`
  }

  /** The process ends: what waits is written now. */
  #flushNow(): void {
    if (this.#queue.length === 0) return
    try {
      writeSync(this.#file?.fd ?? openSync(this.#options.path, FLAGS, 0o600), this.#queue.join(''))
    } catch {
      // There is no later in which to say so.
    }
  }
}

function missing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
