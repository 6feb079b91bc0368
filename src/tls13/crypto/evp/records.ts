import type { Allocate, Opened, RecordCipher } from '../provider.ts'
import { type Context, type Contexts, newOwner } from './contexts.ts'
import type { RecordCalls, TrafficAlgorithms } from './record-calls.ts'

/** Bytes of the key and iv of one direction, and where the iv stands among them. */
const KEYS = 48
const IV_AT = 32

/** No keys at all. */
const GONE = new Uint8Array(0)
/** Memory of keys that were wiped, for keys that follow, and how much of it is kept. */
const spare: Uint8Array[] = []
const SPARE = 64

/**
 * The records of one direction by OpenSSL: keys are derived, records sealed and opened, in one block of
 * memory that never moves, and no array is made but for what leaves it.
 */
export class EvpRecords implements RecordCipher {
  readonly #calls: RecordCalls
  readonly #algorithms: TrafficAlgorithms
  readonly #contexts: Contexts
  readonly #id = newOwner()
  #keys = spare.pop() ?? new Uint8Array(KEYS)
  #context: Context | undefined
  #wiped = false

  constructor(
    calls: RecordCalls,
    algorithms: TrafficAlgorithms,
    contexts: Contexts,
    trafficSecret: Uint8Array,
  ) {
    this.#calls = calls
    this.#algorithms = algorithms
    this.#contexts = contexts
    calls.deriveKeys(algorithms, trafficSecret, this.#keys, IV_AT)
  }

  seal(
    sequenceNumber: number,
    type: number,
    content: Uint8Array,
    padding: number,
    output: Uint8Array,
    at: number,
  ): void {
    const context = this.#begin(sequenceNumber, true)
    this.#calls.seal(context, type, content, padding, output, at)
  }

  open(
    sequenceNumber: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    allocate: Allocate,
  ): Opened | undefined {
    const context = this.#begin(sequenceNumber, false)
    return this.#calls.open(context, bytes, at, length, allocate)
  }

  wipe(): void {
    // Once: what was given back may be another key's by now.
    if (this.#wiped) return
    const context = this.#context
    const keys = this.#keys
    this.#wiped = true
    this.#keys = GONE
    keys.fill(0)
    if (spare.length < SPARE) spare.push(keys)
    this.#context = undefined
    if (context?.owner !== this.#id) return
    context.owner = 0
    this.#calls.forget(context.address, this.#algorithms.keyLength)
    this.#contexts.giveBack(context)
  }

  /** A context with this key and this record's nonce. @returns its address */
  #begin(sequenceNumber: number, sealing: boolean): number {
    if (this.#wiped) throw new Error('this key has been wiped')
    const context = this.#context
    if (context !== undefined && context.owner === this.#id) {
      this.#calls.begin(context.address, 0, this.#keys, IV_AT, sequenceNumber, sealing)
      return context.address
    }
    const taken = this.#contexts.take()
    this.#context = taken
    this.#calls.begin(taken.address, this.#algorithms.keyLength, this.#keys, IV_AT, sequenceNumber, sealing)
    // Not before: a context is ours when it has our key.
    taken.owner = this.#id
    return taken.address
  }
}
