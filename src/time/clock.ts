/** What a clock calls: a function, or an object that has many timers of its kind and needs none for each. */
export type Bell = (() => void) | { ring(): void }

/** Something that a clock calls later, once or again and again, as often as it is told to. */
export interface Timer {
  /** It is going to ring. */
  readonly armed: boolean
  /**
   * Rings once, so much later than now, and not when it was going to.
   * @param milliseconds from now; what is less than one counts as one
   */
  after(milliseconds: number): this
  /** Rings once at that moment, and not when it was going to. @param at as {@link Clock.steady} says */
  at(at: number): this
  /** It does not ring; it can be told to again. */
  stop(): void
  /** The process does not live for its sake. */
  unref(): this
}

/**
 * What time it is, and when it is later. Given where a process begins, and handed down from there. No timer
 * rings before its time, and none from within the call that has armed it.
 */
export interface Clock {
  /**
   * For all that lasts: whole milliseconds of a clock that only goes forward, at the same pace and from the
   * same beginning in all processes of the machine, whatever becomes of the wall clock. It stands still while
   * the machine sleeps.
   */
  steady(): number
  /** The same with its fractions, to measure what is shorter. */
  exact(): number
  /** Milliseconds since 1970, as the machine has been told: for what is said to others. */
  wall(): number
  /** Makes a timer, for an owner that arms and stops it many times: neither makes anything. */
  timer(bell: Bell): Timer
  /** Calls `ring` once. @param milliseconds from now */
  after(milliseconds: number, ring: () => void): Timer
  /** Calls `ring` again and again. @param milliseconds from the end of one call to the next */
  every(milliseconds: number, ring: () => void): Timer
}
