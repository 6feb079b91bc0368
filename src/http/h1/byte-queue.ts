import { copyInto, EMPTY, fresh, plain } from '../../wire/index.ts'

/** Bytes up to which V8 keeps an array's memory in its heap. */
const SHORT = 64

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
  /** A key is in what is queued: where it is copied from, nothing of it may be left. */
  #secret = false
  /** The piece that was copied last. */
  #copied: Uint8Array | undefined
  #borrowed = false
  /** The memory may be written to. */
  #ours = false

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
      this.#ours = false
      return
    }
    this.#reserve(piece.length)
    this.bytes.set(piece, this.end)
    this.end += piece.length
    this.#copied = piece
  }

  /** Begins with a piece that stays as it is for good. */
  adopt(piece: Uint8Array): void {
    this.bytes = piece
    this.start = 0
    this.end = piece.length
    this.#borrowed = false
    this.#ours = false
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
    const from = this.start
    this.start += count
    return plain(this.bytes).slice(from, this.start)
  }

  /** A copy of everything queued, for what does not last. */
  copy(): Uint8Array {
    // A short slice lies in the engine's heap, where a key cannot be wiped.
    return this.length > SHORT ? plain(this.bytes).slice(this.start, this.end) : this.passing()
  }

  /** The same for what is encoded at once: memory of its own would cost ten times what the copy does. */
  passing(): Uint8Array {
    const { bytes, start, end, length } = this
    if (length === 0) return EMPTY
    const copy = fresh(length)
    copyInto(copy, bytes, start, end)
    return copy
  }

  /** Tells whether there is a key in what is queued. */
  guard(secret: boolean): void {
    this.#secret = secret
    if (secret) this.#copied?.fill(0)
    this.#copied = undefined
  }

  /** Overwrites the key in a head. @param from where that begins, counted from what is queued first */
  wipeKey(
    { head: { key }, keyAt }: { head: { key?: Uint8Array | undefined }; keyAt: number },
    from: number,
  ): void {
    if (key === undefined) return
    const at = this.start + from + keyAt
    this.bytes.fill(0, at, at + key.length)
  }

  clear(): void {
    this.bytes = EMPTY
    this.start = 0
    this.end = 0
    this.#secret = false
    this.#copied = undefined
    this.#borrowed = false
    this.#ours = false
  }

  /** Makes the memory ours, with room for `more` bytes behind what is queued. */
  #reserve(more: number): void {
    const length = this.length
    if (this.#ours && this.end + more <= this.bytes.length) return
    // Moving to the front of the same memory is enough once half of it has been read.
    const roomy = this.#ours && length + more <= this.bytes.length / 2
    const target = roomy ? this.bytes : new Uint8Array(more === 0 ? length : (length + more) * 2)
    if (target === this.bytes) target.copyWithin(0, this.start, this.end)
    else copyInto(target, this.bytes, this.start, this.end)
    if (this.#secret) this.bytes.fill(0, target === this.bytes ? length : this.start, this.end)
    this.bytes = target
    this.start = 0
    this.end = length
    this.#borrowed = false
    this.#ours = true
  }
}
