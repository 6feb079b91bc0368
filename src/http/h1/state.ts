import { opaque, type Struct, secret, struct, uint32 } from '../../wire/index.ts'

/**
 * All that an HTTP/1 server connection is between two messages. There is nothing else: how a message is being
 * read is not state, because a connection moves only before a request is accepted, and an unaccepted request
 * is still bytes.
 */
export interface H1State {
  /** Requests answered so far. */
  requestsServed: number
  /** Received and not yet accepted: nothing, or a request, or the beginning of one, or several. */
  inbound: Uint8Array
}

/** Most bytes that {@link H1State.inbound} can carry. */
export const INBOUND_CEILING = 2 ** 24 - 1

/** {@link H1State} on the wire: 7 bytes when idle. */
export const h1State: Struct<H1State> = struct('H1State', {
  requestsServed: uint32,
  /** Secret: what clients say in it is theirs, and it may be a key. */
  inbound: secret(opaque(0, INBOUND_CEILING)),
})
