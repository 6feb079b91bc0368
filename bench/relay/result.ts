import { type GoalResult, goal } from '../harness/goal.ts'
import { figuresOf, type Measurement, timesOf } from '../harness/measurement.ts'
import { acrossRounds, median, type Series } from '../harness/stats.ts'
import { figure, table } from '../harness/table.ts'
import type { Placement } from '../rig/placement.ts'
import type { Way } from './stage.ts'

/** One way in one placement. */
export interface Cell {
  readonly way: Way
  readonly placement: Placement
  readonly times: Series
  /** MB/s of each round. */
  readonly rates: number[]
}

const TITLES: Readonly<Record<Way, string>> = {
  direct: 'no relay',
  c: 'relay in C, bytes',
  ours: 'ours, records',
  pipe: 'pipe() of Node',
}

/** What the JSON says of a cell. */
export function measurementsOf({ way, placement, times, rates }: Cell): Measurement[] {
  const labels = { way, placement }
  return [
    timesOf({ name: 'relay.round-trip', title: 'round trip of 64 bytes', labels }, times),
    figuresOf({ name: 'relay.bulk', title: 'bulk, records of 16 KiB', labels, unit: 'MB/s' }, rates),
  ]
}

/** Of the cells of one placement. */
export function goalsOf(cells: readonly Cell[]): GoalResult[] {
  const of = (way: Way): Cell | undefined => cells.find(cell => cell.way === way)
  const [direct, c, ours] = [of('direct'), of('c'), of('ours')]
  if (direct === undefined || ours === undefined) return []
  const { placement } = ours
  const added = acrossRounds(ours.times.medians, direct.times.medians, (one, other) => one - other)
  const share = c && acrossRounds(ours.rates, c.rates, (one, other) => one / other)
  return [
    goal(`${placement}: bulk, relay in C = 1`, '≥', 0.95, share),
    goal(`${placement}: µs that a relay adds to a round trip`, '≤', 26, added),
  ]
}

/** The table on the terminal. */
export function rowsOf(cells: readonly Cell[]): string {
  const rows = cells.map(({ way, placement, times, rates }) => {
    const direct = cells.find(cell => cell.way === 'direct' && cell.placement === placement)!
    const added = acrossRounds(times.medians, direct.times.medians, (one, other) => one - other)
    const { p50, p99 } = times.summary
    return [`${placement}: ${TITLES[way]}`, ...[p50, p99, added, median(rates)].map(figure)]
  })
  return table(['', 'round trip p50 µs', 'p99', 'added', 'bulk MB/s'], rows)
}
