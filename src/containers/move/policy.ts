/*
 * What becomes of a request that arrives on an HTTP/2 connection whose container does not serve it. (Over
 * HTTP/1.1 there is no question: nothing else is underway, so the connection moves.) There are three ways,
 * and a last resort.
 *
 * - Move the connection, the request unread in it. It costs what a request costs once more, and every later
 *   request for that function is at home. But functions that are at work cannot move: the connection has to
 *   be quiet.
 * - Wait for that. Functions answer in milliseconds, as a rule; new requests for this container are not held
 *   up by it.
 * - Lend the request: the container of its function works on it, and its response comes back through this
 *   one. No request waits, but it costs two copies for every request, and bodies are bounded, because they
 *   travel whole.
 * - 421 (Misdirected Request) for what cannot be lent: the client asks again on another connection (RFC 9110
 *   §15.5.20).
 *
 * The rule: a connection moves to where its requests go. It is *shared* when requests of two functions have
 * been underway at the same time for longer than the bound, or one for this function came while another
 * waited: a move would be followed by the move back. On a shared connection requests are lent, until so many
 * in a row were for one other function that it has left this one, as far as that can be known. A client that
 * asks one after the other never shares: each of its requests finds the connection quiet.
 */

import { CONTENT_BYTES } from '../../transfer/consignments/responses.ts'

/** Requests in a row for one other function after which a connection that was shared is that function's. */
export const STREAK = 8

/** Bytes of content that a request may have to be lent; it is kept whole at both ends. */
export const LOAN_BYTES = 1_048_576

/** Bytes of content that the response to a lent request may have. */
export const LENT_BYTES = 8_388_608

/**
 * Bytes that a connection may have for its client, not taken or not let out by windows yet, when it follows a
 * request. With more it counts as busy: what waits is copied and sealed at every move, and a client that does
 * not read must not make moves costly.
 */
export const CARRIED_BYTES = 65_536

/**
 * Bytes of requests that no function has begun with, of responses in their middle, and of what waits for its
 * client over HTTP/2, which go along all together when a connection moves because its container has to go or
 * it was told to; with more they are served first.
 */
export const CARRIED_REQUEST_BYTES = CONTENT_BYTES

export type Decision = 'move' | 'wait' | 'lend'

/**
 * How one connection is used, and what follows for requests that belong elsewhere. It forgets all of that
 * when it moves.
 */
export class MovePolicy {
  readonly #bound: number
  #shared = false
  #towards: string | undefined
  #streak = 0

  /** @param bound milliseconds that a request waits for the connection to become quiet */
  constructor(bound: number) {
    this.#bound = bound
  }

  /** Milliseconds that a request waits for the connection to become quiet. */
  get bound(): number {
    return this.#bound
  }

  /** A request for this container. @param waiting whether one for another function waits */
  own(waiting: boolean): void {
    this.#streak = 0
    if (waiting) this.#shared = true
  }

  /** A request for another function. */
  foreign(functionName: string): void {
    this.#streak = functionName === this.#towards ? this.#streak + 1 : 1
    this.#towards = functionName
    if (this.#streak >= STREAK) this.#shared = false
  }

  /**
   * What becomes of the requests that wait.
   * @param busy whether functions are at work for this connection
   * @param waited milliseconds that the first of them has waited
   */
  decide(busy: boolean, waited: number): Decision {
    if (this.#shared) return 'lend'
    if (!busy) return 'move'
    if (waited < this.#bound) return 'wait'
    this.#shared = true
    return 'lend'
  }
}
