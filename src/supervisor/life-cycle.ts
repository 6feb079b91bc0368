import type { RestartPolicy } from '../stack/spec.ts'

/**
 * Where a replica stands. `crash-looping`: it ended again and again before it was healthy; it is still tried,
 * at the slowest pace. `asleep`: it has no process because there is no work for one.
 */
export type ReplicaState =
  | 'asleep'
  | 'starting'
  | 'ready'
  | 'draining'
  | 'backing-off'
  | 'crash-looping'
  | 'ended'
export type ReplicaEvent = 'start' | 'ready' | 'drain' | 'end' | 'loop'

/**
 * The life of a replica: a place that one process after the other fills. `end`: its process has ended.
 * `loop`: that was once too often. What is not in the table changes nothing.
 */
export const LIFE_CYCLE: Readonly<
  Record<ReplicaState, Readonly<Partial<Record<ReplicaEvent, ReplicaState>>>>
> = {
  asleep: { start: 'starting', drain: 'ended' },
  starting: { ready: 'ready', drain: 'draining', end: 'backing-off', loop: 'crash-looping' },
  ready: { drain: 'draining', end: 'backing-off', loop: 'crash-looping' },
  'backing-off': { start: 'starting', drain: 'draining' },
  // A new process does not change it: only one that is ready does.
  'crash-looping': { ready: 'ready', drain: 'draining', end: 'crash-looping', loop: 'crash-looping' },
  draining: { end: 'ended', loop: 'ended' },
  ended: {},
}

/** One step in a replica's life. */
export interface Step {
  readonly from: ReplicaState
  readonly event: ReplicaEvent
  readonly to: ReplicaState
  /** How its process ended, as `SIGKILL`; undefined where none has. */
  readonly how: string | undefined
  /** Milliseconds until the next process is to start; undefined: none is, or one is running. */
  readonly delay: number | undefined
}

/** One replica's life. Time and chance are arguments. */
export class LifeCycle {
  readonly #policy: RestartPolicy
  readonly #note: (step: Step) => void
  #state: ReplicaState
  #restarts = 0
  /** Ends in a row. */
  #failures = 0
  #readyAt: number | undefined

  /** @param note is told of every step @param begins without a process, if it is `asleep` */
  constructor(
    policy: RestartPolicy,
    note: (step: Step) => void = () => {},
    begins: 'starting' | 'asleep' = 'starting',
  ) {
    this.#policy = policy
    this.#note = note
    this.#state = begins
  }

  get state(): ReplicaState {
    return this.#state
  }

  /** Processes that have ended and were to be followed by another. */
  get restarts(): number {
    return this.#restarts
  }

  /** It can be given connections, now or later. */
  get stays(): boolean {
    return this.#state !== 'draining' && this.#state !== 'ended'
  }

  /** A process has been started, after an earlier one or because there is work. */
  started(): void {
    this.#on('start')
  }

  /** Its process can work. @param now milliseconds since some moment, never going back */
  ready(now: number): void {
    this.#readyAt = now
    this.#on('ready')
  }

  /** It is to end, and is not started again. */
  drain(): void {
    this.#on('drain')
  }

  /**
   * Its process has ended.
   * @param now as in {@link ready} @param chance from 0 to 1 @param how it ended, for those who read of it
   * @returns milliseconds until the next one is to be started; undefined if none is
   */
  ended(now: number, chance: number, how?: string): number | undefined {
    const { first, most, healthyAfter, crashLoop } = this.#policy
    if (this.#readyAt !== undefined && now - this.#readyAt >= healthyAfter) this.#failures = 0
    this.#readyAt = undefined
    this.#failures++
    const looping = this.#failures >= crashLoop
    const longest = looping ? most : Math.min(most, first * 2 ** (this.#failures - 1))
    // Those that end together need not start together.
    const delay = this.stays ? Math.round(longest * (0.5 + chance / 2)) : undefined
    this.#on(looping ? 'loop' : 'end', how, delay)
    if (delay !== undefined) this.#restarts++
    return delay
  }

  #on(event: ReplicaEvent, how?: string, delay?: number): void {
    const from = this.#state
    const to = LIFE_CYCLE[from][event]
    if (to === undefined) return
    this.#state = to
    this.#note({ from, event, to, how, delay })
  }
}
