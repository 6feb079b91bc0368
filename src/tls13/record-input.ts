import { concat, EMPTY } from '../wire/index.ts'
import { type RawRecord, readRecord } from './record.ts'

/**
 * Received bytes that are no whole record yet, or have not been asked for. Fed bytes are borrowed until {@link settle}:
 * a record that is whole is opened where it lies, and only what is left over is copied.
 */
export class RecordInput {
  #bytes: Uint8Array
  #offset = 0
  #borrowed = false

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Bytes that have not been taken. */
  get length(): number {
    return this.#bytes.length - this.#offset
  }

  /** Adds bytes, which must not change until {@link settle}. */
  feed(bytes: Uint8Array): void {
    const left = this.length
    this.#bytes = left === 0 ? bytes : concat(this.#bytes.subarray(this.#offset), bytes)
    this.#borrowed = left === 0
    this.#offset = 0
  }

  /** Takes the next record, a view; undefined if it is not whole. Errors as {@link readRecord}. */
  take(protectedRecords: boolean): RawRecord | undefined {
    const record = readRecord(this.#bytes, this.#offset, protectedRecords)
    if (record !== undefined) this.#offset += record.length
    return record
  }

  /** Copies what is left, so that fed memory is its owner's again. */
  settle(): void {
    if (!this.#borrowed && this.#offset === 0) return
    this.#bytes = this.length === 0 ? EMPTY : this.copy()
    this.#offset = 0
    this.#borrowed = false
  }

  /** A copy of what is left. */
  copy(): Uint8Array {
    // not slice(): of a Buffer that would be a view
    return new Uint8Array(this.#bytes.subarray(this.#offset))
  }

  /** Forgets everything. */
  clear(): void {
    this.#bytes = EMPTY
    this.#offset = 0
    this.#borrowed = false
  }
}
