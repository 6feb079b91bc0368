import { copyInto, EMPTY } from '../../wire/index.ts'

/**
 * Bytes that were received and not yet read. It borrows the last piece it was given instead of copying it,
 * until {@link ByteQueue.settle} copies what is left: most messages are read whole out of the piece they came
 * in.
 */
export class ByteQueue {
  /** The memory; what is queued lies from `start` to before `end`. */
  bytes: Uint8Array = EMPTY
  start = 0
  end = 0
  #borrowed = false

  get length(): number {
    return this.end - this.start
  }

  /** Appends a piece. The caller must leave it alone until {@link ByteQueue.settle}. */
  push(piece: Uint8Array): void {
    if (piece.length === 0) return
    if (this.start === this.end) {
      this.bytes = piece
      this.start = 0
      this.end = piece.length
      this.#borrowed = true
      return
    }
    this.#reserve(piece.length)
    this.bytes.set(piece, this.end)
    this.end += piece.length
  }

  /** Copies what is borrowed, so that the caller may use its memory again. */
  settle(): void {
    if (this.start === this.end) this.clear()
    else if (this.#borrowed) this.#reserve(0)
  }

  /** Drops `count` bytes from the front. */
  skip(count: number): void {
    this.start += count
  }

  /** A copy of the first `count` bytes, which are dropped. */
  take(count: number): Uint8Array {
    const copy = new Uint8Array(count)
    copyInto(copy, this.bytes, this.start, this.start + count)
    this.start += count
    return copy
  }

  /** A copy of everything queued. */
  copy(): Uint8Array {
    if (this.start === this.end) return EMPTY
    const copy = new Uint8Array(this.length)
    copyInto(copy, this.bytes, this.start, this.end)
    return copy
  }

  clear(): void {
    this.bytes = EMPTY
    this.start = 0
    this.end = 0
    this.#borrowed = false
  }

  /** Makes the memory ours, with room for `more` bytes behind what is queued. */
  #reserve(more: number): void {
    const length = this.length
    if (!this.#borrowed && this.end + more <= this.bytes.length) return
    // Moving to the front of the same memory is enough once half of it has been read.
    const roomy = !this.#borrowed && length + more <= this.bytes.length / 2
    const target = roomy ? this.bytes : new Uint8Array(more === 0 ? length : (length + more) * 2)
    target.set(this.bytes.subarray(this.start, this.end))
    this.bytes = target
    this.start = 0
    this.end = length
    this.#borrowed = false
  }
}
