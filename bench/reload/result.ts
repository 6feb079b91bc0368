import { type GoalResult, goal, goalLines } from '../harness/goal.ts'
import { figuresOf, type Measurement, type Skipped, skippedLines, timesOf } from '../harness/measurement.ts'
import type { Findings } from '../harness/run.ts'
import { Series } from '../harness/stats.ts'
import { figure, table } from '../harness/table.ts'
import type { Seen } from './orders.ts'
import { ROWS, type RowName } from './rows.ts'
import type { Effort, Outcome } from './turn.ts'

const MIB = 2 ** 20
/** Milliseconds that a stream may pause. */
const PAUSE = 20

/** What one contender has shown, in all turns together. */
export class Cell {
  readonly name: RowName
  readonly pauses = new Series()
  readonly wakes = new Series()
  readonly cpu: number[] = []
  readonly leftBytes: number[] = []
  readonly deploys: number[] = []
  left = 0
  readonly seen = { lost: 0, again: 0, handshakes: 0, wrong: 0 }
  readonly slumber = { lost: 0, again: 0, handshakes: 0, wrong: 0 }

  constructor(name: RowName) {
    this.name = name
  }

  deployed(outcome: Outcome): void {
    this.pauses.add(outcome.pauses)
    this.cpu.push(outcome.cpu)
    this.leftBytes.push(outcome.leftBytes)
    this.deploys.push(...outcome.deploys)
    this.left = Math.max(this.left, outcome.left)
    sum(this.seen, outcome)
  }

  slept(seen: Seen): void {
    this.wakes.add(seen.pauses)
    sum(this.slumber, seen)
  }

  get measurements(): Measurement[] {
    if (this.cpu.length === 0) return []
    const labels = { of: this.name }
    const { title } = ROWS[this.name]
    const bytes = {
      name: 'reload.left',
      title: `memory of old processes: ${title}`,
      labels,
      unit: 'B',
    } as const
    return [
      timesOf(
        { name: 'reload.pause', title: `pause of a stream: ${title}`, labels, unit: 'ms' },
        this.pauses,
      ),
      figuresOf({ name: 'reload.deploy', title: `a deploy: ${title}`, labels, unit: 'ms' }, this.deploys),
      figuresOf(
        { name: 'reload.cpu', title: `CPU time of a turn: ${title}`, labels, unit: 'ms' },
        this.cpu.map(seconds => seconds * 1000),
      ),
      figuresOf(bytes, this.leftBytes),
      ...(this.wakes.medians.length === 0
        ? []
        : [
            timesOf(
              { name: 'reload.wake', title: `down to zero and back: ${title}`, labels, unit: 'ms' },
              this.wakes,
            ),
          ]),
    ]
  }

  /** What is counted. */
  get counts() {
    return { deploys: this.deploys.length, left: this.left, ...this.seen, slumber: this.slumber }
  }

  get goals(): GoalResult[] {
    if (this.name !== 'hotpotato' || this.cpu.length === 0) return []
    const { seen, slumber, left, pauses, wakes } = this
    return [
      goal('streams lost', '≤', 0, seen.lost),
      goal('handshakes caused', '≤', 0, seen.handshakes),
      goal('pieces that were wrong', '≤', 0, seen.wrong),
      goal('a pause of a stream, p99', '≤', PAUSE, pauses.summary.p99, 'ms'),
      goal('old processes a second after a deploy', '≤', 0, left),
      ...(wakes.medians.length === 0
        ? []
        : [
            goal('WebSockets lost on the way to zero and back', '≤', 0, slumber.lost),
            goal('handshakes on that way', '≤', 0, slumber.handshakes),
          ]),
    ]
  }
}

type Counts = Record<keyof Omit<Seen, 'pauses'>, number>

function sum(all: Counts, one: Seen): void {
  for (const key of Object.keys(all) as (keyof Counts)[]) all[key] += one[key]
}

export function findings(
  cells: readonly Cell[],
  skipped: readonly Skipped[],
  { clients, deploys, every }: Effort,
): Findings<{ readonly counts: Readonly<Record<string, Cell['counts']>> }> {
  const measured = cells.filter(({ cpu }) => cpu.length > 0)
  return {
    parameters: { clients, deploys, every },
    measurements: measured.flatMap(cell => cell.measurements),
    skipped,
    goals: measured.flatMap(cell => cell.goals),
    details: { counts: Object.fromEntries(measured.map(cell => [cell.name, cell.counts])) },
    print: ({ goals }) =>
      [
        `${clients} clients over TLS: a third WebSockets, a third events, a third downloads`,
        table(
          [
            ...['', 'deploys', 'ms each', 'lost', 'handshakes', 'KiB again', 'pause p99, ms', 'most'],
            ...['old processes', 'MiB', 'CPU, s'],
          ],
          measured.map(({ name, deploys, seen, pauses, left, leftBytes, cpu }) => [
            ROWS[name].title,
            String(deploys.length),
            figure(deploys.reduce((all, one) => all + one, 0) / deploys.length),
            ...[seen.lost, seen.handshakes, Math.round(seen.again / 1024)].map(String),
            ...[pauses.summary.p99, pauses.summary.max].map(figure),
            String(left),
            figure(Math.max(...leftBytes) / MIB),
            figure(cpu.reduce((all, one) => all + one, 0)),
          ]),
        ),
        table(
          ['WebSockets, down to zero and back', 'lost', 'handshakes', 'p50, ms', 'p99, ms'],
          measured
            .filter(({ wakes }) => wakes.medians.length > 0)
            .map(({ name, slumber, wakes: { summary } }) => [
              ROWS[name].title,
              ...[slumber.lost, slumber.handshakes].map(String),
              ...[summary.p50, summary.p99].map(figure),
            ]),
        ),
        'The supervisor, which is the process that measures, is left out.',
        skippedLines(skipped),
        goalLines(goals),
      ]
        .filter(part => part !== '')
        .join('\n\n'),
  }
}
