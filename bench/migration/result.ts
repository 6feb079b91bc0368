import type { Environment, Load } from '../lib/environment.ts'
import { acrossRounds, round, type Summary } from '../lib/stats.ts'
import type { Cast } from './cast.ts'
import type { Placement, ProviderName, RowName, SceneFacts } from './rows.ts'

/** The format of the JSON; described in `bench/results/README.md`. */
export const RESULT_FORMAT = 1

/** Relations within one scene, each the median of what they were in every round. */
export interface Relations {
  /** µs that a move adds to a request. */
  readonly added?: number
  readonly addedFetch?: number
  /** What reconnecting costs, as a multiple of a migrated request: to our stack and to node:tls. */
  readonly fullToMigrated?: number
  readonly resumedToMigrated?: number
  readonly nodeFullToMigrated?: number
  readonly nodeResumedToMigrated?: number
  /** µs: export and import, without and with sealing and opening. */
  readonly exportAndImport?: number
  readonly exportSealOpenImport?: number
}

export interface SceneResult {
  readonly placement: Placement
  /** The CPU, if it was pinned. */
  readonly cpu?: number
  readonly provider: ProviderName
  readonly facts: SceneFacts | undefined
  readonly rows: Readonly<Partial<Record<RowName, Summary>>>
  readonly relations: Relations
}

/** A goal, and what was reached of it. */
export interface GoalResult {
  readonly name: string
  readonly relation: '≤' | '≥'
  readonly goal: number
  readonly unit: string
  readonly reached?: number
  readonly met?: boolean
}

export interface MigrationResult extends Environment {
  readonly bench: 'migration'
  readonly format: typeof RESULT_FORMAT
  readonly date: string
  readonly quick: boolean
  /** Whether it ran to its end. */
  readonly complete: boolean
  readonly seconds: number
  readonly load: Load
  readonly scenes: readonly SceneResult[]
  /** Which scene the goals are held against. */
  readonly goalsOf: string
  readonly goals: readonly GoalResult[]
}

/** What one scene has measured so far. */
export function sceneResult(cast: Cast, cpu: number | undefined): SceneResult {
  const rows: Partial<Record<RowName, Summary>> = {}
  for (const [name, series] of cast.series) rows[name] = series.summary
  return {
    placement: cast.placement,
    ...(cast.placement === 'pinned' && cpu !== undefined ? { cpu } : {}),
    provider: cast.provider,
    facts: cast.facts,
    rows,
    relations: relationsOf(cast),
  }
}

function relationsOf({ series }: Cast): Relations {
  const relate = (one: RowName, other: RowName, change: (one: number, other: number) => number) =>
    acrossRounds(series.get(one)?.medians ?? [], series.get(other)?.medians ?? [], change)
  const ratio = (one: number, other: number): number => one / other
  const difference = (one: number, other: number): number => one - other
  const sum = (one: number | undefined, other: number | undefined): number | undefined =>
    one === undefined || other === undefined ? undefined : round(one + other)
  const plus = (one: number, other: number): number => one + other
  const exportAndImport = relate('part.export', 'part.import', plus)
  return defined({
    added: relate('raw.migrated', 'raw.stays', difference),
    addedFetch: relate('fetch.migrated', 'fetch.stays', difference),
    fullToMigrated: relate('raw.full', 'raw.migrated', ratio),
    resumedToMigrated: relate('raw.resumed', 'raw.migrated', ratio),
    nodeFullToMigrated: relate('node.full', 'raw.migrated', ratio),
    nodeResumedToMigrated: relate('node.resumed', 'raw.migrated', ratio),
    exportAndImport,
    exportSealOpenImport: sum(exportAndImport, relate('part.seal', 'part.open', plus)),
  })
}

type Given<T> = { -readonly [K in keyof T]?: Exclude<T[K], undefined> }

function defined<T extends object>(record: T): Given<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Given<T>
}

/** The goals of the raw handler path, and what a scene reached. */
export function goalsOf({ rows, relations, facts }: SceneResult): GoalResult[] {
  const goal = (
    name: string,
    relation: '≤' | '≥',
    limit: number,
    unit: string,
    reached: number | undefined,
  ): GoalResult => ({
    name,
    relation,
    goal: limit,
    unit,
    ...(reached === undefined
      ? {}
      : { reached, met: relation === '≤' ? reached <= limit : reached >= limit }),
  })
  return [
    goal('a request that stays, p50', '≤', 25, 'µs', rows['raw.stays']?.p50),
    goal('a migrated request, p50', '≤', 50, 'µs', rows['raw.migrated']?.p50),
    goal('added by the move', '≤', 23, 'µs', relations.added),
    goal('state before sealing, idle', '≤', 256, 'B', facts?.state.idle),
    goal('export + import', '≤', 15, 'µs', relations.exportAndImport),
    goal('full reconnect : migrated', '≥', 20, '×', relations.fullToMigrated),
    goal('resumed reconnect : migrated', '≥', 12, '×', relations.resumedToMigrated),
    goal('full reconnect to node:tls : migrated', '≥', 20, '×', relations.nodeFullToMigrated),
    goal('resumed reconnect to node:tls : migrated', '≥', 12, '×', relations.nodeResumedToMigrated),
  ]
}
