/** How many requests, and when; moments are milliseconds since the beginning of the load. */
export interface Amount {
  /** That are measured; infinite: as many as there is time for. */
  readonly requests: number
  /** In which they begin, behind the warm-up; infinite: until all have begun. */
  readonly milliseconds: number
  /** Before which nothing is measured. */
  readonly warmup: number
  /** When requests are due, whatever becomes of others; undefined: as soon as an answer has come. */
  readonly rate?: Rate | undefined
}

/** The first request is due at `phase`, and the others at distances of `every` milliseconds. */
export interface Rate {
  readonly every: number
  readonly phase: number
}

/** What a place that is free has to do. */
export type Step =
  /** A request, which was due at that moment. */
  | { readonly type: 'begin'; readonly number: number; readonly due: number; readonly measured: boolean }
  | { readonly type: 'wait'; readonly until: number }
  | { readonly type: 'over' }

const OVER: Step = { type: 'over' }

/**
 * Which request begins when, without a clock. With a rate, requests are due at moments that nothing changes
 * (an open loop). Without one, a request is due when there is a place for it (a closed loop), so that a
 * server that stalls is asked less: what it would have kept waiting is not seen ("coordinated omission").
 */
export class Pace {
  readonly #amount: Amount
  /** Requests that have begun, and those of them that are measured. */
  #begun = 0
  #measured = 0
  /** When it is broken off or its time is over. */
  #end: number

  constructor(amount: Amount) {
    this.#amount = amount
    this.#end = amount.warmup + amount.milliseconds
  }

  /** @param now never less than before */
  next(now: number): Step {
    const { requests, warmup, rate } = this.#amount
    if (this.#measured >= requests || now >= this.#end) return OVER
    const due = rate === undefined ? now : this.#dueAt(this.#begun)
    if (due >= this.#end) return OVER
    if (due > now) return { type: 'wait', until: due }
    const measured = due >= warmup
    if (measured) this.#measured++
    return { type: 'begin', number: this.#begun++, due, measured }
  }

  /** Nothing begins any more. */
  stop(now: number): void {
    this.#end = Math.min(this.#end, now)
  }

  /** When the requests were due that no place was free for, until the end. It is over. */
  *missed(): Generator<number> {
    const { requests, warmup, rate } = this.#amount
    if (rate === undefined) return
    let measured = this.#measured
    for (let number = this.#begun; measured < requests; number++) {
      const due = this.#dueAt(number)
      if (due >= this.#end) return
      if (due < warmup) continue
      measured++
      yield due
    }
  }

  /** When nothing was to begin any more. */
  get end(): number {
    return this.#end
  }

  #dueAt(number: number): number {
    const { every, phase } = this.#amount.rate!
    return phase + number * every
  }
}
