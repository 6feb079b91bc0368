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
