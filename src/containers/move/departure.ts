import type { Release } from '../../transfer/custody.ts'
import type { Envelope } from '../../transfer/envelope.ts'
import { wipeEnvelope } from '../../transfer/parcel.ts'
import type { Guard } from '../../transport/guard.ts'
import type { ConnectionHost, Frozen } from '../connection/connection-host.ts'
import type { Protocol, Refusal } from '../protocol/protocol.ts'
import type { Survival } from '../survival/survival.ts'
import type { MoveOrder } from './move-order.ts'
import { isPassing } from './offering.ts'
import { unavailable } from './unavailable.ts'

/** What a departure asks of the connection that departs. */
export interface Departing {
  readonly guard: Guard
  readonly host: Pick<ConnectionHost, 'functionName' | 'offer' | 'setsOut'>
  /** What is spoken now. */
  readonly protocol: Protocol
  /** Whether its client has taken all that it was sent, and how much it has not. */
  readonly out: { readonly blocked: boolean; readonly unsent: number }
  /** It is served here: neither on its way nor ending. */
  readonly open: boolean
  /** It is ending. */
  readonly gone: boolean
  /** Does what can be done, and departs behind that if nothing is underway. */
  pump(): void
  /** Gives the stream all that there is to say. @returns false if there is no client any more */
  flushOutput(): boolean
  /** The container that keeps a seat for it. */
  readonly home: number | undefined
  /** What makes it outlive its container; where that shares the socket, it cannot leave this host. */
  readonly survival: Pick<Survival, 'shared'> | undefined
  /**
   * Stops reading and writing, and gives everything up that another container needs.
   * @param warm what this one needs to keep a seat may stay
   */
  freeze(warm: boolean): Frozen | Promise<Frozen>
  /** Another container did not take it: it is served here again, from what was frozen. */
  resume(envelope: Envelope, refusal: Refusal | undefined): void
  /**
   * It is over for this container: another container has it, it is unknown which one has it, or its client
   * was gone before anything could be sent.
   * @param envelope what was offered; its secrets are overwritten behind this
   * @param target the container that has it
   * @returns whether they are to stay: a seat is kept
   */
  onMoved(how: 'moved' | 'unknown' | 'broken', envelope?: Envelope, target?: number): boolean
}

/** What an order is told of a connection whose fate cannot be told: it is never served twice. */
const UNTOLD = {
  lost: 'the target died before its verdict, and the source cannot tell whether it has it',
  expired: 'no verdict came, and the source cannot tell whether it has it',
} as const

/** How one connection leaves its container: when it may, to whom, and what becomes of the offer. */
export class Departure {
  readonly #owner: Departing
  #draining = false
  #leaving = false
  /** Too many others are on their way: it waits until it is told again. */
  #postponed = false
  /** An order to move that has not been carried out. */
  #order: MoveOrder | undefined
  /** The protocol holds back what would keep it here. */
  #held = false
  /** What it serves has not been begun with, or stands still, and goes along. */
  #unbegun = false
  /** What is on its way to another container. */
  #offered: Envelope | undefined

  constructor(owner: Departing) {
    this.#owner = owner
  }

  /** Whether it is to end here, because the container stops and no other one takes it. */
  get ending(): boolean {
    return this.#draining && !this.#leaving
  }

