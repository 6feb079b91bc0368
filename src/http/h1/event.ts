import type { Field, RequestHead } from '../message.ts'

/** What `next` of `H1Server` reports. */
export type H1Event =
  /** A request's head; none of its bytes is taken before it is accepted. */
  | {
      readonly type: 'request'
      readonly head: RequestHead
      readonly expectsContinue: boolean
      /** Bytes of content; undefined if it is chunked. */
      readonly bodyLength: number | undefined
      /** What the client would rather speak on this connection, as `websocket`; `upgrade` grants it. */
      readonly upgrade: string | undefined
    }
  /** A piece of content, in memory of its own. */
  | { readonly type: 'body'; readonly data: Uint8Array }
  /** The request has been read whole. */
  | { readonly type: 'end'; readonly trailers: readonly Field[] }
  /**
   * The client broke a rule or exceeded a limit. If `answerable`, one response may still be sent, and it
   * should have this status; the connection closes in any case.
   */
  | {
      readonly type: 'error'
      readonly status: number
      readonly reason: string
      readonly answerable: boolean
    }
