import { concat } from '../../src/wire/index.ts'

/**
 * Bytes of a record's header; and of what a sealed record has besides its content: type and tag (RFC 8446
 * §5.2).
 */
const HEADER = 5
const OVERHEAD = 17

/**
 * Received bytes cut into records by their headers alone: how many there are, and how much content, without
 * opening one.
 */
export class RecordMeter {
  #chunks: Uint8Array[] = []
  /**
   * Bytes of the record at hand that are still to come, and the beginning of a header that came in pieces.
   */
  #left = 0
  #header: Uint8Array = new Uint8Array(0)
  #whole = 0
  #content = 0
  #skipped = 0

  /** Takes bytes over. */
  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes)
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === 0) {
        const piece = bytes.subarray(at, at + HEADER - this.#header.length)
        this.#header = this.#header.length === 0 ? piece : concat(this.#header, piece)
        at += piece.length
        if (this.#header.length < HEADER) return
        const length = this.#header[3]! * 256 + this.#header[4]!
        this.#header = new Uint8Array(0)
        this.#content += Math.max(0, length - OVERHEAD)
        this.#left = length
        if (length > 0) continue
      }
      const step = Math.min(this.#left, bytes.length - at)
      at += step
      this.#left -= step
      if (this.#left === 0) this.#whole++
    }
  }

  /** Whole records that have come and were neither taken nor skipped. */
  get records(): number {
    return this.#whole - this.#skipped
  }

  /** Bytes of content in them, and in one that is whole only in part: 0 until that is whole. */
  get content(): number {
    return this.#left > 0 ? 0 : this.#content
  }

  /** Counts what has come so far no more; it stays to be taken. */
  skip(): void {
    this.#skipped = this.#whole
  }

  /** The first record. @returns undefined if there is none */
  takeRecord(): Uint8Array | undefined {
    if (this.#whole === 0) return undefined
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : concat(...this.#chunks)
    const length = HEADER + bytes[3]! * 256 + bytes[4]!
    this.#chunks = length === bytes.length ? [] : [bytes.subarray(length)]
    this.#whole--
    this.#skipped = Math.max(0, this.#skipped - 1)
    this.#content -= Math.max(0, length - HEADER - OVERHEAD)
    return bytes.subarray(0, length)
  }

  /** Everything, one record at a time; what is not whole stays. */
  takeAll(): Uint8Array[] {
    const records: Uint8Array[] = []
    if (this.#whole === 0) return records
    let bytes = this.#chunks.length === 1 ? this.#chunks[0]! : concat(...this.#chunks)
    for (; this.#whole > 0; this.#whole--) {
      const length = HEADER + bytes[3]! * 256 + bytes[4]!
      records.push(bytes.subarray(0, length))
      this.#content -= Math.max(0, length - HEADER - OVERHEAD)
      bytes = bytes.subarray(length)
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes]
    this.#skipped = 0
    return records
  }
}
