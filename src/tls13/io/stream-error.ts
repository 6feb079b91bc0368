/** What went wrong with the stream below, as opposed to TLS itself (that is a `TlsError`). */
export type StreamErrorCode =
  /**
   * The stream ended, or the peer stopped in the handshake: what was read may be only a part (RFC 8446
   * §6.1).
   */
  | 'ERR_TLS_TRUNCATED'
  | 'ERR_TLS_HANDSHAKE_TIMEOUT'
  /** The stream went away before everything was written. */
  | 'ERR_TLS_STREAM_CLOSED'

export class TlsStreamError extends Error {
  override readonly name = 'TlsStreamError'
  readonly code: StreamErrorCode

  constructor(code: StreamErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** @param secure whether the handshake was over */
export function truncated(secure: boolean): TlsStreamError {
  const when = secure ? 'without close_notify' : 'during the handshake'
  return new TlsStreamError('ERR_TLS_TRUNCATED', `the stream ended ${when}`)
}
