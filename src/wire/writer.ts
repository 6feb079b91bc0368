import { Scratch } from './memory.ts'

/** Bytes of memory that a writer keeps for what it writes next. */
const KEPT = 16_384

/** Appends numbers and bytes, in network byte order, to one growing buffer. */
export class Writer {
  #bytes: Uint8Array
  #view: DataView
  /** Made when it is first asked for. */
  #scratch: Scratch | undefined
  #length = 0
  /** Every field is to be written by its own codec, and not by what was compiled of it. */
  readonly interpreted: boolean

  /** @param capacity bytes to reserve at first; the buffer doubles when it is full. */
  constructor(capacity = 512, interpreted = false) {
    this.interpreted = interpreted
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length
  }

  #reserve(count: number): number {
    const at = this.#length
    const needed = at + count
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, at))
      // It is given up, and may have been secret.
      this.#bytes.fill(0, 0, at)
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    this.#length = needed
    return at
  }

  /** Appends an unsigned integer of 1 to 8 bytes; the caller has checked that it fits. */
  uint(value: number, size: number): void {
    const at = this.#reserve(size)
    switch (size) {
      case 1:
        this.#bytes[at] = value
        break
      case 2:
        this.#view.setUint16(at, value)
        break
      case 3:
        this.#bytes[at] = value >> 16
        this.#view.setUint16(at + 1, value & 0xffff)
        break
      case 4:
        this.#view.setUint32(at, value)
        break
      case 8:
        this.#view.setUint32(at, Math.floor(value / 2 ** 32))
        this.#view.setUint32(at + 4, value % 2 ** 32)
        break
      default:
        this.#setUint(at, value, size)
    }
  }

  #setUint(at: number, value: number, size: number): void {
    let rest = value
    for (let i = at + size - 1; i >= at; i--) {
      this.#bytes[i] = rest % 256
      rest = Math.floor(rest / 256)
    }
  }

  /** A length that is less than 2^31. */
  #setLength(at: number, length: number, size: number): void {
    let rest = length
    for (let i = at + size - 1; i >= at; i--) {
      this.#bytes[i] = rest
      rest >>>= 8
    }
  }

  /** Appends the bytes as they are. */
  bytes(value: Uint8Array): void {
    const at = this.#reserve(value.length)
    this.#bytes.set(value, at)
  }

  /**
   * Appends characters of ASCII behind their count. @param size bytes of the count
   * @returns false for other characters: nothing is written
   */
  ascii(value: string, size: number): boolean {
    const { length } = value
    const at = this.#reserve(size + length)
    const bytes = this.#bytes
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i)
      if (unit > 0x7f) {
        bytes.fill(0, at, at + size + length)
        this.#length = at
        return false
      }
      bytes[at + size + i] = unit
    }
    this.#setLength(at, length, size)
    return true
  }

  /** Leaves room for a length of `size` bytes. @returns what {@link close} takes */
  open(size: number): number {
    return this.#reserve(size)
  }

  /** Fills in how many bytes were written since {@link open}. @returns that number */
  close(at: number, size: number): number {
    const length = this.#length - at - size
    this.#setLength(at, length, size)
    return length
  }

  /** Forgets everything written, and leaves nothing of it in memory: it may have been secret. */
  clear(): void {
    this.#bytes.fill(0, 0, this.#length)
    if (this.#bytes.length > KEPT) {
      this.#bytes = new Uint8Array(KEPT)
      this.#view = new DataView(this.#bytes.buffer)
    }
    this.#length = 0
  }

  /** A copy of everything written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  /** Everything written, borrowed until the next call of a method here. */
  written(): Uint8Array {
    if (this.#scratch?.bytes !== this.#bytes) this.#scratch = new Scratch(this.#bytes)
    return this.#scratch.first(this.#length)
  }

  /** Begins anew, over what was written before. */
  rewind(): void {
    this.#length = 0
  }
}
