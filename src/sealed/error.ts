/** What is wrong with a bundle, or with the key for it. The message never holds a byte of a key. */
export class SealedError extends Error {
  override readonly name = 'SealedError'
  /** `malformed`: no bundle at all; `damaged`: one that has been changed; `wrong_key`: not its data key. */
  readonly reason: 'malformed' | 'damaged' | 'wrong_key'

  constructor(reason: SealedError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}
