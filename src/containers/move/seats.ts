import type { Clock, Timer } from '../../time/clock.ts'
import { type Session, SessionState } from '../../tls13/index.ts'
import { ByteMap } from '../../transfer/byte-map.ts'
import type { ByteStream, StreamHandlers } from '../../transfer/byte-stream.ts'
import type { SealAssociated } from '../../transfer/seal.ts'
import { EMPTY, wipe } from '../../wire/index.ts'

/** Seats that are kept at most: the oldest is given up for a new one. */
const MOST = 1024
/** Milliseconds that a seat is kept. */
export const KEPT = 10_000

/** Of a stream that waits for its next owner: nothing is read of it. */
const UNREAD: StreamHandlers = { bytes() {}, end() {}, error() {} }

/** What a container keeps of a connection that has gone to another one. */
export interface Seat {
  readonly sessionId: Uint8Array
  /** At which it went. */
  readonly generation: number
  /** The container that has it. */
  readonly holder: number
  /** Lifted: nothing is read of it. */
  readonly stream: ByteStream
  /** Lent, with its state: neither on a connection without TLS. */
  readonly session: Session | undefined
  readonly state: SessionState | undefined
}

/**
 * What a container keeps of connections that may come back to it: each once, for a while, and only as long as
 * the container lives that has it.
 */
export class Seats {
  readonly #clock: Clock
  readonly #timer: Timer
  /** Each with the moment at which it is given up. */
  readonly #seats = new ByteMap<{ readonly seat: Seat; readonly until: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#timer = clock.timer(() => this.#expire()).unref()
  }

  get size(): number {
    return this.#seats.size
  }

  /** Keeps one, and nothing else of the connection. There is none for it: it was here. */
  keep(seat: Seat): void {
    const { stream, state } = seat
    stream.onDrain = undefined
    stream.read(UNREAD)
    if (state !== undefined) state.inboundRecords = state.outbound = EMPTY
    if (this.#seats.size >= MOST) this.#giveUp(this.#oldest())
    this.#seats.set(seat.sessionId, { seat, until: this.#clock.steady() + KEPT })
    if (!this.#timer.armed) this.#timer.after(KEPT)
  }

  /**
   * The connection comes back.
   * @returns undefined if no seat is kept for that holder at an older generation: nothing has changed then
   */
  take(holder: number, { sessionId, generation }: SealAssociated): Seat | undefined {
    const seat = this.#seats.get(sessionId)?.seat
    if (seat === undefined || seat.holder !== holder || generation <= seat.generation) return undefined
    this.#seats.delete(sessionId)
    return seat
  }

  /** It comes back in another way, or never. @param holder only if that has it */
  drop(sessionId: Uint8Array, holder?: number): void {
    const seat = this.#seats.get(sessionId)?.seat
    if (seat !== undefined && (holder === undefined || seat.holder === holder)) this.#giveUp(seat)
  }

  /** That container is gone, and what it had with it: for the client, the connection ends. */
  gone(holder: number): void {
    for (const { seat } of [...this.#seats.values()]) if (seat.holder === holder) this.#giveUp(seat)
  }

  /** Gives up all of them. */
  clear(): void {
    for (const { seat } of [...this.#seats.values()]) this.#giveUp(seat)
    this.#timer.stop()
  }

  /** As a rule: they are in the order in which they came. */
  #oldest(): Seat {
    return this.#seats.values().next().value!.seat
  }

  #expire(): void {
    const now = this.#clock.steady()
    let next = Infinity
    for (const { seat, until } of [...this.#seats.values()]) {
      if (until <= now) this.#giveUp(seat)
      else next = Math.min(next, until)
    }
    if (next !== Infinity) this.#timer.at(next)
  }

  #giveUp(seat: Seat): void {
    this.#seats.delete(seat.sessionId)
    vacate(seat)
  }
}

/** Closes the duplicate, and forgets the keys. */
export function vacate({ stream, session, state }: Pick<Seat, 'stream' | 'session' | 'state'>): void {
  stream.destroy()
  session?.forget()
  if (state !== undefined) wipe(SessionState, state)
}
