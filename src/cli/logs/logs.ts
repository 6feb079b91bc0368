import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { MissingPackageError, optionalPackage } from '../../platform/optional-package.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { LOG_FILE } from '../platform/run-directory.ts'
import { printable, say, warn, write } from '../terminal/output.ts'

/** Milliseconds between two looks at the file. */
const INTERVAL = 250
/** Bytes of what was logged before that are shown. */
const TAIL = 16_384
/** Bytes of one read. */
const CHUNK = 65_536
/** Files that a log may consist of. */
const MOST_FILES = 100

/**
 * Shows the end of the log and what comes to it, readable, until it is interrupted. It follows the log into a
 * new file.
 */
export async function followLogs(runDirectory: string): Promise<void> {
  const path = join(runDirectory, LOG_FILE)
  const found = statOf(path)
  if (found?.isFile() !== true) {
    const why = found === undefined ? 'does not exist' : 'is not a file'
    say(`nothing has been logged yet: ${path} ${why}`)
    process.exitCode = 1
    return
  }
  const pretty = await prettyLog(process.stdout.isTTY).catch((error: unknown) => {
    if (!(error instanceof MissingPackageError)) throw error
    warn(error.message)
    return (line: string): string => `${printable(line)}\n`
  })
  const follower = new Follower(path, TAIL)
  for (;;) {
    for (const line of follower.look()) if (line !== '') await write(pretty(line))
    await new Promise(resolve => SYSTEM_CLOCK.after(INTERVAL, () => resolve(undefined)))
  }
}

/** Values that are shown as they are; a line of theirs must not look like an entry of its own. */
const SHOWN = new Set(['time', 'name', 'caller', 'msg'])

/**
 * Makes what shows one line of the log. Functions have their say in it: nothing in it moves the cursor, looks
 * like another entry or ends the command.
 * @throws MissingPackageError
 */
export async function prettyLog(colorize: boolean): Promise<(line: string) => string> {
  const purpose = 'showing the log in lines for people'
  const { prettyFactory } = await optionalPackage('pino-pretty', purpose, () => import('pino-pretty'))
  const pretty = prettyFactory({ colorize, ignore: 'pid,hostname' })
  return line => {
    try {
      const safe: unknown = JSON.parse(line, function (this: unknown, key, value: unknown) {
        if (typeof value === 'string') return SHOWN.has(key) ? indented(printable(value)) : printable(value)
        return isMap(value) ? Object.fromEntries(Object.entries(value).map(named)) : value
      })
      if (isMap(safe)) return pretty(safe)
    } catch {
      // It is shown as it stands.
    }
    return `${printable(line)}\n`
  }
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function named([name, value]: [string, unknown]): [string, unknown] {
  return [printable(name).replaceAll('\n', '\\n'), value]
}

function indented(text: string): string {
  return text.replaceAll('\n', '\n    ')
}

/** Reads what comes to a log that is rotated or truncated meanwhile. */
export class Follower {
  readonly #path: string
  #fd: number
  #offset: number
  /** The beginning of a line whose end is not there yet; undefined where the beginning is not known. */
  #partial: Buffer | undefined

  /** @param tail bytes of what is there already @throws Error (of `node:fs`) it cannot be opened */
  constructor(path: string, tail: number) {
    this.#path = path
    this.#fd = openSync(path, 'r')
    this.#offset = Math.max(0, fstatSync(this.#fd).size - tail)
    this.#partial = this.#offset > 0 ? undefined : Buffer.alloc(0)
  }

  /** The lines that have come, in order. */
  *look(): Generator<string> {
    yield* this.#read()
    const own = fstatSync(this.#fd)
    const named = statOf(this.#path)
    // Removed, and not made anew yet.
    if (named === undefined || isSame(own, named)) return
    for (let number = this.#placeOf(own) - 1; number >= 0; number--) {
      const next = number === 0 ? this.#path : `${this.#path}.${number}`
      try {
        const fd = openSync(next, 'r')
        closeSync(this.#fd)
        this.#fd = fd
      } catch {
        continue
      }
      this.#offset = 0
      this.#partial = Buffer.alloc(0)
      yield* this.#read()
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** The number that the file has by now: several may have come since. */
  #placeOf(own: Stats): number {
    for (let number = 1; number < MOST_FILES; number++) {
      const found = statOf(`${this.#path}.${number}`)
      if (found === undefined) break
      if (isSame(own, found)) return number
    }
    return 1
  }

  *#read(): Generator<string> {
    if (fstatSync(this.#fd).size < this.#offset) {
      this.#offset = 0
      this.#partial = Buffer.alloc(0)
    }
    const buffer = Buffer.alloc(CHUNK)
    for (;;) {
      const length = readSync(this.#fd, buffer, 0, CHUNK, this.#offset)
      if (length === 0) return
      this.#offset += length
      yield* this.#lines(buffer.subarray(0, length))
    }
  }

  *#lines(bytes: Buffer): Generator<string> {
    let start = 0
    for (let end = bytes.indexOf('\n'); end >= 0; end = bytes.indexOf('\n', start)) {
      if (this.#partial !== undefined)
        yield Buffer.concat([this.#partial, bytes.subarray(start, end)]).toString('utf8')
      this.#partial = Buffer.alloc(0)
      start = end + 1
    }
    if (this.#partial !== undefined) this.#partial = Buffer.concat([this.#partial, bytes.subarray(start)])
  }
}

function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}
