import { enumeration, type Struct, struct, uint8, uint32, vector } from '../wire/index.ts'
import type { Problem } from './problem.ts'

/**
 * What a connection, or a request on it, may wait for, each with one name and one setting:
 *
 * - `headers`: from the first byte of a head to its last;
 * - `request-body`: from one piece of a request's content to the next;
 * - `keep-alive`: from the end of a response, or from the beginning, to the first byte of a request;
 * - `handler`: from what has come last of a request to the head of its response;
 * - `container`: from a request's head until a container of its function is ready.
 */
export const TIMER_NAMES = ['headers', 'request-body', 'keep-alive', 'handler', 'container'] as const
export type TimerName = (typeof TIMER_NAMES)[number]

/**
 * What runs out: a timer, or the time that a client has because of the {@link MinimumRate} of a request's
 * content.
 */
export type Expiry = TimerName | 'request-rate'

/**
 * How fast a request's content has to come, on average: a byte now and then satisfies the timer
 * `request-body`, and not this. Only the time counts in which the client is waited for; it is judged when a
 * piece comes.
 */
export interface MinimumRate {
  readonly bytesPerSecond: number
  /**
   * Milliseconds that may be waited before the rate counts, and that a client which was faster may save up.
   */
  readonly grace: number
}

/** How long each timer runs, in milliseconds; 0: for ever. */
export type TimerSettings = Readonly<Record<TimerName, number>> & {
  /** Undefined: content may come as slowly as `request-body` lets it. */
  readonly rate?: MinimumRate
}

/** What is waited for by default. */
export const DEFAULT_TIMERS: TimerSettings = {
  headers: 10_000,
  'request-body': 30_000,
  'keep-alive': 30_000,
  handler: 60_000,
  container: 5000,
  rate: { bytesPerSecond: 240, grace: 30_000 },
}

/** The longest setting: what {@link timersLeft} can carry. */
export const LONGEST_TIMER = 2 ** 32 - 1

/**
 * The timers of a connection, or of one of its streams, as a value: those that run, and the time they have
 * left.
 */
export const timersLeft: Struct<TimersLeft> = struct('TimersLeft', {
  running: vector(
    struct('TimerLeft', {
      name: enumeration('TimerName', uint8, {
        headers: 0,
        'request-body': 1,
        'keep-alive': 2,
        handler: 3,
        container: 4,
      }),
      /** Milliseconds. */
      left: uint32,
    }),
    0,
    255,
  ),
})
export interface TimersLeft {
  readonly running: readonly { readonly name: TimerName; readonly left: number }[]
}

const NONE_RUNS: TimersLeft = { running: [] }

const BODY = TIMER_NAMES.indexOf('request-body')

/** Where it stands in {@link TIMER_NAMES}: to look that up in an object takes longer. */
function placeOf(name: TimerName): number {
  switch (name) {
    case 'headers':
      return 0
    case 'request-body':
      return 1
    case 'keep-alive':
      return 2
    case 'handler':
      return 3
    case 'container':
      return 4
  }
}

/**
 * The timers of one connection, or of one request. It neither knows what time it is nor wakes its owner:
 * every `now` is milliseconds of one clock that does not go back, and the owner asks {@link expired}.
 * Another process's clock may be another one, so timers travel as time left.
 */
export class HttpTimers {
  readonly #settings: TimerSettings
  /** In the order of {@link TIMER_NAMES}: when it runs out; Infinity: it does not run. */
  readonly #deadlines = [Infinity, Infinity, Infinity, Infinity, Infinity]
  /** Milliseconds that the content may still be waited for in all; negative: it comes too slowly. */
  #credit: number
  /** Since when it is waited for; Infinity: it is not. */
  #waited = Infinity
  /** Bytes of content that come a second time, because the request has moved. */
  #again = 0

