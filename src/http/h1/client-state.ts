import { boolean, opaque, optional, type Struct, secret, struct, text, vector } from '../../wire/index.ts'
import { type H1BodyState, h1BodyState } from './body-state.ts'
import { INBOUND_CEILING } from './state.ts'

/**
 * All that a client's HTTP/1 connection is, at any byte: the requests that have no whole response yet, where
 * in the first of these responses it is, and what has come and was not looked at.
 */
export interface H1ClientState {
  readonly pending: readonly { readonly method: string; readonly upgrade: boolean; readonly last: boolean }[]
  readonly inbound: Uint8Array
  readonly body: H1BodyState | undefined
  readonly untilClose: boolean
  readonly persistent: boolean
  readonly last: boolean
}

/** {@link H1ClientState} on the wire: 9 bytes when idle. */
export const h1ClientState: Struct<H1ClientState> = struct('H1ClientState', {
  /** Requests sent and not answered whole, the first one first. */
  pending: vector(
    struct('H1Pending', {
      method: text(1, 2 ** 16 - 1),
      /** It asked for another protocol. */
      upgrade: boolean,
      /** The connection takes no request after it. */
      last: boolean,
    }),
    0,
    2 ** 16 - 1,
  ),
  /** Received and not looked at. */
  inbound: secret(opaque(0, INBOUND_CEILING)),
  /** Of the response that is being read; absent between two. */
  body: optional(h1BodyState),
  /** Its content ends with the connection. */
  untilClose: boolean,
  /** The server takes more requests, as far as it has said. */
  persistent: boolean,
  /** The last request that was sent cannot be followed by another one, or not before its response. */
  last: boolean,
})
