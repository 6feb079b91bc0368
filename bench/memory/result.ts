import { type GoalResult, goal, goalLines } from '../harness/goal.ts'
import { figuresOf, type Measurement } from '../harness/measurement.ts'
import type { BenchResult } from '../harness/run.ts'
import { acrossRounds, median, round } from '../harness/stats.ts'
import { figure, ratioText, table } from '../harness/table.ts'
import type { Memory, Stack } from './rows.ts'

/** What a server used before and after it was filled with idle connections. */
export interface Sample {
  readonly before: Memory
  readonly after: Memory
}

/** One stack: bytes for one idle connection, medians of the rounds; each round in its own server. */
export interface MemoryRow {
  readonly stack: Stack
  /** By resident memory, which comes in pages and does not shrink. */
  readonly resident: number
  readonly residentRounds: readonly number[]
  readonly residentRatio: number | undefined
  /** By memory that is this process's alone; absent where the system does not tell. */
  readonly anonymous?: number
  readonly anonymousRatio?: number | undefined
  /**
   * By what JavaScript knows of: heap and external. `node:tls` keeps most of its own where JavaScript does
   * not see it.
   */
  readonly javascript: number
}

/** What this bench has besides what all have. */
export interface MemoryDetails {
  /** So many were opened in each round. */
  readonly connections: number
  readonly servers: readonly MemoryRow[]
}

type Samples = ReadonlyMap<Stack, readonly Sample[]>

/** Everything as measurements. */
export function measurementsOf(samples: Samples): Measurement[] {
  return [...samples.keys()].flatMap(stack => {
    const one = (name: string, title: string, rounds: readonly number[]): Measurement[] =>
      rounds.length === 0
        ? []
        : [figuresOf({ name: `memory.${name}`, title, labels: { stack }, unit: 'B' }, rounds)]
    return [
      ...one('resident', 'resident memory of an idle connection', per(samples, resident, stack)),
      ...one('anonymous', "its memory that is the process's alone", per(samples, anonymous, stack)),
      ...one('javascript', 'its heap and external memory', per(samples, javascript, stack)),
    ]
  })
}

/** What one connection added, in each round. */
function per(samples: Samples, of: (memory: Memory) => number | undefined, stack: Stack): number[] {
  return samples.get(stack)!.flatMap(({ before, after }) => {
    const [one, other] = [of(before), of(after)]
    if (one === undefined || other === undefined) return []
    return [(other - one) / (after.connections - before.connections)]
  })
}

const resident = (memory: Memory): number => memory.resident
const anonymous = (memory: Memory): number | undefined => memory.anonymous
const javascript = (memory: Memory): number => memory.heap + memory.external

export function memoryRows(samples: Samples): MemoryRow[] {
  const ratio = (one: number, other: number): number => one / other
  const measured = [...samples].filter(([, all]) => all.length > 0)
  return measured.map(([stack]) => {
    const rounds = per(samples, resident, stack)
    const own = per(samples, anonymous, stack)
    return {
      stack,
      resident: round(median(rounds)),
      residentRounds: rounds.map(round),
      residentRatio: acrossRounds(rounds, per(samples, resident, 'node:tls'), ratio),
      ...(own.length === 0
        ? {}
        : {
            anonymous: round(median(own)),
            anonymousRatio: acrossRounds(own, per(samples, anonymous, 'node:tls'), ratio),
          }),
      javascript: round(median(per(samples, javascript, stack))),
    }
  })
}

/** What was reached of what we aim at: a connection as a container has it. */
export function goalsOf(rows: readonly MemoryRow[]): GoalResult[] {
  const row = rows.find(({ stack }) => stack === 'raw stream')
  return [
    goal('memory of an idle connection, node:tls = 1', '≤', 0.5, row?.anonymousRatio ?? row?.residentRatio),
    goal('KiB of an idle connection', '≤', 26, row && round((row.anonymous ?? row.resident) / 1024)),
  ]
}

/** What a person wants to read of a result. */
export function format({ connections, servers, goals }: BenchResult & MemoryDetails): string {
  const lines = servers.map(row => [
    row.stack,
    kibibytes(row.resident),
    ratioText(row.residentRatio),
    kibibytes(row.anonymous),
    ratioText(row.anonymousRatio),
    kibibytes(row.javascript),
  ])
  return [
    `KiB for one of ${connections} idle connections (ratios: medians over rounds, node:tls = 1):`,
    table(['', 'resident', 'ratio', 'anonymous', 'ratio', 'heap + external'], lines),
    goalLines(goals),
  ].join('\n\n')
}

function kibibytes(bytes: number | undefined): string {
  return figure(bytes === undefined ? undefined : bytes / 1024)
}
