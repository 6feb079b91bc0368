import type { Environment, Load } from '../lib/environment.ts'
import { type GoalResult, goal, goalLines } from '../lib/goal.ts'
import { acrossRounds, median, round } from '../lib/stats.ts'
import { figure, table } from '../lib/table.ts'
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
  readonly residentRatio: number
  /** By memory that is this process's alone; absent where the system does not tell. */
  readonly anonymous?: number
  readonly anonymousRatio?: number
  /** By what JavaScript knows of: heap and external. `node:tls` keeps most of its own where JavaScript does not see it. */
  readonly javascript: number
}

export interface MemoryResult extends Environment {
  readonly bench: 'memory'
  readonly format: 1
  readonly date: string
  readonly quick: boolean
  readonly seconds: number
  readonly load: Load
  /** So many were opened in each round. */
  readonly connections: number
  readonly rows: readonly MemoryRow[]
  readonly goals: readonly GoalResult[]
}

export function memoryRows(samples: ReadonlyMap<Stack, readonly Sample[]>): MemoryRow[] {
  const per = (of: (memory: Memory) => number | undefined, stack: Stack): number[] =>
    samples.get(stack)!.flatMap(({ before, after }) => {
      const [one, other] = [of(before), of(after)]
      if (one === undefined || other === undefined) return []
      return [(other - one) / (after.connections - before.connections)]
    })
  const ratio = (one: number, other: number): number => one / other
  const resident = (memory: Memory): number => memory.resident
  const anonymous = (memory: Memory): number | undefined => memory.anonymous
  return [...samples.keys()].map(stack => {
    const rounds = per(resident, stack)
    const own = per(anonymous, stack)
    return {
      stack,
      resident: round(median(rounds)),
      residentRounds: rounds.map(round),
      residentRatio: acrossRounds(rounds, per(resident, 'node:tls'), ratio)!,
      ...(own.length === 0
        ? {}
        : {
            anonymous: round(median(own)),
            anonymousRatio: acrossRounds(own, per(anonymous, 'node:tls'), ratio)!,
          }),
      javascript: round(median(per(memory => memory.heap + memory.external, stack))),
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
export function format({ machine, versions, load, quick, connections, rows, goals }: MemoryResult): string {
  const head = [
    `${machine.cpu}, ${machine.cores} cores; Node ${versions.node} with OpenSSL ${versions.openssl}`,
    `load ${load.average.join(' → ')}${load.foreign === undefined ? '' : `, ${Math.round(load.foreign * 100)} % of the machine used by others`}`,
    ...(quick ? ['few connections: no figures to quote'] : []),
  ]
  const lines = rows.map(row => [
    row.stack,
    kibibytes(row.resident),
    row.residentRatio.toFixed(2),
    kibibytes(row.anonymous),
    row.anonymousRatio?.toFixed(2) ?? '–',
    kibibytes(row.javascript),
  ])
  return [
    head.join('\n'),
    `KiB for one of ${connections} idle connections (ratios: medians over rounds, node:tls = 1):`,
    table(['', 'resident', 'ratio', 'anonymous', 'ratio', 'heap + external'], lines),
    goalLines(goals),
  ].join('\n\n')
}

function kibibytes(bytes: number | undefined): string {
  return figure(bytes === undefined ? undefined : bytes / 1024)
}
