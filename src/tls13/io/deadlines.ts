import type { Duplex } from 'node:stream'

/** Milliseconds that a peer has for the handshake, unless the options say another number. */
const HANDSHAKE_TIMEOUT = 10_000
/** Milliseconds that a peer has to take our fatal alert. */
const ALERT_TIME = 1000

/** What one stream waits for, and how long. No timer of it keeps the process alive. */
export class Deadlines {
  readonly #handshake: NodeJS.Timeout | undefined
  #idle: NodeJS.Timeout | undefined

  /** @param handshake milliseconds until the handshake must be over; 0: no matter how long */
  constructor(handshake = HANDSHAKE_TIMEOUT, late: () => void) {
    if (handshake > 0) this.#handshake = setTimeout(late, handshake).unref()
  }

  /** The handshake is over. */
  connected(): void {
    clearTimeout(this.#handshake)
  }

  /** Calls `late` once when nothing has been touched for `milliseconds`; 0: never. */
  idle(milliseconds: number, late: () => void): void {
    clearTimeout(this.#idle)
    this.#idle = milliseconds > 0 ? setTimeout(late, milliseconds).unref() : undefined
  }

  /** Something came or was written. */
  touch(): void {
    this.#idle?.refresh()
  }

  stop(): void {
    clearTimeout(this.#handshake)
    clearTimeout(this.#idle)
  }

  /**
   * Ends the stream below, with time for a last alert to reach the peer: a socket that is closed with unread
   * input is reset, and takes the alert with it.
   */
  linger(stream: Duplex): void {
    const timer = setTimeout(() => stream.destroy(), ALERT_TIME).unref()
    stream.once('close', () => clearTimeout(timer))
    stream.end()
    stream.resume()
  }
}
