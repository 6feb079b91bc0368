/**
 * What kind of failure it is: `connect` — no connection to the server or its proxy; `tls` — one, but no
 * secure one; `protocol` — what the server sent is no HTTP, or breaks off; `timeout` — one of the named
 * timeouts ran out; `aborted` — this side has ended it.
 */
export type ClientErrorKind = 'connect' | 'tls' | 'protocol' | 'timeout' | 'aborted'

/** The timeouts that a client has. */
export type TimeoutName = 'connect' | 'tls' | 'pool' | 'headers' | 'body' | 'total'

export interface ClientErrorDetails {
  readonly cause?: unknown
  /** With `timeout`. */
  readonly timeout?: TimeoutName
  /** What HTTP/2 says (RFC 9113 §7), where it does. */
  readonly http2Code?: number
}

/** Why there is no response, or no more of it. A TypeError, as those of `fetch` are. */
export class ClientError extends TypeError {
  override readonly name = 'ClientError'
  readonly kind: ClientErrorKind
  /** Which timeout ran out. */
  readonly timeout: TimeoutName | undefined
  /** The code of the GOAWAY or RST_STREAM that ended it. */
  readonly http2Code: number | undefined

  constructor(kind: ClientErrorKind, message: string, details: ClientErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.kind = kind
    this.timeout = details.timeout
    this.http2Code = details.http2Code
  }

  /** What the system or TLS calls it: `ECONNREFUSED`, `bad_certificate`; undefined if neither says. */
  get code(): string | undefined {
    const { code, alert } = (this.cause ?? {}) as { readonly code?: unknown; readonly alert?: unknown }
    if (typeof code === 'string') return code
    return typeof alert === 'string' ? alert : undefined
  }
}

/** The error for a timeout that ran out. */
export function timedOut(timeout: TimeoutName, milliseconds: number, what: string): ClientError {
  return new ClientError('timeout', `${what} within ${milliseconds} ms (timeouts.${timeout})`, { timeout })
}
