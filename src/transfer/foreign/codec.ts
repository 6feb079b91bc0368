import type { SessionState } from '../../tls13/state.ts'

/**
 * How another implementation writes down a session: a codec with a name, between its bytes and our {@link
 * SessionState}.
 */
export interface ForeignCodec {
  readonly name: string
  /** What of a session its format has no place for: gone after a way there and back. */
  readonly loses: readonly string[]
  /**
   * @returns the session in that implementation's format. The state must have been given away
   * (`Session.release`): as with every export, two owners would use nonces twice
   * @throws ForeignError for a state that the format cannot carry without harm; nothing has happened
   */
  encode(state: SessionState): Uint8Array
  /** @returns a state for `Session.restore` @throws ForeignError for bytes that are no such session */
  decode(bytes: Uint8Array): SessionState
}
