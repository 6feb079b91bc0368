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

/** How long each timer runs, in milliseconds; 0: for ever. */
export type TimerSettings = Readonly<Record<TimerName, number>>

/** What is waited for unless told otherwise. */
export const DEFAULT_TIMERS: TimerSettings = {
  headers: 10_000,
  'request-body': 30_000,
  'keep-alive': 30_000,
  handler: 60_000,
  container: 5000,
}

/** The longest setting: what {@link timersLeft} can carry. */
export const LONGEST_TIMER = 2 ** 32 - 1

/** The timers of a connection, or of one of its streams, as a value: those that run, and the time they have left. */
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

/**
 * The timers of one connection, or of one request. It neither knows what time it is nor wakes anybody: every `now` is milliseconds of one
 * clock that does not go back, and whoever owns it asks {@link expired}. Another process's clock may be another one, so timers travel as
 * time left.
 */
export class HttpTimers {
  readonly #settings: TimerSettings
  /** By name: when it runs out; Infinity: it does not run. */
  readonly #deadlines: Record<TimerName, number> = {
    headers: Infinity,
    'request-body': Infinity,
    'keep-alive': Infinity,
    handler: Infinity,
    container: Infinity,
  }

  /** @param left what {@link export} gave elsewhere: those timers go on from `now` */
  constructor(settings: TimerSettings = DEFAULT_TIMERS, left?: TimersLeft, now = 0) {
    this.#settings = settings
    for (const one of left?.running ?? []) this.#deadlines[one.name] = now + one.left
  }

  /** Starts a timer, or starts it anew. */
  start(name: TimerName, now: number): void {
    const setting = this.#settings[name]
    this.#deadlines[name] = setting > 0 ? now + setting : Infinity
  }

  /** Starts a timer unless it runs: what has begun is not prolonged by going on slowly. */
  begin(name: TimerName, now: number): void {
    if (this.#deadlines[name] === Infinity) this.start(name, now)
  }

  /** Starts a timer anew if it runs. */
  prolong(name: TimerName, now: number): void {
    if (this.#deadlines[name] !== Infinity) this.start(name, now)
  }

  stop(name: TimerName): void {
    this.#deadlines[name] = Infinity
  }

  stopAll(): void {
    for (const name of TIMER_NAMES) this.#deadlines[name] = Infinity
  }

  running(name: TimerName): boolean {
    return this.#deadlines[name] !== Infinity
  }

  /** The timer that ran out first, by `now`; undefined if none has. It goes on counting as expired until it is stopped or started. */
  expired(now: number): TimerName | undefined {
    const name = this.#first()
    return name !== undefined && this.#deadlines[name] <= now ? name : undefined
  }

  /** Milliseconds until the first timer runs out, 0 if one has; undefined if none runs. */
  next(now: number): number | undefined {
    const name = this.#first()
    return name === undefined ? undefined : Math.max(0, this.#deadlines[name] - now)
  }

  /** Those that run, with the time that they have left. */
  export(now: number): TimersLeft {
    const running = TIMER_NAMES.filter(name => this.running(name)).map(name => ({
      name,
      left: Math.min(LONGEST_TIMER, Math.max(0, Math.round(this.#deadlines[name] - now))),
    }))
    return { running }
  }

  #first(): TimerName | undefined {
    let first: TimerName | undefined
    for (const name of TIMER_NAMES) {
      if (this.#deadlines[name] < (first === undefined ? Infinity : this.#deadlines[first])) first = name
    }
    return first
  }
}

/** What the client did not do, or we did not, in the words of an answer. */
const WAITED_FOR: Readonly<Record<Exclude<TimerName, 'keep-alive'>, string>> = {
  headers: 'the request head did not come whole',
  'request-body': 'the request content stopped coming',
  handler: 'the function did not begin to answer',
  container: 'no container of the function was ready',
}

/**
 * The answer that says which timer ran out (RFC 9110, Sections 15.5.9, 15.6.4 and 15.6.5): 408 where the client was waited for, 504 for the
 * function, 503 with Retry-After where trying again may help. Its name is `headers-timeout` and so on.
 * @param milliseconds the timer's setting
 * @returns undefined for `keep-alive`: nobody asked for anything, so the connection is closed without a word
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
