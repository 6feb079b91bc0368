import type { SealAssociated } from '../../transfer/seal.ts'
import { hex } from '../../wire/index.ts'

/** Connections that have left whose generations are remembered; the oldest are forgotten first. */
const REMEMBERED = 8192

/** A connection that lives in a container, by its session id in hexadecimal. */
export interface Resident {
  readonly id: string
  readonly generation: number
}

/** The connections that live in a container, each once, and the generations at which others left it. */
export class Residents<C extends Resident> {
  readonly #here = new Map<string, C>()
  /** The generations at which connections left, by session. */
  readonly #left = new Map<string, number>()

  get size(): number {
    return this.#here.size
  }

  [Symbol.iterator](): Iterator<C> {
    return this.#here.values()
  }

  /** @param id in hexadecimal */
  find(id: string): C | undefined {
    return this.#here.get(id)
  }

  /** Whether a connection has been here at that generation or a later one, and has gone on. */
  isOld({ sessionId, generation }: SealAssociated): boolean {
    const left = this.#left.get(hex(sessionId))
    return left !== undefined && generation <= left
  }

  add(connection: C): void {
    this.#here.set(connection.id, connection)
  }

  /**
   * @param moved to another container: this one does not take it at the same or an older generation again
   * @returns whether it was here
   */
  remove(connection: C, moved: boolean): boolean {
    const { id, generation } = connection
    if (this.#here.get(id) !== connection) return false
    this.#here.delete(id)
    if (moved) this.#remember(id, generation)
    return true
  }

  #remember(id: string, generation: number): void {
    this.#left.delete(id)
    this.#left.set(id, generation)
    if (this.#left.size <= REMEMBERED) return
    const [oldest] = this.#left.keys()
    this.#left.delete(oldest!)
  }
}
