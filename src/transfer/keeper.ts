import type { Clock, Timer } from '../time/clock.ts'
import { DecodeError } from '../wire/index.ts'
import type { SendResult } from './channel.ts'
import { decodeControl, isConsignment } from './control.ts'
import { Custody, type Release } from './custody.ts'
import type { SealAssociated } from './seal.ts'

/** Milliseconds between two looks whose time for a verdict is over. */
const LOOK = 1000

/** The frozen sessions of one process, and the clock that their time runs by. */
export class Keeper {
  readonly custody: Custody
  readonly #clock: Clock
  readonly #timer: Timer
  /** When that should ring. */
  #due = 0
  /** Milliseconds that this process was not let run while a verdict may have come. */
  #absent = 0

  /** @param timeout milliseconds for a verdict; undefined: as usual */
  constructor(clock: Clock, timeout?: number) {
    this.custody = new Custody(timeout)
    this.#clock = clock
    this.#timer = clock.timer(() => this.#look()).unref()
  }

  /** Takes a frozen session, just before its parcel of so many bytes is sent: see {@link Custody.hold}. */
  hold(
    ticket: Uint8Array,
    target: number,
    session: SealAssociated,
    settle: (release: Release) => void,
    bytes: number,
  ): void {
    this.custody.hold(ticket, target, session, this.#now(), settle, bytes)
  }

  /** What the channel has said to the parcel with that ticket. */
  sent(ticket: Uint8Array, result: SendResult): void {
    if (result === 'gone' || result === 'full') {
      this.custody.unsent(ticket)
      return
    }
    if (result === 'queued') this.custody.waits(ticket, this.#now())
    this.#watch()
  }

  /** A message that waited has left; if it is a parcel, its target can answer now. */
  left(payload: Uint8Array): void {
    const ticket = ticketOf(payload)
    if (ticket !== undefined) this.custody.left(ticket, this.#now())
  }

  /** A message that waited did not leave, or not all of it. @param started a part of it has left */
  undeliverable(payload: Uint8Array, started: boolean): void {
    const ticket = ticketOf(payload)
    // Once a part of it has left, the target may have it whole: only its verdict or its death tells.
    if (ticket !== undefined && !started) this.custody.unsent(ticket)
  }

  /** Looks no more. */
  close(): void {
    this.#timer.stop()
  }

  /** Milliseconds of a clock that stands still while this process is not let run. */
  #now(): number {
    return this.#clock.steady() - this.#absent
  }

  #watch(): void {
    if (this.#timer.armed) return
    this.#due = this.#clock.steady() + LOOK
    this.#timer.at(this.#due)
  }

  /**
   * A process that wakes up late finds its timers first, and only then the verdicts that have come meanwhile.
   */
  #look(): void {
    this.#absent += Math.max(0, this.#clock.steady() - this.#due)
    if (this.custody.expire(this.#now()) !== undefined) this.#watch()
  }
}

/** The ticket of a message of ours; undefined if it carries no connection, or is not whole. */
function ticketOf(payload: Uint8Array): Uint8Array | undefined {
  try {
    const message = decodeControl(payload)
    return isConsignment(message) ? message.ticket : undefined
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
