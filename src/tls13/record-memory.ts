import { fresh, SmallMemory } from '../wire/index.ts'
import { MAXIMUM_CIPHERTEXT, MAXIMUM_PLAINTEXT, RECORD_HEADER_LENGTH } from './record.ts'

/**
 * Pieces of memory of one size that are used again, by any session: fresh memory for a record costs a quarter
 * of what sealing it does. What goes over the wire and what came by it is never in the same ones.
 */
export class MemoryPool {
  readonly size: number
  readonly #count: number
  readonly #kept: ArrayBuffer[] = []
  /** What has been handed out and may come back, once. */
  readonly #lent = new WeakSet<ArrayBufferLike>()

  /** @param size bytes of a piece @param count how many are kept for later */
  constructor(size: number, count: number) {
    this.size = size
    this.#count = count
  }

  /**
   * The first `length` bytes of a piece, which may hold anything; of memory of its own if a piece is too
   * small.
   */
  take(length: number): Uint8Array {
    if (length > this.size) return new Uint8Array(length)
    const buffer = this.#kept.pop() ?? new ArrayBuffer(this.size)
    this.#lent.add(buffer)
    return new Uint8Array(buffer, 0, length)
  }

  /**
   * Takes a piece back that is not used any more. What is none of ours, or came back already, is left
   * alone.
   */
  give({ buffer }: Uint8Array): void {
    // What is small is of no pool, as a rule, and known without a look.
    if (buffer.byteLength !== this.size) return
    if (this.#lent.delete(buffer) && this.#kept.length < this.#count) this.#kept.push(buffer as ArrayBuffer)
  }
}

/** Records that leave in one piece. */
export const RECORDS_AT_ONCE = 4

/** For sealed records: so many, each with more than enough for what protects it. 1 MiB at most is kept. */
export const outputMemory = new MemoryPool(RECORDS_AT_ONCE * (MAXIMUM_PLAINTEXT + 256), 16)

/** For one received record that came in parts. 256 KiB at most are kept. */
export const inputMemory = new MemoryPool(RECORD_HEADER_LENGTH + MAXIMUM_CIPHERTEXT, 16)

/** For one opened record that is large. 256 KiB at most are kept. */
export const openedMemory = new MemoryPool(MAXIMUM_CIPHERTEXT, 16)

/** For one small sealed record. */
export const smallOutput = new SmallMemory()

/** Bytes of a piece from which on it gets memory that has been used before. */
const LARGE = 8192

/** Memory for what is opened: of its own, or for a large piece used again, see {@link recycle}. */
export function ownMemory(length: number): Uint8Array {
  return length > LARGE ? openedMemory.take(length) : new Uint8Array(length)
}

/** The same, but small pieces share a block: for an owner that copies what it keeps. */
export function sharedMemory(length: number): Uint8Array {
  return length > LARGE ? openedMemory.take(length) : fresh(length)
}

/**
 * Gives memory back for later records: that of `Session.takeOutput`, once the stream has taken every byte of
 * it, and that of `application_data`, once it is not needed any more. It is optional, and makes large
 * transfers faster.
 * @param pieces must not be looked at afterwards
 */
export function recycle(pieces: readonly Uint8Array[]): void {
  for (const bytes of pieces) {
    if (smallOutput.give(bytes)) continue
    outputMemory.give(bytes)
    openedMemory.give(bytes)
  }
}
