import { equal } from '../../wire/index.ts'
import type { Consignment } from '../control.ts'

interface Arriving {
  readonly from: number
  readonly message: Consignment
  told: boolean
}

/**
 * Connections that are being taken. One may go on to another process before it has been taken to the end: its
 * sender hears of it first. Otherwise it could come back to that sender while the sender still has it.
 */
export class Arrivals {
  readonly #accept: (from: number, ticket: Uint8Array) => void
  #current: Arriving | undefined

  /** @param accept says to the sender that the connection has been taken */
  constructor(accept: (from: number, ticket: Uint8Array) => void) {
    this.#accept = accept
  }

  /** @param take undefined: it has been taken @returns why not; undefined also if it has gone on */
  take<Refusal>(from: number, message: Consignment, take: () => Refusal | undefined): Refusal | undefined {
    const before = this.#current
    const arriving = { from, message, told: false }
    this.#current = arriving
    const refusal = take()
    this.#current = before
    if (arriving.told) return undefined
    if (refusal === undefined) this.#tell(arriving)
    return refusal
  }

  /** A connection is about to be sent. */
  leaves(sessionId: Uint8Array): void {
    const arriving = this.#current
    if (arriving !== undefined && !arriving.told && equal(arriving.message.sessionId, sessionId))
      this.#tell(arriving)
  }

  #tell(arriving: Arriving): void {
    arriving.told = true
    this.#accept(arriving.from, arriving.message.ticket)
  }
}
