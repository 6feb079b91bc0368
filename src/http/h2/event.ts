import type { Field } from '../message.ts'

/** A request's head (RFC 9113 §8.3.1). */
export interface H2Request {
  readonly method: string
  /** Empty for CONNECT without a protocol. */
  readonly scheme: string
  /** As `:authority` or, without one, Host says; empty if neither is there. */
  readonly authority: string
  /** The request target with its query; empty for CONNECT without a protocol. */
  readonly path: string
  /** What a CONNECT request asks for (RFC 8441). */
  readonly protocol: string | undefined
  /** Without pseudo-header fields; cookies joined into one field. */
  readonly headers: readonly Field[]
  /** As in `RequestHead`. */
  readonly key?: Uint8Array | undefined
}

/** What a connection reports. */
export type H2Event =
  /** Server: a request. What follows it is held back until it is accepted. */
  | ({ readonly type: 'request'; readonly streamId: number; readonly endStream: boolean } & H2Request)
  /** Client: the final response's head. */
  | {
      readonly type: 'response'
      readonly streamId: number
      readonly status: number
      readonly headers: readonly Field[]
      readonly endStream: boolean
    }
  /** Client: a 1xx response. */
  | {
      readonly type: 'informational'
      readonly streamId: number
      readonly status: number
      readonly headers: readonly Field[]
    }
  /** Content, in memory of its own. Its window is given back by `consume`. */
  | {
      readonly type: 'data'
      readonly streamId: number
      readonly data: Uint8Array
      readonly endStream: boolean
    }
  /** Trailers end a message. */
  | { readonly type: 'trailers'; readonly streamId: number; readonly headers: readonly Field[] }
  /** A stream was ended. `retryable`: the peer has done nothing with the request (§8.7). */
  | {
      readonly type: 'reset'
      readonly streamId: number
      readonly code: number
      readonly origin: 'peer' | 'local'
      readonly retryable: boolean
    }
  /** Content that was not accepted may be offered again. */
  | { readonly type: 'drain'; readonly streamId: number }
  /** The peer takes no more streams. */
  | {
      readonly type: 'goaway'
      readonly lastStreamId: number
      readonly code: number
      readonly debug: Uint8Array
    }
  /** The connection is over: send what is there, and close. */
  | { readonly type: 'error'; readonly code: number; readonly reason: string }

/** A request that has been read, or written down and read again: objects of one shape. */
export function requestEvent(
  streamId: number,
  endStream: boolean,
  { method, scheme, authority, path, protocol, headers, key }: H2Request,
): H2Event {
  return { type: 'request', streamId, endStream, method, scheme, authority, path, protocol, headers, key }
}
