import { HttpTimers, type TimerName, type TimerSettings } from '../../http/timers.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Waits } from '../../transfer/extensions.ts'
import { Alarm } from './alarm.ts'
import { Rates } from './rates.ts'
import type { AwaitedTimer, Timeout } from './timeout.ts'

/**
 * How long one connection waits, and for what. All but `keep-alive`, which has a timer of its own: see
 * `idle-timer.ts`.
 */
export class ConnectionTimers {
  /** Of requests that were taken back. */
  readonly rates: Rates
  readonly #timers: HttpTimers
  readonly #onTime: (now: number, timer: Timeout | undefined) => void
  readonly #clock: Clock
  readonly #alarm: Alarm

  /**
   * @param left what {@link export} gave elsewhere
   * @param onTime told which timer has run out, or that some moment has come; `now` is milliseconds, as
   * {@link Clock.steady}
   */
  constructor(
    clock: Clock,
    settings: TimerSettings,
    left: Waits,
    onTime: (now: number, timer: Timeout | undefined) => void,
  ) {
    this.#clock = clock
    this.#alarm = new Alarm(clock, () => this.#ring())
    this.#timers = new HttpTimers(settings, left.timers, clock.steady())
    this.rates = new Rates(left.rates)
    this.#onTime = onTime
  }

  /** Begins to ring. */
  start(): void {
    const now = this.#clock.steady()
    const next = this.#timers.next(now)
    if (next !== undefined) this.#alarm.by(now + next)
  }

  /** Rings no more; what was waited for is still known. */
  suspend(): void {
    this.#alarm.stop()
  }

  /** From now on that is waited for, unless it is already. */
  wait(timer: AwaitedTimer): void {
    if (this.#timers.running(timer)) return
    this.#timers.start(timer, this.#clock.steady())
    this.start()
  }

  /** So many bytes of a request's content have come. @returns false if it comes too slowly */
  content(bytes: number): boolean {
    return this.#timers.content(bytes, this.#clock.steady())
  }

  /** The one request that there is over HTTP/1.1 is taken back, with so many bytes of content. */
  withdraw(counted: number): void {
    this.rates.keep({ streamId: 0, left: this.#timers.rate(this.#clock.steady()), counted })
  }

  /** It is accepted, perhaps not for the first time. */
  accept(): void {
    const rate = this.rates.take(0)
    if (rate !== undefined) this.#timers.resume(rate.left, rate.counted)
  }

  /** It has come, or is of no interest. */
  stop(timer: TimerName): void {
    this.#timers.stop(timer)
  }

  stopAll(): void {
    this.#timers.stopAll()
  }

  /** Rings at that moment or before. @param at milliseconds, as {@link Clock.steady} */
  wakeBy(at: number): void {
    this.#alarm.by(at)
  }

  /** What is waited for, and how much longer. */
  export(): Waits {
    return { timers: this.#timers.export(this.#clock.steady()), rates: this.rates.export() }
  }

  #ring(): void {
    const now = this.#clock.steady()
    const timer = this.#timers.expired(now)
    if (timer !== undefined) this.#timers.stop(timer)
    this.start()
    this.#onTime(now, timer === 'keep-alive' ? undefined : timer)
  }
}
