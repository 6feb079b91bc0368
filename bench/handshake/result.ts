import { type GoalResult, goal, goalLines } from '../harness/goal.ts'
import { figuresOf, type Measurement } from '../harness/measurement.ts'
import type { BenchResult } from '../harness/run.ts'
import { acrossRounds, median, round } from '../harness/stats.ts'
import { figure, ratioText, table } from '../harness/table.ts'
import type { Placement } from '../rig/placement.ts'
import type { Row } from './row.ts'
import { KINDS, type Kind, type Side, type Stack } from './rows.ts'

/**
 * One stack, side and kind. Ratios are medians over the rounds of what was measured in the same round, to
 * `node:tls`.
 */
export interface HandshakeRow {
  readonly placement: Placement
  readonly side: Side
  readonly kind: Kind
  readonly stack: Stack
  /** Handshakes a second, with the work of both ends: the median of the rounds, and each round. */
  readonly rate: number
  readonly rates: readonly number[]
  readonly rateRatio: number | undefined
  /** µs of CPU time for one at the side that is measured. */
  readonly cpu: number
  readonly cpuRatio: number | undefined
}

/** What this bench has besides what all have. */
export interface HandshakeDetails {
  /** Why there are no rows for evp. */
  readonly evpMissing?: string
  readonly handshakes: readonly HandshakeRow[]
}

/** Everything as measurements. What was stopped before its first round is not among them. */
export function measurementsOf(rows: readonly Row[]): Measurement[] {
  return rows.flatMap(({ placement, side, stack, measured }) =>
    KINDS.filter(kind => measured[kind].rates.length > 0).flatMap(kind => {
      const labels = { placement, side, stack, kind }
      return [
        figuresOf({ name: 'handshake.rate', title: 'handshakes a second', labels }, measured[kind].rates),
        figuresOf(
          { name: 'handshake.cpu', title: 'CPU for one', labels, unit: 'µs CPU' },
          measured[kind].cpu,
        ),
      ]
    }),
  )
}

/** What of `node:tls` a kind is held against. */
const KIND_OF_NODE = { full: 'full', 'full, new chain': 'full', resumed: 'resumed' } as const

export function handshakeRows(rows: readonly Row[]): HandshakeRow[] {
  const ratio = (one: number, other: number): number => one / other
  return rows.flatMap(({ placement, side, stack, measured }) => {
    const reference = rows.find(
      one => one.placement === placement && one.side === side && one.stack === 'node:tls',
    )!
    const done = KINDS.filter(kind => measured[kind].rates.length > 0)
    return done.map(kind => {
      const [own, theirs] = [measured[kind], reference.measured[KIND_OF_NODE[kind]]]
      return {
        placement,
        side,
        kind,
        stack,
        rate: round(median(own.rates)),
        rates: own.rates.map(round),
        rateRatio: acrossRounds(own.rates, theirs.rates, ratio),
        cpu: round(median(own.cpu)),
        cpuRatio: acrossRounds(own.cpu, theirs.cpu, ratio),
      }
    })
  })
}

/** Of `node:tls`, at least. */
const GOALS: Readonly<Record<Side, Readonly<Record<Kind, number>>>> = {
  server: { full: 1, 'full, new chain': 1, resumed: 1 },
  client: { full: 0.9, 'full, new chain': 0.9, resumed: 1 },
}

/** What was reached of what we aim at: both sides over evp. */
export function goalsOf(rows: readonly HandshakeRow[]): GoalResult[] {
  const ratio = (one: number, other: number): number => one / other
  const apart = rows.flatMap(row => {
    const { stack, placement, side, kind } = row
    const own = rows.find(one => `${one.stack}, signer` === stack && one.placement === placement)
    if (own === undefined || own.side !== side || own.kind !== kind) return []
    const what = `${kind}, handshakes a second as a ${side} whose key a signer has`
    const value = acrossRounds(row.rates, own.rates, ratio)
    return [goal(`${what}, ${own.stack} = 1, ${placement}`, '≥', APART, value)]
  })
  return [...stacksOf(rows), ...apart]
}

/** With the signature asked for in another process, of what it is without. */
const APART = 0.75

function stacksOf(rows: readonly HandshakeRow[]): GoalResult[] {
  return rows
    .filter(({ stack }) => stack === 'evp')
    .map(({ kind, side, placement, rateRatio }) =>
      goal(
        `${kind}, handshakes a second as a ${side}, node:tls = 1, ${placement}`,
        '≥',
        GOALS[side][kind],
        rateRatio,
      ),
    )
}

/** What a person wants to read of a result. */
export function format({ evpMissing, handshakes, goals }: BenchResult & HandshakeDetails): string {
  const lines = handshakes.map(row => [
    `${row.placement}, ${row.side} by ${row.stack}, ${row.kind}`,
    figure(row.rate),
    ratioText(row.rateRatio),
    figure(row.cpu),
    ratioText(row.cpuRatio),
  ])
  return [
    ...(evpMissing === undefined ? [] : [`no evp: ${evpMissing}`]),
    'The other end is node:tls; ECDSA P-256, x25519, AES-128-GCM ' +
      '(ratios: medians over rounds, node:tls = 1):',
    table(['', 'handshakes/s', 'ratio', 'CPU µs', 'ratio'], lines),
    goalLines(goals),
  ].join('\n\n')
}
