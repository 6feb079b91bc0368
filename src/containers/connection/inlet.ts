import type { Session } from '../../tls13/index.ts'
import type { ByteStream, StreamHandlers } from '../../transfer/byte-stream.ts'
import type { Guard } from '../../transport/guard.ts'
import type { Turn } from '../../transport/turn.ts'
import type { Protocol } from '../protocol/protocol.ts'
import type { Survival } from '../survival/survival.ts'

/** Bytes received ahead of what is being served, beyond which the client has to wait. */
const HIGH_WATER = 65_536

/** The way in from one client: out of the stream into the TLS session or, without one, into the protocol. */
export class Inlet {
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
  constructor(stream: ByteStream, survival: Survival | undefined, turn: Turn) {
    this.#stream = stream
    this.turn = turn
    this.#survival = survival
  }

  /** Starts to read. @param guard what the handlers throw goes there */
  read(guard: Guard, { bytes, end, error }: StreamHandlers): void {
    this.#stream.read({
      bytes: guard.entrance(bytes),
      end: guard.entrance(end),
      error: guard.entrance(error),
    })
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
