import type { SessionState } from './state.ts'

/** What a session was at one moment, but for what every record changes: its numbers, and what has come. */
export class Likeness {
  readonly #before: SessionState

  /** @param state stays its owner's */
  constructor(state: SessionState) {
    this.#before = { ...state }
  }

  /**
   * Whether the session differs in nothing else now: a copy of then goes on as well, if it is told the record
   * numbers and the bytes that wait to be opened.
   * @param now of the same session: parts of it that have not changed are the same objects
   */
  holds(now: SessionState): boolean {
    const before = this.#before
    if (before.inboundHandshake.length > 0 || now.inboundHandshake.length > 0) return false
    if (now.outbound.length > 0 || now.handshake.state !== 'CONNECTED') return false
    for (const name of Object.keys(now) as (keyof SessionState)[])
      if (!PASSING.has(name) && now[name] !== before[name]) return false
    return true
  }
}

/** What is said anew, or is empty. */
const PASSING: ReadonlySet<keyof SessionState> = new Set(['inboundRecords', 'inboundHandshake', 'outbound'])
