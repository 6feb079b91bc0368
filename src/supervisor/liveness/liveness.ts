/** What a process has done so far, as the kernel counts it. */
export interface Work {
  /** Milliseconds of processor time. */
  readonly processor: number
  /** Calls of the kernel that read or wrote; undefined where the supervisor may not look. */
  readonly calls: number | undefined
  /** It runs, or would if it were let: it neither sleeps nor is stopped. */
  readonly running: boolean
}

/** How it is found out that a process hangs. Milliseconds. */
export interface LivenessOptions {
  /** Between two questions. */
  readonly period: number
  /** Of silence after which a process counts as hung. */
  readonly failure: number
  /** The same for a process that shows that it is at work. */
  readonly busy: number
  /** What that process has done; undefined if that cannot be told. */
  readonly work: (id: number) => Work | undefined
  /** Milliseconds since some moment, never going back. */
  readonly now: () => number
}

/** Milliseconds of processor time in which every process that can answers. */
const ENOUGH = 1000

interface Watched {
  /** When it was last heard of. */
  readonly last: number
  /** What it had done when it was first found silent since. */
  first?: Work | undefined
  /** What it had done when it was looked at last. */
  latest?: Work | undefined
}

/**
 * Watches processes that answer when they are asked. One whose event loop does not turn any more keeps its
 * sockets, and its clients wait: that is worse than its end. But who is busy is not hung: a process that the
 * machine has hardly let run, or that goes on reading and writing, has more time; not for ever: an endless
 * loop may write, too.
 */
export class Liveness {
  readonly #options: LivenessOptions
  readonly #watched = new Map<number, Watched>()
  #looked: number

  constructor(options: LivenessOptions) {
    this.#options = options
    this.#looked = options.now()
  }

  /** That process lives: it can take work, or has said something. Only those are watched. */
  heard(id: number): void {
    this.#watched.set(id, { last: this.#options.now() })
  }

  /** That process is watched no more. */
  forget(id: number): void {
    this.#watched.delete(id)
  }

  /** To be called once a period. @returns whom to ask now, and who has been silent for too long */
  look(): { readonly ask: readonly number[]; readonly hung: readonly number[] } {
    const { now, period } = this.#options
    const time = now()
    // We were not there ourselves (a machine that slept): no process could have been heard.
    if (time - this.#looked > 2 * period) for (const id of this.#watched.keys()) this.heard(id)
    this.#looked = time
    const hung = [...this.#watched].filter(([id, one]) => this.#hangs(id, one, time)).map(([id]) => id)
    return { ask: [...this.#watched.keys()].filter(id => !hung.includes(id)), hung }
  }

  #hangs(id: number, one: Watched, time: number): boolean {
    const { period, failure, busy, work } = this.#options
    const silent = time - one.last
    // The answer to the last question is still on its way.
    if (silent <= period) return false
    const before = one.latest
    one.latest = work(id)
    one.first ??= one.latest
    if (silent <= failure) return false
    return silent > Math.max(busy, failure) || !isAtWork(one, before)
  }
}

function isAtWork({ first, latest }: Watched, before: Work | undefined): boolean {
  if (first === undefined || latest === undefined || before === undefined || !latest.running) return false
  return latest.processor - first.processor < ENOUGH || (latest.calls ?? 0) > (before.calls ?? 0)
}
