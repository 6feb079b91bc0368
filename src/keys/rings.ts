import type { CryptoProvider } from '../tls13/crypto/provider.ts'
import { Ring, type RingOptions } from '../transfer/keys/ring.ts'

/**
 * The rings of all functions, kept for when no container of one lives. They are never mixed: what a container
 * tells goes into the ring of its own function, and it is told that one alone.
 */
export class Rings {
  readonly #byFunction: ReadonlyMap<string, Ring>

  /** @param functionNames all that there are */
  constructor(provider: CryptoProvider, options: RingOptions, functionNames: readonly string[]) {
    this.#byFunction = new Map(functionNames.map(name => [name, new Ring(provider, options)]))
  }

  /** The ring of a function, for a container of it: secret. Undefined for a function that there is not. */
  share(functionName: string): Uint8Array | undefined {
    return this.#byFunction.get(functionName)?.share()
  }

  /**
   * Takes what a container of that function knows. @returns whether there was something new in it
   * @throws DecodeError for bytes that are no ring
   */
  merge(functionName: string, bytes: Uint8Array): boolean {
    return this.#byFunction.get(functionName)?.merge(bytes) ?? false
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
