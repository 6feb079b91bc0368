import { ByteMap } from '../../transfer/byte-map.ts'
import type { SealAssociated } from '../../transfer/seal.ts'

/** Connections that have left whose generations are remembered; the oldest are forgotten first. */
const REMEMBERED = 8192

/** A connection that lives in a container, by its session id. */
export interface Resident {
  readonly sessionId: Uint8Array
  readonly generation: number
}

/** The connections that live in a container, each once, and the generations at which others left it. */
export class Residents<C extends Resident> {
  readonly #here = new ByteMap<C>()
  /** The generations at which connections left, by session. */
  readonly #left = new ByteMap<number>()

  get size(): number {
    return this.#here.size
  }

  [Symbol.iterator](): Iterator<C> {
    return this.#here.values()
  }

  find(sessionId: Uint8Array): C | undefined {
    return this.#here.get(sessionId)
  }

  /** Whether a connection has been here at that generation or a later one, and has gone on. */
  isOld({ sessionId, generation }: SealAssociated): boolean {
    const left = this.#left.get(sessionId)
    return left !== undefined && generation <= left
  }

  add(connection: C): void {
    this.#here.set(connection.sessionId, connection)
  }

  /**
   * @param moved to another container: this one does not take it at the same or an older generation again
   * @returns whether it was here
   */
  remove(connection: C, moved: boolean): boolean {
    const { sessionId, generation } = connection
    if (this.#here.get(sessionId) !== connection) return false
    this.#here.delete(sessionId)
    if (moved) this.#remember(sessionId, generation)
    return true
  }

  #remember(sessionId: Uint8Array, generation: number): void {
    this.#left.delete(sessionId)
    this.#left.set(sessionId, generation)
    if (this.#left.size > REMEMBERED) this.#left.dropOldest()
  }
}
