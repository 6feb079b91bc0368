import type { Clock } from '../../time/clock.ts'
import type { Courier } from '../../transfer/courier.ts'
import type { Connection } from '../connection/connection.ts'

/** Connections that are on their way at once while a container drains. */
const WINDOW = 256
/**
 * The same, when another one that serves something is to set out: it pauses until the other container has
 * come through all that are on their way, at up to a millisecond each.
 */
const FLOWING = 16
/** Bytes of them, beyond which none more sets out: of what waits for one peer, a channel takes 64 MiB. */
const WINDOW_BYTES = 16_777_216

/** What leavers ask of their container. */
export interface LeaversHost {
  readonly courier: Pick<Courier, 'inCustody' | 'bytesInCustody'> | undefined
  readonly clock: Pick<Clock, 'steady'>
  /** Whether another container may take them. */
  readonly moves: boolean
}

/**
 * The connections of a container that drains. Not all leave at once: each has to have its verdict in time,
 * and those that still talk want to be served meanwhile.
 */
export class Leavers {
  readonly #host: LeaversHost
  /** Those that have not been told, or found no room; the next one last. */
  #untold: Connection[] = []
  /** When the first were told; undefined: the container does not drain. */
  #since: number | undefined
  /** Connections that were told and may set out in this turn of the event loop or the next. */
  #told = 0

  constructor(host: LeaversHost) {
    this.#host = host
  }

  /** Tells them all, as there is room: first those that serve nothing, which take the least time. */
  begin(connections: Iterable<Connection>): void {
    this.#since ??= this.#host.clock.steady()
    const idle: Connection[] = []
    this.#untold = []
    for (const one of connections) (one.protocol.flowing === true ? this.#untold : idle).push(one)
    this.#untold.reverse().push(...idle.reverse())
    this.more()
  }

  /** One has left, or not: there may be room for others. */
  more(): void {
    const { moves } = this.#host
    for (;;) {
      const next = this.#untold.at(-1)
      if (next === undefined || (moves && this.#told >= this.#placesFor(next))) return
      this.#untold.pop()
      this.#tell(next, moves)
    }
  }

  /**
   * One that has been told could set out now. @returns false: it has to wait until it is told again, for want
   * of room
   */
  setsOut(connection: Connection): boolean {
    if (this.#placesFor(connection) > 0) return true
    this.#untold.unshift(connection)
    return false
  }

  /**
   * How many of them hold up the drain with what cannot move, and for how many milliseconds it has been
   * underway; 0 and 0 if none does.
   */
  heldUp(connections: Iterable<Connection>): { readonly heldUpBy: number; readonly heldUpFor: number } {
    if (this.#since === undefined) return { heldUpBy: 0, heldUpFor: 0 }
    let heldUpBy = 0
    for (const { departure } of connections) if (departure.stays !== undefined) heldUpBy++
    const heldUpFor = heldUpBy === 0 ? 0 : Math.round(this.#host.clock.steady() - this.#since)
    return { heldUpBy, heldUpFor }
  }

  get #underway(): number {
    return this.#host.courier?.inCustody ?? 0
  }

  /** How many more of its kind may set out, if they are as large as those that are underway. */
  #placesFor({ protocol }: Connection): number {
    const underway = this.#underway
    const bytes = this.#host.courier?.bytesInCustody ?? 0
    const mean = Math.max(1, bytes / Math.max(1, underway))
    const most = protocol.flowing === true ? FLOWING : WINDOW
    return Math.min(most - underway, Math.ceil((WINDOW_BYTES - bytes) / mean))
  }

  #tell(connection: Connection, moves: boolean): void {
    const before = this.#underway
    connection.drain(moves)
    // A response that freezes does so a turn later.
    if (!moves || this.#underway > before || !connection.open) return
    if (this.#told++ === 0) setImmediate(() => setImmediate(() => this.#turned()))
  }

  #turned(): void {
    this.#told = 0
    this.more()
  }
}
