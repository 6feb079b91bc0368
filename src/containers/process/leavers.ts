import type { Clock } from '../../time/clock.ts'
import type { Courier } from '../../transfer/courier.ts'
import type { Connection } from '../connection/connection.ts'

/** Connections that are on their way at once while a container drains. */
const WINDOW = 256
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

  /** Tells them all, as there is room. */
  begin(connections: Iterable<Connection>): void {
    this.#since ??= this.#host.clock.steady()
    this.#untold = [...connections].reverse()
    this.more()
  }

  /** One has left, or not: there may be room for others. */
  more(): void {
    const { moves } = this.#host
    while (this.#untold.length > 0 && (!moves || this.#told < this.#places))
      this.#tell(this.#untold.pop()!, moves)
  }

  /**
   * One that has been told could set out now. @returns false: it has to wait until it is told again, for want
   * of room
   */
  setsOut(connection: Connection): boolean {
    if (this.#places > 0) return true
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
    for (const { protocol } of connections) if (protocol.stays !== undefined) heldUpBy++
    const heldUpFor = heldUpBy === 0 ? 0 : Math.round(this.#host.clock.steady() - this.#since)
    return { heldUpBy, heldUpFor }
  }

  get #underway(): number {
    return this.#host.courier?.inCustody ?? 0
  }

  /** How many more may set out, if they are as large as those that are underway. */
  get #places(): number {
    const underway = this.#underway
    const bytes = this.#host.courier?.bytesInCustody ?? 0
    const mean = Math.max(1, bytes / Math.max(1, underway))
    return Math.min(WINDOW - underway, Math.ceil((WINDOW_BYTES - bytes) / mean))
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
