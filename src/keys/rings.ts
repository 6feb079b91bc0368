import type { CryptoProvider } from '../tls13/crypto/provider.ts'
import { Ring, type RingOptions } from '../transfer/keys/ring.ts'

/**
 * The rings of all functions, kept for when no container of one lives. They are never mixed: what a container
 * tells goes into the ring of its own function, and it is told that one alone.
 */
export class Rings {
  readonly #provider: CryptoProvider
  readonly #options: RingOptions
  readonly #byFunction = new Map<string, Ring>()

  constructor(provider: CryptoProvider, options: RingOptions) {
    this.#provider = provider
    this.#options = options
  }

  /** @param functionName as the supervisor has it: there are as many rings as functions */
  #of(functionName: string): Ring {
    const known = this.#byFunction.get(functionName) ?? new Ring(this.#provider, this.#options)
    this.#byFunction.set(functionName, known)
    return known
  }

  /** The ring of a function, for a container of it: secret. */
  share(functionName: string): Uint8Array {
    return this.#of(functionName).share()
  }

  /**
   * Takes what a container of that function knows. @returns whether there was something new in it
   * @throws DecodeError for bytes that are no ring
   */
  merge(functionName: string, bytes: Uint8Array): boolean {
    return this.#of(functionName).merge(bytes)
  }

  /** Secrets that are known, of all functions together. */
  get size(): number {
    let size = 0
    for (const ring of this.#byFunction.values()) size += ring.size
    return size
  }

  /** Goes on to the present epoch, also while no container lives: what is of no use any more is wiped. */
  turn(): void {
    for (const ring of this.#byFunction.values()) ring.turn()
  }
}
