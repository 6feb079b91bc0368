import type { Clock } from '../time/clock.ts'
import type { ConnectionDescription, ControlMessage } from '../transfer/control.ts'
import { hex } from '../wire/index.ts'
import { Inquiries } from './inquiries.ts'
import type { MoveReport, Revelation } from './sessions.ts'
import type { Counters } from './status.ts'

/** Milliseconds for an answer to a status request, and to an order to move a connection. */
const STATUS_TIMEOUT = 1000
const MOVE_TIMEOUT = 30_000

/** What the supervisor asks its processes. */
export class Questions {
  readonly #tell: (id: number, message: ControlMessage) => void
  readonly #counters: Inquiries<Counters>
  readonly #lists: Inquiries<readonly ConnectionDescription[]>
  readonly #moves: Inquiries<MoveReport>
  readonly #revelations: Inquiries<Revelation>

  /** @param tell sends a message to a process */
  constructor(clock: Clock, tell: (id: number, message: ControlMessage) => void) {
    this.#tell = tell
    this.#counters = new Inquiries(clock, STATUS_TIMEOUT)
    this.#lists = new Inquiries(clock, STATUS_TIMEOUT)
    this.#moves = new Inquiries(clock, MOVE_TIMEOUT)
    this.#revelations = new Inquiries(clock, MOVE_TIMEOUT)
  }

  /** What it has counted; empty if it does not answer in time. */
  async status(id: number): Promise<Counters> {
    return (await this.#counters.ask(id, '', () => this.#tell(id, { kind: 'statusRequest' }))) ?? {}
  }

  /** The connections of a container; undefined if it does not answer in time. */
  list(id: number): Promise<readonly ConnectionDescription[] | undefined> {
    return this.#lists.ask(id, '', () => this.#tell(id, { kind: 'connectionsRequest' }))
  }

  /** Orders a container to move a connection. @returns as {@link list} */
  move(id: number, sessionId: Uint8Array, target: number): Promise<MoveReport | undefined> {
    return this.#moves.ask(id, hex(sessionId), () => this.#tell(id, { kind: 'move', sessionId, target }))
  }

  /** What a container tells of a session; with a target it moves there, too. @returns as {@link list} */
  reveal(id: number, sessionId: Uint8Array, target?: number): Promise<Revelation | undefined> {
    const ask = (): void => this.#tell(id, { kind: 'reveal', sessionId, target })
    return this.#revelations.ask(id, hex(sessionId), ask)
  }

  /** Counters have come. */
  told(from: number, counters: Counters): void {
    this.#counters.answered(from, '', counters)
  }

  /** An answer has come to one of the others. */
  answered(
    from: number,
    message: Extract<ControlMessage, { kind: 'connections' | 'moved' | 'revealed' }>,
  ): void {
    if (message.kind === 'connections') this.#lists.answered(from, '', message.connections)
    else if (message.kind === 'revealed')
      this.#revelations.answered(from, hex(message.sessionId), kept(message))
    else this.#moves.answered(from, hex(message.sessionId), message)
  }

  /** That process has ended. */
  forget(id: number): void {
    const all = [this.#counters, this.#lists, this.#moves, this.#revelations]
    for (const asked of all) asked.forget(id)
  }
}

/** The same in memory of its own: long fields of a message are views of it, and the next one lies there. */
function kept<T extends Revelation>(told: T): T {
  const { state, envelope } = told
  return { ...told, state: state && Uint8Array.from(state), envelope: envelope && Uint8Array.from(envelope) }
}
