import { BEYOND, BUCKETS, callCounter, MILLISECONDS } from '../../platform/counters/calls.ts'

/** The status that a call is counted under whose client was gone before it had an answer, as nginx has it. */
export const CLIENT_GONE = 499

const PLACES = MILLISECONDS + 1

/**
 * The calls of one container's function: how many are underway, what they were answered, and how long that
 * took.
 */
export class Traffic {
  /** Calls that may be underway at once; 0: any number. */
  readonly most: number
  /** Calls that are underway. */
  inFlight = 0
  /** Messages of WebSockets so far. */
  messages = 0
  /** Requests that were refused because there were as many as may be. */
  refused = 0
  /** By status: counts, as `platform/counters/calls.ts` has their places. */
  readonly #counted: (Float64Array | undefined)[] = []

  constructor(most = 0) {
    this.most = most
  }

  /** Whether a further call is one too many. */
  get full(): boolean {
    return this.most > 0 && this.inFlight >= this.most
  }

  began(): void {
    this.inFlight++
  }

  /** A call has been answered. @param milliseconds that it took */
  ended(status: number, milliseconds: number): void {
    this.inFlight--
    this.#count(status, milliseconds)
  }

  /** It goes on elsewhere; no function has begun with it. */
  withdrawn(): void {
    this.inFlight--
  }

  /** A request was one too many. */
  refuse(status: number): void {
    this.refused++
    this.#count(status, 0)
  }

  /** Calls that have ended. */
  get calls(): number {
    let calls = 0
    for (const counted of this.#counted)
      if (counted !== undefined) for (let place = 0; place <= BEYOND; place++) calls += counted[place]!
    return calls
  }

  /** What there is to tell: names and counts, of which none is zero. */
  counters(): readonly (readonly [name: string, count: number])[] {
    return this.#counted.flatMap((counted, status) =>
      [...(counted ?? [])].flatMap((count, place) =>
        count === 0 ? [] : [[callCounter(status, place), count] as const],
      ),
    )
  }

  #count(status: number, milliseconds: number): void {
    this.#counted[status] ??= new Float64Array(PLACES)
    const counted = this.#counted[status]
    let place = 0
    while (place < BEYOND && milliseconds > BUCKETS[place]! * 1000) place++
    counted[place]! += 1
    counted[MILLISECONDS]! += milliseconds
  }
}