  /** What keeps it here that is to leave, or would, by its name; undefined: nothing does. */
  get stays(): string | undefined {
    const { protocol, out, open, gone } = this.#owner
    if (gone || protocol.stays !== undefined) return protocol.stays
    // All that was sealed has to leave first: frozen, it waits for nothing else.
    if (!out.blocked || (open && !this.#wanted())) return undefined
    return `what its client has yet to take (${out.unsent} bytes)`
  }

  /**
   * The container stops. @param moves to another container of this function, if one takes it; otherwise it
   * ends
   */
  drain(moves: boolean): void {
    this.#draining = true
    this.#leaving = moves
    this.#postponed = false
    if (!this.#owner.open) return
    if (moves) this.#leave()
    else this.#owner.protocol.drain()
  }

  /** The supervisor wants it in a certain container; if that does not take it, it stays. */
  moveTo(order: MoveOrder): void {
    if (this.#owner.gone) order.report('ended', 'it is already ending')
    else if (!this.#order?.open) this.#order = order
    else order.report('kept', 'it is already moving')
    this.#leave()
  }

  /** A safe point. */
  goOn(): void {
    if (this.#wanted()) this.#depart()
    else if (this.#held) this.#stay()
  }

  /** Whether it is to go at the next moment that loses nothing. */
  #wanted(): boolean {
    return (this.#leaving && !this.#postponed) || this.#order?.open === true
  }

  /** Goes, unless something is underway. */
  #depart(): void {
    const { protocol, host } = this.#owner
    const { quiet, portable } = protocol
    this.#held = true
    const why = protocol.hold(this.#leaving)
    if (why !== undefined) {
      this.#order?.report('kept', why)
      this.#stay()
    }
    if (!this.#owner.open || !(quiet || portable)) return
    if (this.#leaving && this.#order?.open !== true && host.setsOut?.(this.#owner) === false) {
      this.#postponed = true
      this.#stay()
      return
    }
    this.#unbegun = !quiet
    if (this.#leaving) {
      this.#leaving = false
      this.#order?.report('unknown')
      if (!this.#offer(host.functionName, false)) protocol.drain()
    } else if (!this.#offer(host.functionName, false, this.#order)) {
      this.#order?.report('kept', 'that container is gone')
      this.#stay()
    }
  }

  /**
   * Offers it, with the request that waits in it, to a container of that function. @returns false if there is
   * none
   */
  follow(functionName: string): boolean {
    this.#unbegun = false
    return this.#offer(functionName, true)
  }

  /** The connection has ended. */
  ended(): void {
    this.#order?.report('ended', 'its client is gone')
  }

  /** Takes back what it was held for. */
  #stay(): void {
    this.#held = false
    this.#owner.protocol.unhold()
  }

  #leave(): void {
    this.#held = true
    this.#owner.protocol.hold(this.#leaving)
    this.#owner.pump()
  }

  #offer(functionName: string, requested: boolean, order?: MoveOrder): boolean {
    this.#owner.protocol.flush()
    // Nothing moves without a client.
    if (!this.#owner.flushOutput()) return true
    const { guard, host } = this.#owner
    const wanted = requested ? functionName : undefined
    const settle = guard.entrance((release: Release, target?: number) =>
      this.#settle(release, wanted, target),
    )
    const { home, survival } = this.#owner
    const near = survival?.shared === true
    const { target: only, travels } = order ?? {}
    return host.offer(functionName, warm => this.#freeze(warm), settle, { only, home, near, travels })
  }

  #freeze(warm: boolean): Frozen | Promise<Frozen> {
    if (this.#unbegun) this.#owner.protocol.withdraw()
    this.#unbegun = false
    const frozen = this.#owner.freeze(warm)
    return frozen instanceof Promise ? frozen.then(one => this.#note(one)) : this.#note(frozen)
  }

  #note(frozen: Frozen): Frozen {
    this.#offered = frozen.envelope
    return frozen
  }

  /** What became of the offer. */
  #settle(release: Release, wanted: string | undefined, target: number | undefined): void {
    const envelope = this.#offered
    this.#offered = undefined
    if (release.state === 'gone') {
      // To another container, if a request was what made it move.
      this.#order?.report(wanted === undefined ? 'moved' : 'unknown', '', envelope?.generation)
      const kept = this.#owner.onMoved('moved', envelope, target)
      if (envelope !== undefined && !kept) wipeEnvelope(envelope)
    } else if (envelope === undefined) {
      this.#owner.onMoved('broken')
    } else if (release.state === 'ended') {
      this.#order?.report('ended', UNTOLD[release.reason])
      wipeEnvelope(envelope)
      this.#owner.onMoved('unknown')
    } else {
      // Its request waits here for the next container, as if there had been none.
      const waits = wanted === undefined || isPassing(release)
      const answer = waits ? undefined : unavailable(wanted, release.verdict ?? 'gone')
      if (wanted === undefined) this.#order?.report('kept', release.verdict?.detail ?? 'it is gone')
      this.#owner.resume(envelope, answer && { functionName: wanted!, answer })
    }
  }
}
