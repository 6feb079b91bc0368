/**
 * What all processes of the machine have in common: milliseconds of CLOCK_MONOTONIC when this process's own
 * clock began.
 */
const BEGINNING = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/**
 * Whole milliseconds of a clock that only goes forward, at the same pace and from the same beginning in all
 * processes of the machine, whatever becomes of the wall clock. It stands still while the machine sleeps.
 */
export function steadyNow(): number {
  return Math.floor(BEGINNING + performance.now())
}
