import { Allowance, struct, TINY, TINY_PIECES, type TypeOf, uint32 } from '../wire/index.ts'
import { peerError } from './alert.ts'
import type { CommonConfig } from './config.ts'

/** What says nothing, or means nothing. */
export type Trifle = 'KeyUpdates' | 'records without content' | 'ChangeCipherSpecs' | 'alerts user_canceled'

/** Trifles that may come in a row. */
const EMPTY_LIMIT = 32
/** Tiny records that cost as much as a KeyUpdate, for which secrets are derived and an answer is sealed. */
const KEY_UPDATE_COST = 20
/** The same for a request for an extended key update, which costs a key exchange: a hundred in a second. */
const EXCHANGE_COST = 100
const NONE = { inARow: 0, spent: 0 }

/**
 * How many have come, for the one who goes on with a session: moving forgives nothing. It stands beside the
 * session's state, because hardly any session has something to count.
 */
export const TrifleCount = struct('TrifleCount', {
  /** Trifles in a row. */
  inARow: uint32,
  /** What has been spent of the budget of tiny records. */
  spent: uint32,
})
export type TrifleCount = TypeOf<typeof TrifleCount>

/** What costs us work and says nothing: a peer may send it, but not without end. */
export class Trifles {
  readonly #limit: number
  readonly #allowance: Allowance
  #inARow: number

  /** @param count of another owner of the session */
  constructor(
    { emptyLimit = EMPTY_LIMIT, tinyRecords = TINY_PIECES, now = Date.now }: CommonConfig,
    { inARow, spent }: TrifleCount = NONE,
  ) {
    this.#limit = emptyLimit
    this.#allowance = new Allowance(tinyRecords, now, spent)
    this.#inARow = inARow
  }

  /** For another owner; undefined if there is nothing to count. */
  get count(): TrifleCount | undefined {
    const { spent } = this.#allowance
    if (this.#inARow === 0 && spent === 0) return undefined
    return { inARow: this.#inARow, spent: Math.min(Math.ceil(spent), 2 ** 32 - 1) }
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

  /** One has come. @throws TlsError unexpected_message too many in a row, or of KeyUpdates in all */
  empty(what: Trifle): void {
    if (++this.#inARow > this.#limit) {
      throw peerError('unexpected_message', 'too_many_trifles', `more than ${this.#limit} ${what} in a row`)
    }
    if (what === 'KeyUpdates') this.#spend(KEY_UPDATE_COST, what)
  }

  /**
   * A request for an extended key update. A connection that is idle may have them for ever, at its pace.
   * @throws TlsError unexpected_message too many in all
   */
  exchange(): void {
    this.#spend(EXCHANGE_COST, 'ExtendedKeyUpdates')
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
