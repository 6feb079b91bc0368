import type { Pace } from './pace.ts'
import type { Answer, Tally } from './tally.ts'

/** Milliseconds that a place rests after a failure: who refuses at once is not asked without end. */
const REST = 1

/** Room for one request at a time: a connection, or a stream of one. */
export interface Place {
  /** @throws Error what went wrong */
  ask(): Promise<Answer>
}

/** What time it is, in milliseconds and fractions of them, and when it is later. */
export interface Time {
  now(): number
  /** Calls it at that moment, or as soon as possible; not from within. */
  at(moment: number, then: () => void): void
}

/** An error as it is counted. */
export interface Fault {
  readonly kind: string
  /** A sentence: what failed, where. */
  readonly reason: string
  /** There was no answer in time. */
  readonly late: boolean
}

/** A place, and since when it is free. */
interface Seat {
  readonly place: Place
  since: number
}

/**
 * Makes requests over all places, as the pace says. Where all are busy, requests that are due wait: their
 * corrected time runs from when they were due. The place that has been free for longest goes first.
 */
export class Load {
  readonly #pace: Pace
  readonly #tally: Tally
  readonly #time: Time
  readonly #faultOf: (error: unknown) => Fault
  readonly #free: Ring<Seat>
  /** Requests without an answer that are measured, by when they were due. */
  readonly #underway = new Set<{ readonly due: number }>()
  readonly #done: Promise<void>
  #finish: () => void = () => {}
  #began = 0
  #busy = 0
  /** The moment at which {@link #go} is called. */
  #alarm: number | undefined
  #over = false
  #ended = false

  constructor(
    places: readonly Place[],
    pace: Pace,
    tally: Tally,
    time: Time,
    faultOf: (error: unknown) => Fault,
  ) {
    this.#pace = pace
    this.#tally = tally
    this.#time = time
    this.#faultOf = faultOf
    this.#free = new Ring(places.map(place => ({ place, since: 0 })))
    this.#done = new Promise(resolve => {
      this.#finish = resolve
    })
  }

  /** @returns when all that has begun is over, or {@link stop} was called */
  run(): Promise<void> {
    this.#began = this.#time.now()
    this.#go()
    return this.#done
  }

  /** Ends it now: what is underway has no answer. */
  stop(): void {
    if (this.#ended) return
    const now = this.#now
    this.#pace.stop(now)
    for (const { due } of this.#underway) this.#tally.unanswered(due, now, true)
    this.#end()
  }

  get #now(): number {
    return this.#time.now() - this.#began
  }

  #go(): void {
    while (!this.#ended && this.#free.length > 0) {
      const step = this.#pace.next(this.#now)
      if (step.type === 'begin') {
        const seat = this.#free.shift()
        this.#busy++
        void this.#ask(seat, step)
      } else if (step.type === 'wait') {
        this.#wake(step.until)
        return
      } else {
        this.#over = true
        break
      }
    }
    if (this.#over && this.#busy === 0) this.#end()
  }

  #wake(until: number): void {
    if (this.#alarm === until) return
    this.#alarm = until
    this.#time.at(this.#began + until, () => {
      this.#alarm = undefined
      this.#go()
    })
  }

  async #ask(
    seat: Seat,
    { due, measured }: { readonly due: number; readonly measured: boolean },
  ): Promise<void> {
    const began = this.#now
    const request = { due }
    const tally = this.#tally
    if (measured) {
      this.#underway.add(request)
      if (seat.since <= due) tally.late.record(began - due)
    } else tally.counts.warmup++
    let rest = 0
    try {
      const answer = await seat.place.ask()
      if (measured && !this.#ended) tally.answered(answer, { due, began, ended: this.#now })
    } catch (error) {
      rest = REST
      const { kind, reason, late } = this.#faultOf(error)
      if (measured && !this.#ended) tally.failed(kind, reason, { due, began, ended: this.#now }, late)
    }
    this.#underway.delete(request)
    if (this.#ended) return
    if (rest === 0) this.#release(seat)
    else this.#time.at(this.#time.now() + rest, () => this.#release(seat))
  }

  #release(seat: Seat): void {
    seat.since = this.#now
    this.#busy--
    this.#free.push(seat)
    this.#go()
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const due of this.#pace.missed()) this.#tally.unanswered(due, this.#pace.end, false)
    this.#finish()
  }
}

/** A queue with room for what it was made of, and no more. */
class Ring<T> {
  readonly #items: T[]
  #first = 0
  length: number

  constructor(items: T[]) {
    this.#items = items
    this.length = items.length
  }

  /** It is not empty. */
  shift(): T {
    const item = this.#items[this.#first]!
    this.#first = (this.#first + 1) % this.#items.length
    this.length--
    return item
  }

  push(item: T): void {
    this.#items[(this.#first + this.length++) % this.#items.length] = item
  }
}
