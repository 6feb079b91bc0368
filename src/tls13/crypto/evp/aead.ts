import { type AeadParameters, checkKey, checkNonce } from '../algorithms.ts'
import type { Aead, AeadAlgorithm } from '../provider.ts'
import type { Address } from './bindings.ts'
import { type Context, type Contexts, newOwner } from './contexts.ts'
import type { Libcrypto } from './libcrypto.ts'

/** An AEAD over long-lived contexts. */
export function aead(parameters: AeadParameters, libcrypto: Libcrypto, contexts: Contexts): AeadAlgorithm {
  return {
    ...parameters,
    withKey(key) {
      checkKey(parameters, key)
      return new EvpAead(parameters, libcrypto, contexts, key)
    },
  }
}

class EvpAead implements Aead {
  readonly #parameters: AeadParameters
  readonly #libcrypto: Libcrypto
  readonly #contexts: Contexts
  readonly #id = newOwner()
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
