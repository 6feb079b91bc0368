/** What is wrong with a bundle, or with the key for it. The message never holds a byte of a key. */
export class SealedError extends Error {
  override readonly name = 'SealedError'
  /**
   * `malformed`: no bundle at all; `damaged`: one that has been changed; `wrong_key`: not its data key;
   * `wrapping_damaged`: its wrapped key has been changed, so no identity can be told to be right.
   */
  readonly reason: 'malformed' | 'damaged' | 'wrapping_damaged' | 'wrong_key'

  constructor(reason: SealedError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}
