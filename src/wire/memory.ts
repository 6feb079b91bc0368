/** Lengths up to which views are kept; a longer one is made anew. */
const KEPT = 2048

/**
 * Memory for one thing at a time. A view of its first bytes is made once for each length and used again,
 * because a view costs more than what is done with most of them. A borrower has it until the next is asked
 * for.
 */
export class Scratch {
  readonly bytes: Uint8Array
  readonly #views = new Array<Uint8Array | undefined>(KEPT + 1)

  /** @param memory bytes, or how many */
  constructor(memory: Uint8Array | number) {
    this.bytes = typeof memory === 'number' ? new Uint8Array(memory) : memory
  }

  /** The first `length` bytes, borrowed; memory of its own where there are not so many. */
  first(length: number): Uint8Array {
    if (length > this.bytes.length) return new Uint8Array(length)
    if (length > KEPT) return this.bytes.subarray(0, length)
    const known = this.#views[length]
    if (known !== undefined) return known
    const view = this.bytes.subarray(0, length)
    this.#views[length] = view
    return view
  }
}

/** Bytes of a block that is cut into pieces: fresh memory for each costs three times what filling it does. */
const BLOCK = 16_384
let block = new Uint8Array(BLOCK)
/** Its buffer: to ask a view for it is a call each time. */
let { buffer } = block
let used = 0

/**
 * Memory that has not been used before, filled with zeros. A small piece is of a block, which lives as long
 * as anything of it: not for what is kept long, or is secret.
 */
export function fresh(length: number): Uint8Array {
  if (length > BLOCK / 8) return new Uint8Array(length)
  // A block that the holder of a piece has handed on, to a worker say, is gone: it has no length.
  if (used + length >= block.length) {
    block = new Uint8Array(BLOCK)
    ;({ buffer } = block)
    used = 0
  }
  const bytes = new Uint8Array(buffer, used, length)
  used += length
  return bytes
}

/** Bytes of a small piece, and how often it is missed before it counts as kept for good. */
const SMALL = 2048
const PATIENCE = 64

/**
 * One small piece that is used again and again: as a rule a record is with the kernel before the next one is
 * sealed, and a response is sealed before the next one is written. Meanwhile others get memory of their own.
 */
export class SmallMemory {
  #memory = new Scratch(SMALL)
  /** What is lent, undefined when it is here. */
  #lent: Uint8Array | undefined
  #missed = 0
  /** Doubled for each piece that never came back: where nothing does, hardly any are made. */
  #patience = PATIENCE

  /** `length` bytes, which may hold anything. */
  take(length: number): Uint8Array {
    if (length > SMALL) return fresh(length)
    if (this.#lent !== undefined) {
      if (++this.#missed < this.#patience) return fresh(length)
      this.#patience *= 2
      this.#renew()
    }
    let bytes = this.#memory.first(length)
    // Its holder has handed it on, to a worker say.
    if (bytes.length !== length) bytes = this.#renew().first(length)
    this.#lent = bytes
    return bytes
  }

  /**
   * Takes it back from where it is not used any more; what is not ours is left alone.
   * @param bytes as they were taken @returns whether they are ours
   */
  give(bytes: Uint8Array): boolean {
    if (bytes !== this.#lent) return false
    this.#lent = undefined
    this.#missed = 0
    this.#patience = PATIENCE
    return true
  }

  /** Leaves the old piece to where it is, as a stream is that waits for its client. */
  #renew(): Scratch {
    this.#memory = new Scratch(SMALL)
    this.#missed = 0
    return this.#memory
  }
}
