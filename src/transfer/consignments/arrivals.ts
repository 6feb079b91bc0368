import { equal } from '../../wire/index.ts'
import type { Consignment } from '../control.ts'

interface Arriving {
  readonly from: number
  readonly message: Consignment
  told: boolean
}

/**
 * Connections that are being taken. One may go on to another process before it has been taken to the end: its
 * sender hears of it first. Otherwise it could come back to that sender while the sender still has it. Of
 * several that come in one go, their sender hears in one message.
 */
export class Arrivals {
  readonly #accept: (from: number, tickets: readonly Uint8Array[]) => void
  #current: Arriving | undefined
  /** Those that come now come in one go. */
  #gathers = false
  /** Tickets of connections that were taken, whose sender has not been told. */
  #untold: Uint8Array[] = []
  /** The sender of those. */
  #sender = 0

  /** @param accept says to the sender that connections have been taken, at least one */
  constructor(accept: (from: number, tickets: readonly Uint8Array[]) => void) {
    this.#accept = accept
  }

  /** Several messages come in one go, until {@link gathered}: what is taken may be told then. */
  gather(): void {
    this.#gathers = true
  }

  /** They have come. */
  gathered(): void {
    this.#gathers = false
    this.#flush()
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
    // It may be any of them.
    this.#flush()
  }

  #tell(arriving: Arriving): void {
    arriving.told = true
    if (this.#sender !== arriving.from) this.#flush()
    this.#sender = arriving.from
    const { ticket } = arriving.message
    // It is borrowed from its message.
    this.#untold.push(this.#gathers ? ticket.slice() : ticket)
    if (!this.#gathers) this.#flush()
  }

  #flush(): void {
    if (this.#untold.length === 0) return
    const tickets = this.#untold
    this.#untold = []
    this.#accept(this.#sender, tickets)
  }
}
