import { fstatSync, readSync, writeSync } from 'node:fs'
import { Encoder, equal } from '../wire/index.ts'
import type { Libc } from './native/libc.ts'
import {
  AREA_LENGTH,
  decodeArea,
  decodeHeader,
  frame,
  HEADER_LENGTH,
  SlotCheckpoint,
  SlotHeader,
  seemsDone,
} from './slot.ts'
import { Descriptor } from './stream.ts'

const PAGE = 4096
/** What is being written; nothing is kept in it between two calls. */
const scratch = new Uint8Array(AREA_LENGTH)

const HEADERS = new Encoder(SlotHeader)
const CHECKPOINTS = new Encoder(SlotCheckpoint)

/** A checkpoint that was found in a slot. */
export interface FoundCheckpoint {
  readonly sequence: number
  readonly checkpoint: SlotCheckpoint
}

/**
 * The memory that a gateway shares with one container: for each connection whose socket it has a duplicate of
 * a slot, with a header in which the container says what it has done with the connection, and room for two
 * checkpoints, written in turn: one of them is whole at any moment.
 *
 * It is read and written as a file, not mapped: so what the other one does with the file makes a call fail,
 * and ends no process.
 */
export class SlotFile {
  /** To be given to others; it stays this object's. */
  readonly descriptor: Descriptor
  readonly #fd: number
  /** How many slots it has. */
  readonly slots: number
  private constructor(descriptor: Descriptor, slots: number) {
    this.descriptor = descriptor
    this.#fd = descriptor.fd
    this.slots = slots
  }

  /**
   * Makes a file. Memory for headers is taken at once, so that no header fails for want of it; for
   * checkpoints as slots are used, and kept.
   * @throws Error the system does not have it
   */
  static create(libc: Libc, slots: number): SlotFile {
    const descriptor = Descriptor.fromFd(libc.memoryFile(sizeOf(slots)))
    try {
      writeSync(descriptor.fd, new Uint8Array(areasAt(slots)), 0, areasAt(slots), 0)
    } catch (error) {
      descriptor.close()
      throw error
    }
    return new SlotFile(descriptor, slots)
  }

  /**
   * Takes over the descriptor of the other side's file. @throws Error it is another file than it should be;
   * the descriptor is closed
   */
  static open(descriptor: Descriptor, slots: number): SlotFile {
    const { size } = fstatSync(descriptor.fd)
    if (size === sizeOf(slots)) return new SlotFile(descriptor, slots)
    descriptor.close()
    throw new Error(`a file for ${slots} slots has ${size} bytes`)
  }

  close(): void {
    this.descriptor.close()
  }

  /** @returns false if it cannot be written */
  writeHeader(slot: number, header: SlotHeader): boolean {
    const length = frame(0, HEADERS.encode(header), scratch)
    return length !== undefined && this.#write(length, this.#headerAt(slot))
  }

  /** @returns undefined if none is there, or not a whole one */
  header(slot: number): SlotHeader | undefined {
    const bytes = this.#read(this.#headerAt(slot), HEADER_LENGTH)
    return bytes && decodeHeader(bytes)
  }

  /**
   * Those of the first `count` slots whose connections seem to be over: to be looked at more closely.
   * @param inSlot the session that a slot is for now, if any; what is said of others is old
   */
  *done(count: number, inSlot: (slot: number) => Uint8Array | undefined): Iterable<number> {
    const bytes = this.#read(0, Math.min(count, this.slots) * HEADER_LENGTH)
    if (bytes === undefined) return
    for (let at = 0; at < bytes.length; at += HEADER_LENGTH) {
      const over = seemsDone(bytes, at)
      if (over === undefined) continue
      const session = inSlot(at / HEADER_LENGTH)
      if (session !== undefined && equal(over, session)) yield at / HEADER_LENGTH
    }
  }

  /**
   * Writes a checkpoint over the older one of the two.
   * @param sequence one more than that of the newer one
   * @returns false if it is too large, or cannot be written
   */
  writeCheckpoint(slot: number, sequence: number, checkpoint: SlotCheckpoint): boolean {
    const length = frame(sequence, CHECKPOINTS.encode(checkpoint), scratch)
    return length !== undefined && this.#write(length, this.#areaAt(slot, sequence))
  }

  /** The whole checkpoints in a slot, the newest first; also those of a connection that had it before. */
  checkpoints(slot: number): FoundCheckpoint[] {
    const found: FoundCheckpoint[] = []
    for (const sequence of [0, 1]) {
      const bytes = this.#read(this.#areaAt(slot, sequence), AREA_LENGTH)
      const one = bytes && decodeArea(bytes)
      if (one !== undefined) found.push(one)
    }
    return found.sort((a, b) => b.sequence - a.sequence)
  }

  #headerAt(slot: number): number {
    this.#check(slot)
    return slot * HEADER_LENGTH
  }

  #areaAt(slot: number, sequence: number): number {
    this.#check(slot)
    return areasAt(this.slots) + (2 * slot + (sequence & 1)) * AREA_LENGTH
  }

  #check(slot: number): void {
    if (!Number.isInteger(slot) || slot < 0 || slot >= this.slots) throw new RangeError(`no slot ${slot}`)
  }

  #write(length: number, position: number): boolean {
    try {
      return this.descriptor.open && writeSync(this.#fd, scratch, 0, length, position) === length
    } catch {
      // No memory, most likely. What is there shows that it is not whole.
      return false
    }
  }

  #read(position: number, length: number): Uint8Array | undefined {
    if (!this.descriptor.open) return undefined
    const bytes = new Uint8Array(length)
    try {
      return readSync(this.#fd, bytes, 0, length, position) === length ? bytes : undefined
    } catch {
      return undefined
    }
  }
}

function areasAt(slots: number): number {
  return Math.ceil((slots * HEADER_LENGTH) / PAGE) * PAGE
}

function sizeOf(slots: number): number {
  return areasAt(slots) + slots * 2 * AREA_LENGTH
}
