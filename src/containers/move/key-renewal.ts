import type { Session, SessionEvent, SessionState } from '../../tls13/index.ts'

/** Bytes of content beyond which nothing is read ahead. */
const AHEAD = 16_384

/**
 * The extended key update with which a container begins the life of a session here, so that what its former
 * owners knew of it opens nothing that follows (draft-ietf-tls-extended-key-update). Whether client and
 * server have agreed on such updates is in the session.
 */
export class KeyRenewal {
  /** An update whose share was made here has yet to begin. */
  #due: boolean
  /** Bytes of content that have been read, and that its protocol did not ask for. */
  #ahead = 0

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
   * peer's part of an update may be in it. Content that comes instead waits, and more than a record's is not
   * read ahead.
   * @param wanted the protocol wants input
   */
  looksAhead(session: Session, wanted: boolean): boolean {
    if (wanted) this.#ahead = 0
    return this.#ahead < AHEAD && session.extendedKeyUpdates?.underway === true
  }

  /** Something has come. */
  hears(event: SessionEvent, session: Session | undefined): void {
    if (event.type === 'application_data') this.#ahead += event.data.length
    else if (event.type === 'handshake_complete' || event.type === 'extended_key_update') this.begin(session)
  }
}
