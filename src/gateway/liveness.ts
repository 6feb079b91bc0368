/** How it is found out that a process hangs. Milliseconds. */
export interface LivenessOptions {
  /** Between two questions. */
  readonly period: number
  /** Of silence after which a process counts as hung. */
  readonly failure: number
  /** Milliseconds since some moment, never going back. */
  readonly now: () => number
}

/**
 * Watches processes that answer when they are asked. One whose event loop does not turn any more keeps its sockets, and its clients
 * wait: that is worse than its end.
 */
export class Liveness {
  readonly #options: LivenessOptions
  /** When each was last heard of. */
  readonly #heard = new Map<number, number>()
  #looked: number

  constructor(options: LivenessOptions) {
    this.#options = options
    this.#looked = options.now()
  }

  /** That process lives: it can take work, or has said something. Only those are watched. */
  heard(id: number): void {
    this.#heard.set(id, this.#options.now())
  }

  /** That process is watched no more. */
  forget(id: number): void {
    this.#heard.delete(id)
  }

  /** To be called once a period. @returns whom to ask now, and who has been silent for too long */
  look(): { readonly ask: readonly number[]; readonly hung: readonly number[] } {
    const { now, period, failure } = this.#options
    const time = now()
    // We were not there ourselves (a machine that slept): nobody could have been heard.
    if (time - this.#looked > 2 * period) for (const id of this.#heard.keys()) this.#heard.set(id, time)
    this.#looked = time
    const hung = [...this.#heard].filter(([, last]) => time - last > failure).map(([id]) => id)
    return { ask: [...this.#heard.keys()].filter(id => !hung.includes(id)), hung }
  }
}
