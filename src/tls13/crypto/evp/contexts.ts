import type { Address } from './bindings.ts'
import type { Libcrypto } from './libcrypto.ts'

/**
 * Contexts that exist at most for one cipher, about 1 KiB each: so many keys can be in use without setting
 * one anew.
 */
export const CONTEXTS = 256

/** A context of OpenSSL, and whose key it has at the moment. */
export interface Context {
  readonly address: Address
  /** See {@link newOwner}; 0: it is free. */
  owner: number
}

/**
 * The contexts of one cipher, shared by all keys: a key that is used takes one and keeps it until others need
 * it more. To set a key anew costs 0.25 µs, so they are few, and none needs to be freed when its owner
 * is forgotten.
 */
export class Contexts {
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
let lastOwner = 0

/** A number that says whose key a context has. */
export function newOwner(): number {
  return ++lastOwner
}

/** Contexts that exist, of all ciphers. */
export function contextCount(): number {
  return count
}
