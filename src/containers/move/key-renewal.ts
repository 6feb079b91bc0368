import type { Session, SessionState } from '../../tls13/index.ts'

/**
 * The extended key update with which a container begins the life of a session here, so that what its former
 * owners knew of it opens nothing that follows (draft-ietf-tls-extended-key-update). Whether client and
 * server have agreed on such updates is in the session.
 */
export class KeyRenewal {
  /** An update whose share was made here has yet to begin. */
  #due: boolean
  /** Content has been read that its protocol did not ask for. */
  #ahead = false

  /** @param tls as it came: one that has not begun was in no other container */
  constructor(tls: SessionState | undefined) {
    this.#due = tls !== undefined && tls.handshake.state !== 'START'
  }

  /** Begins as soon as it can: after the handshake, and after an exchange that a former owner has begun. */
  begin(session: Session | undefined): void {
    if (!this.#due || session === undefined || !session.writable) return
    const updates = session.extendedKeyUpdates
    if (updates?.underway === true) return
    this.#due = false
    if (updates !== undefined) session.updateKeys(true)
  }

  /**
   * Whether a record is to be opened although its protocol wants none yet, as during a long response: the
   * peer's part of an update may be in it. Content that comes instead is waited with, one record at most.
   * @param wanted the protocol wants input
   */
  looksAhead(session: Session, wanted: boolean): boolean {
    if (wanted) this.#ahead = false
    return !this.#ahead && session.extendedKeyUpdates?.underway === true
  }

  /** Content has come. */
  content(): void {
    this.#ahead = true
  }
}
