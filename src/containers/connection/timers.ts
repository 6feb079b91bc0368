import { HttpTimers, type TimerName, type TimerSettings, type TimersLeft } from '../../http/timers.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import type { Waits } from '../../transfer/extensions.ts'
import type { Guard } from '../../transport/guard.ts'
import { Rates } from './rates.ts'
import type { AwaitedTimer, Timeout } from './timeout.ts'

/** What a connection does when it has waited for long enough. */
export interface Waiting {
  /** The ringing comes through it. */
  readonly guard: Guard
  /**
   * A timer has run out, or, without one, the moment has come that {@link ConnectionTimers.wakeBy} named.
   * @param now milliseconds, as {@link Clock.steady}
   */
  onTime(now: number, timer: Timeout | undefined): void
  /** Nothing has happened for as long as `keep-alive` says. */
  onIdle(): void
}

const NONE: TimersLeft = { running: [] }
/** A moment that does not come. Small integers need no memory of their own, and most connections are idle. */
const NEVER = 0

/**
 * How long one connection waits, and for what. One timer serves: it rings at the earliest of all moments or
 * before, looks what has come due, and waits for the next. What is put off or stopped costs nothing until
 * then.
 */
export class ConnectionTimers {
  /** Of requests that were taken back. */
  readonly rates: Rates
  /** Made when the first of them runs. */
  #timers: HttpTimers | undefined
  readonly #settings: TimerSettings
  readonly #clock: Clock
  readonly #waiting: Waiting
  readonly #timer: Timer
  /** When that rings; {@link NEVER}: it is stopped. */
  #rings: number = NEVER
  /** The moment that {@link wakeBy} named. */
  #wakes: number = NEVER
  /** When the connection counts as idle. */
  #idleAt: number
  #watchesIdle = true

  /**
   * @param idleLeft milliseconds until the connection counts as idle: they travel, because clocks of
   * processes need not agree
   * @param left what {@link export} gave elsewhere
   */
  constructor(clock: Clock, settings: TimerSettings, idleLeft: number, left: Waits, waiting: Waiting) {
    const now = clock.steady()
    this.#clock = clock
    this.#waiting = waiting
    this.#timer = clock.timer(this).unref()
    this.#settings = settings
    if (left.timers.running.length > 0) this.#timers = new HttpTimers(settings, left.timers, now)
    this.rates = new Rates(left.rates)
    this.#idleAt = now + idleLeft
  }

  /** Begins to ring. */
  start(): void {
    this.#watchesIdle = true
    this.#armBy(this.#next(this.#clock.steady()))
  }

  /** Rings no more; what was waited for is still known. */
  suspend(): void {
    this.#timer.stop()
    this.#rings = NEVER
  }

  /** Milliseconds until the connection counts as idle. */
  get idleLeft(): number {
    return Math.max(0, this.#idleAt - this.#clock.steady())
  }

  /** Something has happened: the time until it counts as idle begins anew. */
  touch(): void {
    this.#idleAt = this.#clock.steady() + this.#settings['keep-alive']
  }

  /** It may be idle for as long as it likes. */
  forgetIdle(): void {
    this.#watchesIdle = false
  }

  /**
   * From now on that is waited for, unless it is already.
   * @param within milliseconds, if that is less than the timer's setting
   */
  wait(timer: AwaitedTimer, within?: number): void {
    const timers = this.#made()
    if (timers.running(timer)) return
    const now = this.#clock.steady()
    timers.start(timer, now, within)
    this.#armBy(this.#next(now))
  }

  /** So many bytes of a request's content have come. @returns false if it comes too slowly */
  content(bytes: number): boolean {
    // Where nothing was waited for, nothing is to be paid.
    return this.#timers?.content(bytes, this.#clock.steady()) ?? true
  }

  /** The one request that there is over HTTP/1.1 is taken back, with so many bytes of content. */
  withdraw(counted: number): void {
    this.rates.keep({ streamId: 0, left: this.#made().rate(this.#clock.steady()), counted })
  }

  /** It is accepted, perhaps not for the first time. */
  accept(): void {
    const rate = this.rates.take(0)
    if (rate !== undefined) this.#made().resume(rate.left, rate.counted)
  }

  /** It has come, or is of no interest. */
  stop(timer: TimerName): void {
    this.#timers?.stop(timer)
  }

  stopAll(): void {
    this.#timers?.stopAll()
  }

  /** Rings at that moment or before. @param at milliseconds, as {@link Clock.steady} */
  wakeBy(at: number): void {
    if (this.#wakes !== NEVER && at >= this.#wakes) return
    this.#wakes = at
    this.#armBy(at)
  }

  /** What is waited for, and how much longer. */
  export(): Waits {
    return { timers: this.#timers?.export(this.#clock.steady()) ?? NONE, rates: this.rates.export() }
  }

  #made(): HttpTimers {
    this.#timers ??= new HttpTimers(this.#settings)
    return this.#timers
  }

  /** Rings then or before. @param at Infinity: nothing is waited for */
  #armBy(at: number): void {
    if (at === Infinity || (this.#rings !== NEVER && at >= this.#rings)) return
    this.#rings = at
    this.#timer.at(at)
  }

  /** The earliest moment that is waited for; Infinity: none. */
  #next(now: number): number {
    let next = Infinity
    if (this.#watchesIdle) next = this.#idleAt
    if (this.#wakes !== NEVER) next = Math.min(next, this.#wakes)
    const left = this.#timers?.next(now)
    return left === undefined ? next : Math.min(next, now + left)
  }

  /** Called by the clock. */
  ring(): void {
    try {
      this.#look()
    } catch (error) {
      this.#waiting.guard.fail(error)
    }
  }

  #look(): void {
    const now = this.#clock.steady()
    this.#rings = NEVER
    const idle = this.#watchesIdle && this.#idleAt <= now
    const woken = this.#wakes !== NEVER && this.#wakes <= now
    const timer = this.#timers?.expired(now)
    if (timer !== undefined) this.#timers?.stop(timer)
    if (idle) this.#watchesIdle = false
    if (woken) this.#wakes = NEVER
    this.#armBy(this.#next(now))
    if (idle) this.#waiting.onIdle()
    if (woken || timer !== undefined) this.#waiting.onTime(now, timer === 'keep-alive' ? undefined : timer)
  }
}
