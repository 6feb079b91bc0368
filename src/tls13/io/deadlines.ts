import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '../../time/clock.ts'

/** Milliseconds that a peer has for the handshake, unless the options say another number. */
const HANDSHAKE_TIMEOUT = 10_000
/** Milliseconds that a peer has to take our fatal alert. */
const ALERT_TIME = 1000

/** @throws TypeError for a handshakeTimeout that is less than nothing, or no number */
export function checkPatience(milliseconds: number | undefined): void {
  if (milliseconds !== undefined && !(milliseconds >= 0))
    throw new TypeError(`handshakeTimeout: 0 or more milliseconds, not ${milliseconds}`)
}

/** What one stream waits for, and how long. No timer of it keeps the process alive. */
export class Deadlines {
  readonly #clock: Clock
  readonly #handshake: Timer | undefined
  #idle: Timer | undefined
  /** Milliseconds that nothing may be touched. */
  #patience = 0

  /**
   * @param handshake milliseconds until the handshake must be over; 0: no matter how long
   * @throws TypeError as {@link checkPatience}
   */
  constructor(clock: Clock, handshake = HANDSHAKE_TIMEOUT, late: () => void) {
    checkPatience(handshake)
    this.#clock = clock
    if (handshake > 0) this.#handshake = clock.after(handshake, late).unref()
  }

  /** The handshake is over. */
  connected(): void {
    this.#handshake?.stop()
  }

  /** Calls `late` once when nothing has been touched for `milliseconds`; 0: never. */
  idle(milliseconds: number, late: () => void): void {
    this.#idle?.stop()
    this.#patience = milliseconds
    this.#idle = milliseconds > 0 ? this.#clock.after(milliseconds, late).unref() : undefined
  }

  /** Something came or was written. */
  touch(): void {
    this.#idle?.after(this.#patience)
  }

  stop(): void {
    this.#handshake?.stop()
    this.#idle?.stop()
    this.#idle = undefined
  }

  /**
   * Ends the stream below, with time for a last alert to reach the peer: a socket that is closed with unread
   * input is reset, and takes the alert with it.
   */
  linger(stream: Duplex): void {
    const timer = this.#clock.after(ALERT_TIME, () => stream.destroy()).unref()
    stream.once('close', () => timer.stop())
    stream.end()
    stream.resume()
  }
}
