/**
 * What all processes of the machine have in common: milliseconds of CLOCK_MONOTONIC when this process's own
 * clock began.
 */
const BEGINNING = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** What a clock has been told to call; {@link Clock.stop} takes it back. */
export interface Timer {
  /** The process does not live for its sake. */
  unref(): this
}

/** What time it is, and when it is later. Given where a process begins, and handed down from there. */
export interface Clock {
  /**
   * For all that lasts: whole milliseconds of a clock that only goes forward, at the same pace and from the
   * same beginning in all processes of the machine, whatever becomes of the wall clock. It stands still while
   * the machine sleeps.
   */
  steady(): number
  /** Milliseconds since 1970, as the machine has been told: for what is said to others. */
  wall(): number
  /** Calls `ring` once. @param milliseconds from now */
  after(milliseconds: number, ring: () => void): Timer
  /** Calls `ring` again and again. @param milliseconds between two calls */
  every(milliseconds: number, ring: () => void): Timer
  /** Takes a timer of this clock back, if there is one. */
  stop(timer: Timer | undefined): void
}

/** The clock of the machine; each entry point of a process hands it down. */
export const SYSTEM_CLOCK: Clock = {
  steady: () => Math.floor(BEGINNING + performance.now()),
  wall: () => Date.now(),
  after: (milliseconds, ring) => setTimeout(ring, milliseconds),
  every: (milliseconds, ring) => setInterval(ring, milliseconds),
  stop: timer => clearTimeout(timer as NodeJS.Timeout | undefined),
}
