import { Allowance, TINY, TINY_PIECES } from '../wire/index.ts'
import { peerError } from './alert.ts'
import type { CommonConfig } from './config.ts'

/** KeyUpdates, and records without content, that may come in a row. */
const EMPTY_LIMIT = 32
/** Tiny records that cost as much as a KeyUpdate, for which secrets are derived and an answer is sealed. */
const KEY_UPDATE_COST = 20

/** What costs us work and says nothing: a peer may send it, but not without end. */
export class Trifles {
  readonly #limit: number
  readonly #allowance: Allowance
  #inARow = 0

  constructor({ emptyLimit = EMPTY_LIMIT, tinyRecords = TINY_PIECES, now = Date.now }: CommonConfig) {
    this.#limit = emptyLimit
    this.#allowance = new Allowance(tinyRecords, now)
  }

  /**
   * A record has been opened.
   * @param waiting bytes of a handshake message that it may belong to, which are copied once more
   * @throws TlsError unexpected_message too many have hardly any content
   */
  record(length: number, waiting: number): void {
    if (length >= TINY) this.#allowance.earn(length >> 10)
    else this.#spend(1 + (waiting >> 10), 'records with hardly any content')
  }

  /** A KeyUpdate, or a record of nothing. @throws TlsError unexpected_message too many in a row, or in all */
  empty(what: 'KeyUpdates' | 'records without content'): void {
    if (++this.#inARow > this.#limit) {
      throw peerError('unexpected_message', 'too_many_trifles', `more than ${this.#limit} ${what} in a row`)
    }
    if (what === 'KeyUpdates') this.#spend(KEY_UPDATE_COST, what)
  }

  /** The peer has said something. */
  heard(): void {
    this.#inARow = 0
  }

  /** A peer that takes data from us may say as much, and may change keys as often as it needs to. */
  sent(length: number): void {
    this.#inARow = 0
    this.#allowance.earn(1 + (length >> 10))
  }

  #spend(cost: number, what: string): void {
    if (!this.#allowance.spend(cost))
      throw peerError('unexpected_message', 'too_many_trifles', `too many ${what}`)
  }
}
