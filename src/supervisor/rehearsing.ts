import type { RehearsalPlan } from '../stack/spec.ts'
import type { Clock } from '../time/clock.ts'
import type { Counters } from './status.ts'

/** Milliseconds between two looks, and beyond the limit for a container that is too busy to stop in time. */
const LOOK = 100
const GRACE = 1000

export interface Rehearsing extends RehearsalPlan {
  /** What the container has counted; undefined: its process has ended. */
  readonly look: () => Promise<Counters | undefined>
  /** Called with what it has rehearsed so far. */
  readonly report: (moves: number) => void
  readonly clock: Clock
}

/** Waits until a ready container has rehearsed, its time for that is over, or its process has ended. */
export async function untilRehearsed(options: Rehearsing): Promise<void> {
  const { moves, limit, look, report, clock } = options
  if (moves === 0 || limit === 0) return
  const end = clock.steady() + limit + GRACE
  while (clock.steady() < end) {
    const counters = await look()
    if (counters === undefined || counters.rehearsing === 0) return
    if (counters.rehearsed !== undefined) report(counters.rehearsed)
    await new Promise<void>(resolve => clock.after(LOOK, resolve))
  }
}
