import { type GoalResult, goal } from '../harness/goal.ts'
import { figuresOf, type Measurement, timesOf } from '../harness/measurement.ts'
import { acrossRounds, Series } from '../harness/stats.ts'
import { figure, table } from '../harness/table.ts'
import { COVERS, type Cover, type CoverName } from './cover.ts'
import { type Moment, ROADS, type Road, type RoadName } from './rows.ts'

/** Containers of one kind, killed at one moment with so many connections. */
export class Cell {
  readonly road: RoadName
  readonly moment: Moment
  readonly connections: number
  /** ms from each kill until connections were answered; what stands for a kill is the median of them. */
  readonly answered = new Series()
  /** ms from each kill until the last one was. */
  readonly all: number[] = []

  constructor(road: RoadName, moment: Moment, connections: number) {
    this.road = road
    this.moment = moment
    this.connections = connections
  }

  add(times: readonly number[]): void {
    this.answered.add(times)
    this.all.push(Math.max(...times))
  }

  get title(): string {
    const { road, moment, connections } = this
    const what = connections === 1 ? moment : `${connections} connections, ${moment}`
    return `${ROADS[road].title}: ${what}`
  }

  get measurements(): Measurement[] {
    const { road, moment, connections } = this
    if (this.all.length === 0) return []
    const labels = { road, moment, connections }
    const one = 'from the kill to the first byte of the answer'
    const all = 'from the kill until the last connection was answered'
    return [
      timesOf({ name: 'failover.answered', title: one, labels, unit: 'ms' }, this.answered),
      ...(connections === 1
        ? []
        : [figuresOf({ name: 'failover.all', title: all, labels, unit: 'ms' }, this.all)]),
    ]
  }
}

/** What the JSON says of the floor. */
export function limitOf(times: Series): Measurement[] {
  if (times.medians.length === 0) return []
  const title = 'a bare Node process: from the kill to the end of its connection'
  return [timesOf({ name: 'failover.limit', title, unit: 'ms' }, times)]
}

/** What the JSON says of one way to cover. */
export function coverOf({ name, times, cpu }: Cover): Measurement[] {
  if (times.medians.length === 0) return []
  const labels = { cover: name }
  return [
    timesOf({ name: 'cover.response', title: 'a request that stays, one core', labels }, times),
    ...(cpu.length === 0
      ? []
      : [
          figuresOf(
            { name: 'cover.cpu', title: 'gateway and container for a request', labels, unit: 'µs CPU' },
            cpu,
          ),
        ]),
  ]
}

/** µs that checkpoints add to a response. */
export function added(covers: readonly Cover[], covered: CoverName, bare: CoverName) {
  const [one, other] = [covered, bare].map(name => covers.find(cover => cover.name === name))
  if (one === undefined || other === undefined) return { time: undefined, cpu: undefined }
  const difference = (a: number, b: number): number => a - b
  return {
    time: acrossRounds(one.times.medians, other.times.medians, difference),
    cpu: acrossRounds(one.cpu, other.cpu, difference),
  }
}

/** Whether another container is there already: otherwise the start of a process is most of the time. */
function isCovered({ survives, alone = false }: Road): boolean {
  return survives && !alone
}

export function goalsOf(cells: readonly Cell[], covers: readonly Cover[]): GoalResult[] {
  const single = cells.filter(
    ({ road, connections, all }) => isCovered(ROADS[road]) && connections === 1 && all.length > 0,
  )
  const relay = added(covers, 'relay', 'uncovered')
  const duplicate = added(covers, 'duplicate', 'fd')
  return [
    ...single.map(cell =>
      goal(`${cell.title}: kill to next answered byte, p99`, '≤', 50, cell.answered.summary.p99, 'ms'),
    ),
    goal('relay: what checkpoints add to a response', '≤', 6, relay.time, 'µs'),
    goal('relay: CPU time of a checkpoint, container and gateway', '≤', 6, relay.cpu, 'µs'),
    ...(covers.some(({ name }) => name === 'duplicate')
      ? [goal('fd with a duplicate: what checkpoints add to a response', '≤', 6, duplicate.time, 'µs')]
      : []),
  ]
}

/** The tables on the terminal. */
export function tables(cells: readonly Cell[], floor: Series, covers: readonly Cover[]): string {
  const kills = [
    ...cells
      .filter(({ all }) => all.length > 0)
      .map(({ title, answered, all, connections }) => {
        const { p50, p99, max } = answered.summary
        const last = connections === 1 ? undefined : new Series()
        last?.add(all)
        return [title, String(all.length), ...[p50, p99, max, last?.summary.p50].map(figure)]
      }),
    ...(floor.medians.length === 0
      ? []
      : [
          [
            'limit: a bare Node process, until its connection ends',
            String(floor.medians.length),
            ...[floor.summary.p50, floor.summary.p99, floor.summary.max, undefined].map(figure),
          ],
        ]),
  ]
  const costs = covers
    .filter(({ times }) => times.medians.length > 0)
    .map(({ name, times, cpu }) => {
      const beside = added(covers, name, 'fd')
      const { p50, p99 } = times.summary
      const used = cpu.length === 0 ? undefined : figuresOf({ name: '', title: '' }, cpu).value
      return [COVERS[name].title, ...[p50, p99, beside.time, used, beside.cpu].map(figure)]
    })
  return [
    table(['a container is killed', 'kills', 'answered p50 ms', 'p99', 'max', 'all, p50'], kills),
    table(['a request that stays, one core', 'p50 µs', 'p99', 'against fd', 'CPU µs', 'against fd'], costs),
  ].join('\n\n')
}
