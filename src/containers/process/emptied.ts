import type { Clock } from '../../time/clock.ts'

/** Milliseconds between two looks, and until what is there still is not waited for any more. */
const LOOK = 20
const MOST = 30_000

/**
 * Waits until the connections of this process are with others: what was begun on them is answered first.
 * @param left how many are here, or on their way
 */
export async function emptied(clock: Clock, left: () => number): Promise<void> {
  const end = clock.steady() + MOST
  while (left() > 0 && clock.steady() < end)
    await new Promise<void>(resolve => {
      clock.after(LOOK, () => resolve())
    })
}
