/** A session that a foreign format cannot carry, or bytes that are not in it. */
export class ForeignError extends Error {
  override readonly name = 'ForeignError'
}
