import { randomFillSync } from 'node:crypto'
import { PARCEL_TICKET_LENGTH } from '../control.ts'

/** How many are drawn at once. */
const DRAWN = 128

/** Tickets of messages that are answered: random bytes, which no other peer can guess. */
export class Tickets {
  readonly #drawn = new Uint8Array(PARCEL_TICKET_LENGTH * DRAWN)
  #left = 0

  /** A ticket that was not given before, of {@link PARCEL_TICKET_LENGTH} bytes. */
  next(): Uint8Array {
    if (this.#left === 0) {
      randomFillSync(this.#drawn)
      this.#left = DRAWN
    }
    const end = this.#left-- * PARCEL_TICKET_LENGTH
    return this.#drawn.slice(end - PARCEL_TICKET_LENGTH, end)
  }
}
