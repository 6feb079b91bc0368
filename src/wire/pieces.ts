import { concat, EMPTY } from './bytes.ts'

/** Bytes from which on a piece stays as it is: smaller ones cost more to keep than to copy. */
const LARGE = 4096
/** Bytes below which a loop is faster than a call. */
const TINY = 16
/** Bytes of memory for small pieces: the first, and the largest. */
const FIRST = 256
const MOST = 16_384

/**
 * Bytes that come in pieces of any size, kept in few: a million of one byte take one megabyte, and not a
 * hundred.
 */
export class Pieces {
  #whole: Uint8Array[] = []
  /** Memory for small pieces, used up to `#used`. */
  #room: Uint8Array = EMPTY
  #used = 0
  #size = 0
  #length = 0

  /** Bytes of them all. */
  get length(): number {
    return this.#length
  }

  /** Appends a piece. A large one must not change as long as it is here. */
  add(piece: Uint8Array): void {
    if (piece.length < LARGE) {
      this.append(piece, 0, piece.length)
      return
    }
    this.#length += piece.length
    this.#close()
    this.#whole.push(piece)
  }

  /** The same with a piece that nothing else changes: the first one stays as it is. */
  adopt(piece: Uint8Array): void {
    if (this.#length > 0 || piece.length === 0) this.add(piece)
    else {
      this.#length = piece.length
      this.#whole.push(piece)
    }
  }

  /** Appends a copy of what lies from `start` to before `end`. */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.#length += end - start
    for (let at = start; at < end; ) {
      if (this.#used === this.#room.length) this.#grow()
      const stop = Math.min(end, at + this.#room.length - this.#used)
      if (stop - at < TINY) while (at < stop) this.#room[this.#used++] = bytes[at++] as number
      else {
        this.#room.set(bytes.subarray(at, stop), this.#used)
        this.#used += stop - at
        at = stop
      }
    }
  }

  /** Gives all of it away, in as few pieces as there are. */
  take(): readonly Uint8Array[] {
    this.#close()
    const taken = this.#whole
    this.clear()
    return taken
  }

  /** The same in one piece, which is the caller's, to be handed on with its memory: so never EMPTY. */
  takeWhole(): Uint8Array {
    const taken = this.take()
    if (taken.length === 0) return new Uint8Array(0)
    return taken.length === 1 ? taken[0]! : concat(...taken)
  }

  /** A copy of all of it. */
  copy(): Uint8Array {
    return concat(...this.#whole, this.#room.subarray(0, this.#used))
  }

  /** Forgets everything. */
  clear(): void {
    this.#whole = []
    this.#room = EMPTY
    this.#used = 0
    this.#size = 0
    this.#length = 0
  }

  #grow(): void {
    this.#close()
    this.#size = Math.min(Math.max(2 * this.#size, FIRST), MOST)
    this.#room = new Uint8Array(this.#size)
  }

  #close(): void {
    if (this.#used === 0) return
    this.#whole.push(this.#room.subarray(0, this.#used))
    this.#room = this.#room.subarray(this.#used)
    this.#used = 0
  }
}
