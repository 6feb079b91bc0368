import { HttpTimers, type TimerName, type TimerSettings, type TimersLeft } from '../http/timers.ts'
import { Alarm } from './alarm.ts'
import { steadyNow } from './clock.ts'
import type { Awaited, Timeout } from './timeout.ts'

/** How long one connection waits, and for what. All but `keep-alive`, which has a timer of its own: see `idle-timer.ts`. */
export class Patience {
  readonly #timers: HttpTimers
  readonly #onTime: (now: number, timer: Timeout | undefined) => void
  readonly #alarm = new Alarm(() => this.#ring())

  /**
   * @param left what {@link export} gave elsewhere
   * @param onTime told which timer has run out, or that some moment has come; `now` is milliseconds, as {@link steadyNow}
   */
  constructor(
    settings: TimerSettings,
    left: TimersLeft | undefined,
    onTime: (now: number, timer: Timeout | undefined) => void,
  ) {
    this.#timers = new HttpTimers(settings, left, steadyNow())
    this.#onTime = onTime
  }

  /** Begins to ring. */
  start(): void {
    const now = steadyNow()
    const next = this.#timers.next(now)
    if (next !== undefined) this.#alarm.by(now + next)
  }

  /** Rings no more; what was waited for is still known. */
  rest(): void {
    this.#alarm.stop()
  }

  /** From now on that is waited for, unless it is already. */
  wait(timer: Awaited): void {
    if (this.#timers.running(timer)) return
    this.#timers.start(timer, steadyNow())
    this.start()
  }

  /** It is waited for from now on anew, if it is at all. */
  prolong(timer: Awaited): void {
    if (this.#timers.running(timer)) this.#timers.start(timer, steadyNow())
  }

  /** So many bytes of a request's content have come. */
  content(bytes: number): void {
    if (!this.#timers.content(bytes, steadyNow())) this.start()
  }

  /** Milliseconds that the content may still be waited for, however slowly it comes. */
  get rate(): number {
    return this.#timers.rate(steadyNow())
  }

  /** Goes on with a request that came from elsewhere: see {@link HttpTimers.resume}. */
  resumeRate(left: number, again: number): void {
    this.#timers.resume(left, again)
  }

  /** It has come, or is of no interest. */
  stop(timer: TimerName): void {
    this.#timers.stop(timer)
  }

  stopAll(): void {
    this.#timers.stopAll()
  }

  /** Rings at that moment or before. @param at milliseconds, as {@link steadyNow} */
  wakeBy(at: number): void {
    this.#alarm.by(at)
  }

  /** What is waited for, and how much longer. */
  export(): TimersLeft {
    return this.#timers.export(steadyNow())
  }

  #ring(): void {
    const now = steadyNow()
    const timer = this.#timers.expired(now)
    if (timer !== undefined) this.#timers.stop(timer)
    this.start()
    this.#onTime(now, timer === 'keep-alive' ? undefined : timer)
  }
}
