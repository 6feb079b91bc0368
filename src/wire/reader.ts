import { EMPTY, lentView } from './bytes.ts'
import { fresh } from './memory.ts'

/** Bytes that do not fit the notation they are read by. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  /** Bytes from the start of the input to where reading stopped. */
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

/** Up to so many bytes the engine keeps an array in its heap, which costs a tenth of one outside. */
const SMALL = 64
/** Up to so many bytes a loop is quicker than `slice`. */
const FEW = 16

/** What a traced read tells about each field: see {@link annotate}. */
export interface TraceEntry {
  /** Bytes from the start of the input. */
  readonly offset: number
  /** Bytes that the field takes up. */
  readonly length: number
  readonly depth: number
  readonly name: string
  readonly notation: string
  readonly value: unknown
}

/** Takes numbers and bytes, in network byte order, off the front of a buffer. Never reads past its end. */
export class Reader {
  readonly #bytes: Uint8Array
  readonly #lends: boolean
  readonly #known: Uint8Array | undefined
  #offset: number
  #end: number
  /** Filled in field by field when present. */
  readonly trace: TraceEntry[] | undefined
  /** Whether the trace holds the bytes of secrets. */
  readonly showsSecrets: boolean
  /** Every field is to be read by its own codec. */
  readonly interpreted: boolean
  depth = 0

  /**
   * @param interpreted by the codecs themselves, and not by what was compiled of them
   * @param lends long fields are views: the bytes stay as they are
   * @param known what {@link known} may give
   */
  constructor(
    bytes: Uint8Array,
    trace?: TraceEntry[],
    showsSecrets = false,
    interpreted = trace !== undefined,
    lends = false,
    known?: Uint8Array,
  ) {
    this.#known = known
    this.#lends = lends
    this.interpreted = interpreted
    // A Buffer's slice() shares memory; the fields we hand out must be copies.
    this.#bytes = Object.getPrototypeOf(bytes) === Uint8Array.prototype ? bytes : plain(bytes)
    this.#offset = 0
    this.#end = bytes.length
    this.trace = trace
    this.showsSecrets = showsSecrets
  }

  get offset(): number {
    return this.#offset
  }

  /** Bytes left. */
  get remaining(): number {
    return this.#end - this.#offset
  }

  #take(count: number): number {
    const at = this.#offset
    if (count > this.#end - at) {
      throw new DecodeError(`needs ${count} bytes where ${this.#end - at} are left`, at)
    }
    this.#offset = at + count
    return at
  }

  /** Reads an unsigned integer of 1 to 8 bytes; one above 2^53 - 1 is a {@link DecodeError}. */
  uint(size: number): number {
    const at = this.#take(size)
    const bytes = this.#bytes
    if (size === 1) return bytes[at] as number
    if (size === 2) return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
    if (size <= 4) {
      const low = ((bytes[at + size - 2] as number) << 8) | (bytes[at + size - 1] as number)
      const high =
        size === 3 ? (bytes[at] as number) : ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
      return high * 65_536 + low
    }
    let value = 0
    for (let i = at; i < at + size; i++) value = value * 256 + (bytes[i] as number)
    if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError(`an integer above 2^53 - 1`, at)
    return value
  }

  /** A copy of the next `count` bytes. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count)
    if (count === 0) return EMPTY
    if (count > SMALL)
      return this.#lends ? lentView(this.#bytes, at, at + count) : this.#bytes.slice(at, at + count)
    if (count > FEW) return this.#bytes.slice(at, at + count)
    const bytes = new Uint8Array(count)
    for (let i = 0; i < count; i++) bytes[i] = this.#bytes[at + i]!
    return bytes
  }

  /** The same for what does not last: in a block that pieces share, where memory of its own costs 2 µs. */
  passing(count: number): Uint8Array {
    if (count <= SMALL) return this.bytes(count)
    const at = this.#take(count)
    const copy = fresh(count)
    copy.set(lentView(this.#bytes, at, at + count))
    return copy
  }

  /** The next `count` bytes: `last` itself, if they are the same. */
  same(count: number, last: Uint8Array | undefined): Uint8Array {
    if (last === undefined || last.length !== count || count > this.remaining) return this.bytes(count)
    const at = this.#offset
    for (let i = 0; i < count; i++) if (this.#bytes[at + i] !== last[i]) return this.bytes(count)
    this.#offset = at + count
    return last
  }

  /** The same with what the reader was given. */
  known(count: number): Uint8Array {
    return this.same(count, this.#known)
  }

  /** A view of the next `count` bytes, where the input stays as it is; otherwise a copy. */
  lent(count: number): Uint8Array {
    if (!this.#lends) return this.bytes(count)
    const at = this.#take(count)
    return lentView(this.#bytes, at, at + count)
  }

  /**
   * A copy of the next `count` bytes that can be wiped: outside of the engine's heap. In there short ones are
   * moved about, and stay behind where they were when their buffer is asked for.
   */
  secret(count: number): Uint8Array {
    const at = this.#take(count)
    const copy = new Uint8Array(new ArrayBuffer(count))
    for (let i = 0; i < count; i++) copy[i] = this.#bytes[at + i]!
    return copy
  }

  /** The next `count` bytes as text if they are ASCII; undefined if not: then nothing has been read. */
  ascii(count: number): string | undefined {
    const at = this.#take(count)
    const bytes = this.#bytes
    const place = count === 0 ? 0 : (31 * count + 7 * bytes[at]! + bytes[at + count - 1]!) % RECENT.length
    const recent = RECENT[place]!
    if (reads(bytes, at, count, recent)) return recent
    let text = ''
    for (let i = at; i < at + count; i++) {
      const byte = bytes[i] as number
      if (byte > 0x7f) {
        this.#offset = at
        return undefined
      }
      text += String.fromCharCode(byte)
    }
    if (count <= SMALL) RECENT[place] = text
    return text
  }

  /** Narrows the input to the next `count` bytes. @returns what {@link leave} takes */
  enter(count: number): number {
    const at = this.#offset
    const end = this.#end
    if (count > end - at) throw new DecodeError(`a length of ${count} bytes where ${end - at} are left`, at)
    this.#end = at + count
    return end
  }

  /** Insists that all was read, and goes on behind it. */
  leave(end: number): void {
    this.finish()
    this.#end = end
  }

  /** Insists that everything has been read. */
  finish(): void {
    if (this.#offset !== this.#end) {
      throw new DecodeError(`${this.#end - this.#offset} bytes too many`, this.#offset)
    }
  }

  /** Reports an impossible value at the place where reading is. */
  fail(message: string): never {
    throw new DecodeError(message, this.#offset)
  }
}

/** Short texts that were read lately: names of servers and protocols come again and again. */
const RECENT: string[] = new Array(64).fill('')

function reads(bytes: Uint8Array, at: number, count: number, text: string): boolean {
  if (text.length !== count) return false
  for (let i = 0; i < count; i++) if (text.charCodeAt(i) !== bytes[at + i]) return false
  return true
}

function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
