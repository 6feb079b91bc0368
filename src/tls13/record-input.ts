import { concat, EMPTY } from '../wire/index.ts'
import { type RawRecord, RECORD_HEADER_LENGTH, readRecord } from './record.ts'
import { inputMemory } from './record-memory.ts'

/**
 * Bytes of an unfinished record from which on it gets room to grow; a peer that begins one and waits holds no
 * more memory than it has sent.
 */
const GROWING = 4096

/**
 * Received bytes that are no whole record yet, or have not been asked for. Fed bytes are borrowed until
 * {@link settle}: a record that is whole is opened where it lies. Only one that came in parts is put
 * together, and what is left over is copied.
 */
export class RecordInput {
  #bytes: Uint8Array
  #offset = 0
  /** What follows behind `#bytes`; it begins with a record. */
  #rest = EMPTY
  #borrowed = false
  /** A piece of the pool, at whose beginning `#bytes` are. */
  #room: Uint8Array | undefined

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
    const missing = missingBytes(left, bytes) ?? bytes.length
    this.#join(left, bytes.subarray(0, missing), bytes.subarray(missing))
  }

  /**
   * Takes the next record, a view until the next call here; undefined if it is not whole. Errors as {@link
   * readRecord}.
   */
  take(protectedRecords: boolean): RawRecord | undefined {
    if (this.#offset === this.#bytes.length && this.#rest.length > 0) this.#set(this.#rest, EMPTY, true)
    const record = readRecord(this.#bytes, this.#offset, protectedRecords)
    if (record !== undefined) this.#offset += record.length
    return record
  }

  /** Copies what is left, so that fed memory is its owner's again. */
  settle(): void {
    if (!this.#borrowed && this.#offset === 0) return
    if (this.length === 0) this.clear()
    else this.#join(this.#bytes.subarray(this.#offset), this.#rest, EMPTY)
  }

  /** A copy of what is left. */
  copy(): Uint8Array {
    if (this.length === 0) return EMPTY
    // not slice(): of a Buffer that would be a view
    return concat(this.#bytes.subarray(this.#offset), this.#rest)
  }

  /** Forgets everything. */
  clear(): void {
    this.#set(EMPTY, EMPTY, false)
  }

  /** Goes on with the two in memory of ours, where the first may be already, and `rest` behind them. */
  #join(left: Uint8Array, bytes: Uint8Array, rest: Uint8Array): void {
    const length = left.length + bytes.length
    let room = this.#room
    const inPlace = room !== undefined && left.buffer === room.buffer && left.byteOffset === 0
    if (!inPlace || length > inputMemory.size) {
      room = length < GROWING || length > inputMemory.size ? undefined : inputMemory.take(inputMemory.size)
      room?.set(left)
    }
    room?.set(bytes, left.length)
    this.#set(room?.subarray(0, length) ?? concat(left, bytes), rest, rest.length > 0, room)
  }

  #set(bytes: Uint8Array, rest: Uint8Array, borrowed: boolean, room?: Uint8Array): void {
    if (this.#room !== undefined && this.#room !== room) inputMemory.give(this.#room)
    this.#room = room
    this.#bytes = bytes
    this.#rest = rest
    this.#offset = 0
    this.#borrowed = borrowed
  }
}

/**
 * How many of `bytes` complete the record that `left` is the beginning of; undefined if it is whole already,
 * or stays incomplete.
 */
function missingBytes(left: Uint8Array, bytes: Uint8Array): number | undefined {
  const at = (index: number): number | undefined =>
    index < left.length ? left[index] : bytes[index - left.length]
  const [high, low] = [at(RECORD_HEADER_LENGTH - 2), at(RECORD_HEADER_LENGTH - 1)]
  if (high === undefined || low === undefined) return undefined
  const missing = RECORD_HEADER_LENGTH + ((high << 8) | low) - left.length
  return missing > 0 && missing <= bytes.length ? missing : undefined
}
