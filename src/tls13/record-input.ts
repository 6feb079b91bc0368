import { concat, EMPTY } from '../wire/index.ts'
import { type RawRecord, RECORD_HEADER_LENGTH, readRecord } from './record.ts'

/**
 * Received bytes that are no whole record yet, or have not been asked for. Fed bytes are borrowed until {@link settle}:
 * a record that is whole is opened where it lies. Only one that came in two parts is put together, and what is left over is copied.
 */
export class RecordInput {
  #bytes: Uint8Array
  #offset = 0
  /** What follows behind `#bytes`; it begins with a record. */
  #rest = EMPTY
  #borrowed = false

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Bytes that have not been taken. */
  get length(): number {
    return this.#bytes.length - this.#offset + this.#rest.length
  }

  /** Adds bytes, which must not change until {@link settle}. */
  feed(bytes: Uint8Array): void {
    if (this.length === 0) {
      this.#set(bytes, EMPTY, true)
      return
    }
    const left = this.#rest.length === 0 ? this.#bytes.subarray(this.#offset) : this.copy()
    const missing = missingBytes(left, bytes)
    if (missing === undefined) this.#set(concat(left, bytes), EMPTY, false)
    else this.#set(concat(left, bytes.subarray(0, missing)), bytes.subarray(missing), true)
  }

  /** Takes the next record, a view; undefined if it is not whole. Errors as {@link readRecord}. */
  take(protectedRecords: boolean): RawRecord | undefined {
    if (this.#offset === this.#bytes.length && this.#rest.length > 0) this.#set(this.#rest, EMPTY, true)
    const record = readRecord(this.#bytes, this.#offset, protectedRecords)
    if (record !== undefined) this.#offset += record.length
    return record
  }

  /** Copies what is left, so that fed memory is its owner's again. */
  settle(): void {
    if (!this.#borrowed && this.#offset === 0) return
    this.#set(this.length === 0 ? EMPTY : this.copy(), EMPTY, false)
  }

  /** A copy of what is left. */
  copy(): Uint8Array {
    // not slice(): of a Buffer that would be a view
    return concat(this.#bytes.subarray(this.#offset), this.#rest)
  }

  /** Forgets everything. */
  clear(): void {
    this.#set(EMPTY, EMPTY, false)
  }

  #set(bytes: Uint8Array, rest: Uint8Array, borrowed: boolean): void {
    this.#bytes = bytes
    this.#rest = rest
    this.#offset = 0
    this.#borrowed = borrowed
  }
}

/** How many of `bytes` complete the record that `left` is the beginning of; undefined if it is whole already, or stays incomplete. */
function missingBytes(left: Uint8Array, bytes: Uint8Array): number | undefined {
  const at = (index: number): number | undefined =>
    index < left.length ? left[index] : bytes[index - left.length]
  const [high, low] = [at(RECORD_HEADER_LENGTH - 2), at(RECORD_HEADER_LENGTH - 1)]
  if (high === undefined || low === undefined) return undefined
  const missing = RECORD_HEADER_LENGTH + ((high << 8) | low) - left.length
  return missing > 0 && missing <= bytes.length ? missing : undefined
}
