import { equal } from '../wire/index.ts'
import { ByteMap } from './byte-map.ts'
import type { Verdict } from './control.ts'
import type { SealAssociated } from './seal.ts'

/** Milliseconds until a container that has just refused is asked again. */
export const ASK_AGAIN = 20

/** Where a session stands in its owner's hands. */
export type CustodyState = 'owned' | 'frozen' | 'gone' | 'ended'
export type CustodyEvent = 'release' | 'accepted' | 'conceded' | 'refused' | 'unsent' | 'lost' | 'expired'

/**
 * Who owns a session during a planned move. A session whose fate cannot be told is ended: it is never served
 * twice. `conceded`: the target offers it back, and so it has had it. `unsent`: the parcel never left, so the
 * target cannot have it. `lost`: the target died, or the channel to it. What is not in the table changes
 * nothing.
 */
export const CUSTODY = {
  owned: { release: 'frozen' },
  frozen: {
    accepted: 'gone',
    conceded: 'gone',
    refused: 'owned',
    unsent: 'owned',
    lost: 'ended',
    expired: 'ended',
  },
  gone: {},
  ended: {},
} as const satisfies Readonly<Record<CustodyState, Readonly<Partial<Record<CustodyEvent, CustodyState>>>>>

/** The row of a frozen session, and those of its events that lead to one state. */
type Outcomes = typeof CUSTODY.frozen
type LeadingTo<S extends CustodyState> = {
  [E in keyof Outcomes]: Outcomes[E] extends S ? E : never
}[keyof Outcomes]

type Refusal = Verdict & { readonly outcome: 'refused' }

/** How a frozen session left that state. Without a `verdict`, the target has never had it. */
export type Release =
  | { readonly state: 'gone' }
  | { readonly state: 'owned'; readonly verdict: Refusal | undefined }
  | { readonly state: 'ended'; readonly reason: LeadingTo<'ended'> }

/** A frozen session: to whom it was offered, until when an answer counts, and what to do then. */
interface Frozen {
  readonly ticket: Uint8Array
  readonly state: typeof CUSTODY.owned.release
  readonly target: number
  readonly session: SealAssociated
  deadline: number
  readonly settle: (release: Release) => void
  /** Of its parcel. */
  readonly bytes: number
}

/**
 * Milliseconds that a target has for its verdict, once the parcel has left, unless custody is told otherwise.
 * No shorter than a process may be silent that the machine hardly lets run: one that hangs is ended before.
 */
export const VERDICT_TIMEOUT = 60_000
/** Times as long a parcel may wait behind others before it leaves: its target takes one after the other. */
export const LEAVING = 6

/** The frozen sessions of one process, by the tickets of their parcels. Time is an argument. */
export class Custody {
  readonly #timeout: number
  readonly #frozen = new ByteMap<Frozen>()
  /** Of those whose verdicts are still to come. */
  readonly #conceded = new ByteMap<true>()

  #bytes = 0

  /** @param timeout milliseconds for a verdict */
  constructor(timeout = VERDICT_TIMEOUT) {
    this.#timeout = timeout
  }

  /** Sessions that wait for a verdict. */
  get size(): number {
    return this.#frozen.size
  }

  /** Bytes of their parcels. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes a frozen session into custody.
   * @param ticket unguessable: a process that knows it can speak for the target
   * @param session as it is offered
   * @param settle called exactly once
   * @param bytes of its parcel
   */
  hold(
    ticket: Uint8Array,
    target: number,
    session: SealAssociated,
    now: number,
    settle: (release: Release) => void,
    bytes = 0,
  ): void {
    const state = CUSTODY.owned.release
    this.#bytes += bytes
    this.#frozen.set(ticket, {
      ticket,
      state,
      target,
      session,
      deadline: now + this.#timeout,
      settle,
      bytes,
    })
  }

  /**
   * A target offers a session back before it has said that it has it: it has begun to serve it, and another
   * request came at once.
   * @param session as it is offered now @returns whether that session was frozen for that target; then it is
   * the target's
   */
  concede(target: number, { sessionId, generation }: SealAssociated): boolean {
    for (const frozen of this.#frozen.values()) {
      if (frozen.target !== target || !equal(frozen.session.sessionId, sessionId)) continue
      if (generation <= frozen.session.generation) return false
      this.#conceded.set(frozen.ticket, true)
      this.#on('conceded', frozen)
      return true
    }
    return false
  }

  /**
   * The target's verdict. @returns false if the ticket is of no frozen session (any more), or of one that
   * another process was offered
   */
  verdict(from: number, ticket: Uint8Array, verdict: Verdict): boolean {
    const frozen = this.#frozen.get(ticket)
    // The word comes late, and changes nothing.
    if (frozen === undefined) return this.#conceded.delete(ticket) === true
    if (frozen.target !== from) return false
    if (verdict.outcome === 'accepted') this.#on('accepted', frozen)
    else this.#on('refused', frozen, verdict)
    return true
  }

  /** The parcel waits behind others: its target cannot know of it yet. */
  waits(ticket: Uint8Array, now: number): void {
    this.#give(ticket, now + LEAVING * this.#timeout)
  }

  /** The parcel has left after all: the time for the verdict begins. */
  left(ticket: Uint8Array, now: number): void {
    this.#give(ticket, now + this.#timeout)
  }

  #give(ticket: Uint8Array, deadline: number): void {
    const frozen = this.#frozen.get(ticket)
    if (frozen !== undefined) frozen.deadline = deadline
  }

  /** The parcel never left this process. */
  unsent(ticket: Uint8Array): void {
    const frozen = this.#frozen.get(ticket)
    if (frozen !== undefined) this.#on('unsent', frozen)
  }

  /** A process has died: it is unknown whether it had accepted. */
  lost(target: number): void {
    for (const frozen of [...this.#frozen.values()]) if (frozen.target === target) this.#on('lost', frozen)
  }

  /**
   * Ends the sessions that have waited for too long.
   * @returns milliseconds until the next one will have, undefined if none waits
   */
  expire(now: number): number | undefined {
    let next: number | undefined
    for (const frozen of [...this.#frozen.values()]) {
      if (frozen.deadline > now) next = Math.min(next ?? Infinity, frozen.deadline - now)
      else if (this.#frozen.get(frozen.ticket) === frozen) this.#on('expired', frozen)
    }
    return next
  }

  /** The session leaves the state that it is in, for the one that the table names. */
  #on(event: keyof Outcomes, { ticket, state, settle, bytes }: Frozen, verdict?: Refusal): void {
    if (this.#frozen.delete(ticket) === undefined) return
    this.#bytes -= bytes
    const next = CUSTODY[state][event]
    if (next === 'gone') settle({ state: next })
    else if (next === 'owned') settle({ state: next, verdict })
    else settle({ state: next, reason: event as LeadingTo<typeof next> })
  }
}
