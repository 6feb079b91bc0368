import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'

/** Bytes of one read. */
const CHUNK = 65_536
/** Files that a log may consist of. */
const MOST_FILES = 100

/** Reads what comes to a log that is rotated or truncated meanwhile. */
export class Follower {
  readonly #path: string
  #fd: number
  #offset: number
  /** The beginning of a line whose end is not there yet; undefined where the beginning is not known. */
  #partial: Buffer | undefined

  /**
   * @param tail bytes of what is there already; undefined: all of it, the older files among it
   * @throws Error (of `node:fs`) it cannot be opened
   */
  constructor(path: string, tail: number | undefined) {
    this.#path = path
    this.#fd = openSync(tail === undefined ? oldestOf(path) : path, 'r')
    this.#offset = tail === undefined ? 0 : Math.max(0, fstatSync(this.#fd).size - tail)
    this.#partial = this.#offset > 0 ? undefined : Buffer.alloc(0)
  }

  /** The lines that have come, in order. */
  *look(): Generator<string> {
    yield* this.#read()
    const own = fstatSync(this.#fd)
    const named = statOf(this.#path)
    // Removed, and not made anew yet; or made anew by another program: until the platform has seen that and
    // writes there, it goes on writing here.
    if (named === undefined || isSame(own, named) || named.size === 0) return
    // What came between the two looks.
    yield* this.#read()
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

/** The file with the highest number, up to the first that there is not. */
function oldestOf(path: string): string {
  let number = 0
  while (number + 1 < MOST_FILES && statOf(`${path}.${number + 1}`) !== undefined) number++
  return number === 0 ? path : `${path}.${number}`
}

function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev
}

/** @returns undefined if there is no such file, or it cannot be looked at */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}