  /** @param left what {@link export} gave elsewhere: those timers go on from `now` */
  constructor(settings: TimerSettings = DEFAULT_TIMERS, left?: TimersLeft, now = 0) {
    this.#settings = settings
    this.#credit = settings.rate?.grace ?? Infinity
    for (const one of left?.running ?? []) this.#deadlines[placeOf(one.name)] = now + one.left
  }

  /** Starts a timer, or starts it anew. @param within milliseconds, if that is less than its setting */
  start(name: TimerName, now: number, within = Infinity): void {
    const setting = this.#settings[name]
    this.#deadlines[placeOf(name)] = now + Math.min(within, setting > 0 ? setting : Infinity)
    if (name === 'request-body' && this.#waited === Infinity) this.#waited = now
  }

  /**
   * A piece of a request's content has come: `request-body` stops, and so many bytes are paid for. @returns
   * false if it comes too slowly
   */
  content(bytes: number, now: number): boolean {
    this.#deadlines[BODY] = Infinity
    const { rate } = this.#settings
    if (rate === undefined) return true
    const paid = Math.max(0, bytes - this.#again)
    this.#again -= bytes - paid
    const left = this.#creditAt(now) + (paid * 1000) / rate.bytesPerSecond
    this.#credit = Math.min(rate.grace, left)
    this.#waited = Infinity
    return left >= 0
  }

  /**
   * Milliseconds that a request's content may still be waited for, to go on elsewhere with {@link resume}.
   */
  rate(now: number): number {
    return Math.min(LONGEST_TIMER, Math.max(0, Math.round(this.#creditAt(now))))
  }

  #creditAt(now: number): number {
    return this.#waited === Infinity ? this.#credit : this.#credit - Math.max(0, now - this.#waited)
  }

  /**
   * Goes on with a request from elsewhere. @param again bytes of its content that have been counted there and
   * come once more
   */
  resume(left: number, again: number): void {
    this.#credit = Math.min(this.#credit, left)
    this.#again = again
  }

  /** Starts a timer unless it runs: what has begun is not prolonged by going on slowly. */
  begin(name: TimerName, now: number): void {
    if (!this.running(name)) this.start(name, now)
  }

  stop(name: Expiry): void {
    // A client that was told that its content comes too slowly is not told again.
    if (name === 'request-rate') this.#credit = Math.max(0, this.#credit)
    else this.#deadlines[placeOf(name)] = Infinity
    if (name === 'request-body') this.#waited = Infinity
  }

  /** Nothing is waited for any more: the next request begins anew. */
  stopAll(): void {
    for (let i = 0; i < TIMER_NAMES.length; i++) this.#deadlines[i] = Infinity
    this.#waited = Infinity
    this.#credit = this.#settings.rate?.grace ?? Infinity
    this.#again = 0
  }

  running(name: TimerName): boolean {
    return this.#deadlines[placeOf(name)] !== Infinity
  }

  /**
   * The timer that ran out first, by `now`; undefined if none has. It goes on counting as expired until it is
   * stopped or started.
   */
  expired(now: number): Expiry | undefined {
    const name = this.#first()
    return name !== undefined && this.#deadline(name) <= now ? name : undefined
  }

  /** Milliseconds until the first timer runs out, 0 if one has; undefined if none runs. */
  next(now: number): number | undefined {
    const name = this.#first()
    return name === undefined ? undefined : Math.max(0, this.#deadline(name) - now)
  }

  /** Those that run, with the time that they have left. */
  export(now: number): TimersLeft {
    if (!TIMER_NAMES.some(name => this.running(name))) return NONE_RUNS
    const running = TIMER_NAMES.filter(name => this.running(name)).map(name => ({
      name,
      left: Math.min(LONGEST_TIMER, Math.max(0, Math.round(this.#deadline(name) - now))),
    }))
    return { running }
  }

  #deadline(name: Expiry): number {
    return name === 'request-rate' ? Number.NEGATIVE_INFINITY : this.#deadlines[placeOf(name)]!
  }

  #first(): Expiry | undefined {
    if (this.#credit < 0) return 'request-rate'
    let first: number | undefined
    for (let i = 0; i < TIMER_NAMES.length; i++) {
      if (this.#deadlines[i]! < (first === undefined ? Infinity : this.#deadlines[first]!)) first = i
    }
    return first === undefined ? undefined : TIMER_NAMES[first]
  }
}

/** What a served connection tells the timers of its requests, by whatever clock they go. */
export interface RequestTimers {
  /**
   * Begins to wait, unless that is waited for already.
   * @param within milliseconds, if that is less than the timer's setting
   */
  wait(name: TimerName, within?: number): void
  stop(name: TimerName): void
  stopAll(): void
  /** So many bytes of a request's content have come. @returns false if it comes too slowly */
  content(bytes: number): boolean
  /** A request is accepted. */
  accept(): void
}

/** {@link RequestTimers} of a clock, for an owner that asks now and then what has {@link expired}. */
export class ClockTimers implements RequestTimers {
  readonly #timers: HttpTimers
  readonly #now: () => number

  /** @param now milliseconds of a clock that only goes forward */
  constructor(settings: TimerSettings, now: () => number) {
    this.#timers = new HttpTimers(settings)
    this.#now = now
  }

  wait(name: TimerName, within?: number): void {
    if (!this.#timers.running(name)) this.#timers.start(name, this.#now(), within)
  }

  stop(name: Expiry): void {
    this.#timers.stop(name)
  }

  stopAll(): void {
    this.#timers.stopAll()
  }

  content(bytes: number): boolean {
    return this.#timers.content(bytes, this.#now())
  }

  accept(): void {}

  /** What has run out; it is not waited for any more. */
  expired(): Expiry | undefined {
    const name = this.#timers.expired(this.#now())
    if (name !== undefined) this.#timers.stop(name)
    return name
  }
}

/** What the client did not do, or we did not, in the words of an answer. */
const WAITED_FOR: Readonly<Record<Exclude<TimerName, 'keep-alive'>, string>> = {
  headers: 'the request head was not complete',
  'request-body': 'no more request content arrived',
  handler: 'the function did not start to answer',
  container: 'no container of the function was ready',
}

/**
 * The answer that says which timer ran out (RFC 9110 §15.5.9, 15.6.4 and 15.6.5): 408 where the
 * client was waited for, 504 for the function, 503 with Retry-After where trying again may help. Its name is
 * `headers-timeout` and so on.
 * @param milliseconds the timer's setting
 * @returns undefined for `keep-alive`: no request was underway, so the connection is closed without an answer
 */
export function timerProblem(timer: TimerName, milliseconds: number): Problem | undefined {
  if (timer === 'keep-alive') return undefined
  const status = timer === 'handler' ? 504 : timer === 'container' ? 503 : 408
  return {
    name: `${timer}-timeout`,
    status,
    detail: `${WAITED_FOR[timer]} within ${milliseconds / 1000} s`,
    extensions: { timer, milliseconds },
    ...(status === 503 ? { headers: [['retry-after', '1']] as const } : {}),
  }
}

/** The answer to content that comes too slowly: 408, named `request-rate-timeout`. */
export function rateProblem({ bytesPerSecond, grace }: MinimumRate): Problem {
  const slow = `at less than ${bytesPerSecond} bytes a second`
  const detail = `the request content arrived ${slow}, after ${grace / 1000} s of waiting`
  return {
    name: 'request-rate-timeout',
    status: 408,
    detail,
    extensions: { timer: 'request-rate', bytesPerSecond },
  }
}

/**
 * The answer that says what ran out; see {@link timerProblem}.
 * @param within milliseconds that the timer was given instead of its setting
 */
export function expiryProblem(expiry: Expiry, settings: TimerSettings, within?: number): Problem | undefined {
  if (expiry === 'request-rate') return rateProblem(settings.rate!)
  return timerProblem(expiry, within ?? settings[expiry])
}
