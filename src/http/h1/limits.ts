/** How much one peer may ask of one connection. */
export interface H1Limits {
  /**
   * Bytes of a head from the first of its start line to its empty line; also of trailers, and of chunk
   * extensions in one message.
   */
  readonly headBytes: number
  /** Field lines in a head; also in trailers. */
  readonly headerFields: number
  /** Bytes of content in one message, without the chunked framing. */
  readonly bodyBytes: number
  /** Requests on one connection; the response to the last one says `Connection: close`. */
  readonly requests: number
  /**
   * CONNECT (RFC 9110 §9.3.6) is announced as other requests are, to be granted by `upgrade`; without this it
   * is refused with 501.
   */
  readonly tunnels?: boolean
}

/** What a server allows by default. */
export const DEFAULT_LIMITS: H1Limits = {
  headBytes: 16_384,
  headerFields: 100,
  bodyBytes: 10 * 1024 * 1024,
  requests: 100,
}
