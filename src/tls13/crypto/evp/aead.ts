import { type AeadParameters, checkKey, checkNonce } from '../algorithms.ts'
import type { Aead, AeadAlgorithm } from '../provider.ts'
import type { Address, Libcrypto } from './libcrypto.ts'

/**
 * Contexts that exist at most for one cipher, about 1 KiB each: so many keys can be in use without setting
 * one anew.
 */
export const CONTEXTS = 256

/** An AEAD over long-lived contexts. @param cipher OpenSSL's name */
export function aead(parameters: AeadParameters, libcrypto: Libcrypto, cipher: string): AeadAlgorithm {
  const contexts = new Contexts(libcrypto, libcrypto.cipher(cipher))
  return {
    ...parameters,
    withKey(key) {
      checkKey(parameters, key)
      return new EvpAead(parameters, libcrypto, contexts, key)
    },
  }
}

/** A context of OpenSSL, and whose key it has at the moment. */
interface Context {
  readonly address: Address
  /** The {@link EvpAead.id}; 0: it is free. */
  owner: number
}

/**
 * The contexts of one cipher, shared by all keys: a key that is used takes one and keeps it until others need
 * it more. To set a key anew costs 0.25 µs, so they are few, and none needs to be freed when an {@link Aead}
 * is forgotten.
 */
class Contexts {
  readonly #libcrypto: Libcrypto
  readonly #cipher: Address
  readonly #all: Context[] = []
  readonly #free: Context[] = []
  #turn = 0

  constructor(libcrypto: Libcrypto, cipher: Address) {
    this.#libcrypto = libcrypto
    this.#cipher = cipher
  }

  /**
   * A context that is free, or else the one that was taken longest ago; it is the caller's once it has
   * the caller's key.
   */
  take(): Context {
    const context = this.#free.pop() ?? this.#more() ?? this.#all[this.#turn++ % this.#all.length]!
    context.owner = 0
    return context
  }

  #more(): Context | undefined {
    if (this.#all.length === CONTEXTS) return undefined
    const context: Context = { address: this.#libcrypto.newCipherContext(this.#cipher), owner: 0 }
    count++
    this.#all.push(context)
    return context
  }

  /** @param context with no key in it */
  giveBack(context: Context): void {
    this.#free.push(context)
  }
}

let count = 0
let lastId = 0

/** Contexts that exist, of all ciphers. */
export function contextCount(): number {
  return count
}

class EvpAead implements Aead {
  readonly #parameters: AeadParameters
  readonly #libcrypto: Libcrypto
  readonly #contexts: Contexts
  readonly #id = ++lastId
  #key: Uint8Array | undefined
  #context: Context | undefined

  constructor(parameters: AeadParameters, libcrypto: Libcrypto, contexts: Contexts, key: Uint8Array) {
    this.#parameters = parameters
    this.#libcrypto = libcrypto
    this.#contexts = contexts
    this.#key = new Uint8Array(key)
  }

  seal(nonce: Uint8Array, additionalData: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const sealed = new Uint8Array(plaintext.length + this.#parameters.tagLength)
    this.sealInto(nonce, additionalData, plaintext, NOTHING, sealed, 0)
    return sealed
  }

  sealInto(
    nonce: Uint8Array,
    additionalData: Uint8Array,
    plaintext: Uint8Array,
    tail: Uint8Array,
    output: Uint8Array,
    at: number,
  ): void {
    this.#libcrypto.seal(this.#begin(nonce, additionalData, true), plaintext, tail, output, at)
  }

  open(
    nonce: Uint8Array,
    additionalData: Uint8Array,
    ciphertext: Uint8Array,
    memory?: Uint8Array,
  ): Uint8Array | undefined {
    return this.#libcrypto.open(this.#begin(nonce, additionalData, false), ciphertext, memory)
  }

  wipe(): void {
    const context = this.#context
    this.#key?.fill(0)
    this.#key = undefined
    this.#context = undefined
    if (context?.owner !== this.#id) return
    context.owner = 0
    this.#libcrypto.begin(context.address, ZEROS.subarray(0, this.#parameters.keyLength), ZERO_NONCE, true)
    this.#contexts.giveBack(context)
  }

  /** A context with this key, this nonce and this additional data. */
  #begin(nonce: Uint8Array, additionalData: Uint8Array, sealing: boolean): Address {
    checkNonce(nonce)
    if (this.#key === undefined) throw new Error('this key has been wiped')
    let context = this.#context
    if (context?.owner === this.#id) this.#libcrypto.begin(context.address, undefined, nonce, sealing)
    else {
      context = this.#contexts.take()
      this.#context = context
      this.#libcrypto.begin(context.address, this.#key, nonce, sealing)
      // Not before: a context is ours when it has our key.
      context.owner = this.#id
    }
    this.#libcrypto.authenticate(context.address, additionalData)
    return context.address
  }
}

const NOTHING = new Uint8Array(0)
const ZEROS = new Uint8Array(32)
const ZERO_NONCE = new Uint8Array(12)
