import type { ControlMessage } from '../transfer/control.ts'
import type { SessionDirectory } from '../transfer/directory.ts'
import { hex } from '../wire/index.ts'
import { type Carriage, Span } from './span.ts'
import type { Bridge } from './ways.ts'

/** A connection that waits for its verdict, or has come here. */
export interface Travelling {
  readonly span: Carriage
  readonly sessionId: string
  readonly generation: number
  /** Of this host, as the directory has it; undefined: it has left. */
  readonly directory: SessionDirectory | undefined
}

type Direction = 'leaving' | 'arriving'

/** The connections whose bytes run through this link, by what is known of where they go. */
export class Journeys {
  /** Those without a verdict, by the two that speak of them and their tickets. */
  readonly #unjudged = {
    leaving: new Map<string, Travelling>(),
    arriving: new Map<string, Travelling>(),
  } as const
  /** Those that are here, or on their way here, whose clients are with other hosts. */
  readonly #guests = new Map<Carriage, Travelling>()
  /** Those that have left, or are leaving, for another host. */
  readonly #absent = new Map<Carriage, Travelling>()

  begin(direction: Direction, bridge: Bridge, ticket: Uint8Array, travelling: Travelling): void {
    this.#unjudged[direction].set(keyOf(bridge, ticket), travelling)
    const those = direction === 'leaving' ? this.#absent : this.#guests
    those.set(travelling.span, travelling)
  }

  /** What is said of connections on their way, by the one of the two that they were offered to. */
  judged(
    direction: Direction,
    bridge: Bridge,
    message: ControlMessage,
    each: (travelling: Travelling, accepted: boolean) => void,
  ): void {
    const on = (ticket: Uint8Array, accepted: boolean): void => {
      const key = keyOf(bridge, ticket)
      const found = this.#unjudged[direction].get(key)
      if (found === undefined) return
      this.#unjudged[direction].delete(key)
      each(found, accepted)
    }
    if (message.kind === 'verdict') on(message.ticket, message.verdict.outcome === 'accepted')
    else if (message.kind === 'taken') for (const { ticket } of message.parcels) on(ticket, true)
  }

  /** It goes by another way than was meant, or has come by it. */
  becomes(old: Carriage, span: Carriage): void {
    for (const those of [this.#guests, this.#absent]) {
      const found = those.get(old)
      if (found === undefined) continue
      those.delete(old)
      those.set(span, { ...found, span })
    }
    for (const those of Object.values(this.#unjudged))
      for (const [key, one] of those) if (one.span === old) those.set(key, { ...one, span })
  }

  /** The connection that leaves by that span, and has no verdict. */
  leavingBy(span: Carriage): Travelling | undefined {
    for (const travelling of this.#unjudged.leaving.values()) if (travelling.span === span) return travelling
    return undefined
  }

  /**
   * The span by which a connection that has just come by another one has left; undefined: it comes for the
   * first time, or has been here since.
   */
  leftBefore({ span, sessionId, generation }: Travelling): Span | undefined {
    let found: Travelling | undefined
    for (const those of [this.#absent, this.#guests])
      for (const one of those.values()) {
        if (one.span === span || one.sessionId !== sessionId || one.generation > generation) continue
        if (found === undefined || one.generation > found.generation) found = one
      }
    return found?.span instanceof Span && this.#absent.has(found.span) ? found.span : undefined
  }

  /** How many spans a connection has here. */
  spansOf(sessionId: string): number {
    let count = 0
    for (const those of [this.#guests, this.#absent])
      for (const one of those.values()) if (one.sessionId === sessionId) count++
    return count
  }

  /** @returns the guest whose span that was */
  ended(span: Carriage): Travelling | undefined {
    this.#absent.delete(span)
    const guest = this.#guests.get(span)
    this.#guests.delete(span)
    for (const those of Object.values(this.#unjudged))
      for (const [key, one] of those) if (one.span === span) those.delete(key)
    return guest
  }

  /** The spans of those that have left for other hosts. */
  get absent(): Iterable<Span> {
    return [...this.#absent.keys()].filter(span => span instanceof Span)
  }

  get counts(): { readonly guests: number; readonly absent: number; readonly inCustody: number } {
    return { guests: this.#guests.size, absent: this.#absent.size, inCustody: this.#unjudged.leaving.size }
  }
}

/** A ticket counts between the two processes that speak of it. */
function keyOf({ pair }: Bridge, ticket: Uint8Array): string {
  return `${pair}/${hex(ticket)}`
}
