/**
 * Why a line that ends in LF alone is refused everywhere. RFC 9112 §2.2 lets a recipient take it; a proxy
 * before us may not, and would have read another message. People who type requests meet it.
 */
export const BARE_LF =
  'a line ends in LF alone, where HTTP/1 has CR LF (terminals send LF: openssl s_client needs -crlf)'

/** A message that breaks the rules of HTTP/1.1, or exceeds a limit. The connection cannot go on after it. */
export class H1Error extends Error {
  override readonly name = 'H1Error'
  /** The status that a server answers with (RFC 9110 §15). */
  readonly status: number

  constructor(status: number, reason: string) {
    super(reason)
    this.status = status
  }
}
