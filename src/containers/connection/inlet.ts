import type { Session } from '../../tls13/index.ts'
import type { ByteStream, StreamError, StreamHandlers } from '../../transfer/byte-stream.ts'
import type { Guard } from '../../transport/guard.ts'
import type { Turn } from '../../transport/turn.ts'
import type { Protocol } from '../protocol/protocol.ts'
import type { Survival } from '../survival/survival.ts'

/** Bytes received ahead of what is being served, beyond which the client has to wait. */
const HIGH_WATER = 65_536

/** Who is told of what comes in: one connection. What it throws goes to its guard. */
export interface Incoming {
  readonly guard: Guard
  /** Bytes, in memory that is used again. */
  onBytes(view: Uint8Array): void
  /** The client sends no more. */
  onEnd(): void
  onBroken(error: StreamError): void
}

/** The way in from one client: out of the stream into the TLS session or, without one, into the protocol. */
export class Inlet implements StreamHandlers {
  readonly #owner: Incoming
  readonly #stream: ByteStream
  readonly #survival: Survival | undefined
  /** What the client sends may keep us busy for long: others have their turns meanwhile. */
  readonly turn: Turn
  #paused = false
  /** Bytes that have come. */
  received = 0
  /** The client sends no more, be it by FIN or by close_notify. */
  ended = false

  /** @param survival if the connection outlives this container */
  constructor(owner: Incoming, stream: ByteStream, survival: Survival | undefined, turn: Turn) {
    this.#owner = owner
    this.#stream = stream
    this.turn = turn
    this.#survival = survival
  }

  /** Starts to read. The stream tells this object: functions for each connection cost it a kilobyte. */
  read(): void {
    this.#stream.read(this)
  }

  bytes(view: Uint8Array): void {
    try {
      this.#owner.onBytes(view)
    } catch (error) {
      this.#owner.guard.fail(error)
    }
  }

  end(): void {
    try {
      this.#owner.onEnd()
    } catch (error) {
      this.#owner.guard.fail(error)
    }
  }

  error(broken: StreamError): void {
    try {
      this.#owner.onBroken(broken)
    } catch (error) {
      this.#owner.guard.fail(error)
    }
  }

  /** Bytes from the stream. */
  take(bytes: Uint8Array, session: Session | undefined, protocol: Protocol): void {
    this.turn.begin()
    this.received += bytes.length
    if (this.#survival !== undefined) this.#survival.received += bytes.length
    if (session === undefined) protocol.receive(bytes)
    else session.feed(bytes)
  }

  /** Lets the client wait while there is more than is wanted, and while others have their turns. */
  applyBackpressure(session: Session | undefined, protocol: Protocol): void {
    const waiting = protocol.buffered + (session?.buffered ?? 0)
    const full = this.turn.over || (waiting > HIGH_WATER && !protocol.wantsInput)
    if (full === this.#paused) return
    this.#paused = full
    if (full) this.#stream.pause()
    else this.#stream.resume()
  }

  /** Reads on, to drop what still comes. */
  drop(): void {
    if (this.#paused) this.#stream.resume()
  }
}
