import { type GoalResult, goal } from '../harness/goal.ts'
import { figuresOf, type Measurement, timesOf } from '../harness/measurement.ts'
import type { BenchResult } from '../harness/run.ts'
import { acrossRounds, round } from '../harness/stats.ts'
import type { Cast } from './cast.ts'
import { PUBLISHED, PUBLISHED_SOURCE, type Published } from './published.ts'
import type { Circumstances, RowName, SceneFacts } from './rows.ts'

/** Relations within one scene, each the median of what they were in every round. */
export interface Relations {
  /** µs that a move adds to a request. */
  readonly added?: number
  readonly addedFetch?: number
  /**
   * What else can be done, as a multiple of a migrated request: reconnecting to our stack and to node:tls, a
   * proxy.
   */
  readonly fullToMigrated?: number
  readonly resumedToMigrated?: number
  readonly earlyToMigrated?: number
  readonly nodeFullToMigrated?: number
  readonly nodeResumedToMigrated?: number
  readonly forwardedToMigrated?: number
  readonly forwardedToFetchMigrated?: number
  /** µs that a move adds to two requests back to back: with what is left to do behind the first answer. */
  readonly addedToPair?: number
  /** µs that a move adds to a request after other work. */
  readonly addedCold?: number
  /** µs that a move adds with the floor of this runtime; what the platform's adds, as a multiple of it. */
  readonly floorAdded?: number
  readonly addedToFloor?: number
  /** User CPU of a move in one process, as a multiple of the floor's. */
  readonly userToFloor?: number
  /** µs: export and import, without and with sealing and opening. */
  readonly exportAndImport?: number
  readonly exportSealOpenImport?: number
}

export interface SceneResult {
  /** As `one core, evp`. */
  readonly name: string
  readonly circumstances: Circumstances
  /** Whether it was there for the stages alone. */
  readonly marks: boolean
  readonly facts: SceneFacts | undefined
  readonly relations: Relations
}

/** What this bench has besides what all have. */
export interface MigrationDetails {
  readonly scenes: readonly SceneResult[]
  /** Which scene the goals are held against. */
  readonly goalsOf: string
  /** Not measured in this run. */
  readonly published: { readonly source: string; readonly figures: readonly Published[] }
}

export type MigrationResult = BenchResult & MigrationDetails

export const PUBLISHED_TABLE = { source: PUBLISHED_SOURCE, figures: PUBLISHED }

export function sceneResult(cast: Cast): SceneResult {
  const { name, circumstances, facts, options } = cast
  return { name, circumstances, marks: options.marks, facts, relations: relationsOf(cast) }
}

/** Everything that a scene has measured so far. */
export function measurementsOf(cast: Cast): Measurement[] {
  return [...cast.strands.values()].map(({ series, ...strand }) => {
    const labels = { ...cast.circumstances, ...strand.labels }
    return strand.unit === 'µs'
      ? timesOf({ ...strand, labels }, series)
      : figuresOf({ ...strand, labels }, series.medians)
  })
}

function relationsOf(cast: Cast): Relations {
  const relate = (one: RowName, other: RowName, change: (one: number, other: number) => number) =>
    acrossRounds(cast.row(one)?.medians ?? [], cast.row(other)?.medians ?? [], change)
  const ratio = (one: number, other: number): number => one / other
  const difference = (one: number, other: number): number => one - other
  const plus = (one: number, other: number): number => one + other
  const between = (
    one: readonly number[] | undefined,
    other: readonly number[] | undefined,
    change: (one: number, other: number) => number,
  ) => acrossRounds(one ?? [], other ?? [], change)
  const floorStays = cast.engineRow('engine.stays', 'floor')?.medians
  const floorMigrated = cast.engineRow('engine.migrated', 'floor')?.medians
  const added = relate('raw.migrated', 'raw.stays', difference)
  const floorAdded = between(floorMigrated, floorStays, difference)
  const exportAndImport = relate('part.export', 'part.import', plus)
  const sealAndOpen = relate('part.seal', 'part.open', plus)
  return defined({
    added,
    addedToPair: relate('raw.pair.migrated', 'raw.pair.stays', difference),
    addedCold: relate('raw.cold.migrated', 'raw.cold.stays', difference),
    floorAdded,
    // Of medians: in one round what the floor adds may be next to nothing.
    addedToFloor: added === undefined || floorAdded === undefined ? undefined : round(added / floorAdded),
    userToFloor: between(
      cast.engineRow('process.user', 'platform')?.medians,
      cast.engineRow('process.user', 'floor')?.medians,
      ratio,
    ),
    addedFetch: relate('fetch.migrated', 'fetch.stays', difference),
    fullToMigrated: relate('raw.full', 'raw.migrated', ratio),
    resumedToMigrated: relate('raw.resumed', 'raw.migrated', ratio),
    earlyToMigrated: relate('stack.early', 'raw.migrated', ratio),
    nodeFullToMigrated: relate('node.full', 'raw.migrated', ratio),
    nodeResumedToMigrated: relate('node.resumed', 'raw.migrated', ratio),
    forwardedToMigrated: relate('proxy.forwarded', 'raw.migrated', ratio),
    forwardedToFetchMigrated: relate('proxy.forwarded', 'fetch.migrated', ratio),
    exportAndImport,
    exportSealOpenImport:
      exportAndImport === undefined || sealAndOpen === undefined
        ? undefined
        : round(exportAndImport + sealAndOpen),
  })
}

type Given<T> = { -readonly [K in keyof T]?: Exclude<T[K], undefined> }

function defined<T extends object>(record: T): Given<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Given<T>
}

/** The goals of the raw handler path, and what a scene reached. */
export function goalsOf(cast: Cast): GoalResult[] {
  const relations = relationsOf(cast)
  const p50 = (row: RowName): number | undefined => {
    const series = cast.row(row)
    return series === undefined ? undefined : series.summary.p50
  }
  const sustained = [...cast.strands.values()].find(({ name }) => name === 'sustained.migrated')
  return [
    goal('a request that stays, p50', '≤', 25, p50('raw.stays'), 'µs'),
    goal('a migrated request, p50', '≤', 50, p50('raw.migrated'), 'µs'),
    goal('added by the move', '≤', 23, relations.added, 'µs'),
    goal('added by the move, floor of this runtime = 1', '≤', 1.5, relations.addedToFloor, '×'),
    goal('user CPU of a move in one process, floor = 1', '≤', 1.5, relations.userToFloor, '×'),
    goal('state before sealing, idle', '≤', 256, cast.facts?.state.idle, 'B'),
    goal('export + import', '≤', 15, relations.exportAndImport, 'µs'),
    goal('full reconnect : migrated', '≥', 80, relations.fullToMigrated, '×'),
    goal('resumed reconnect : migrated', '≥', 45, relations.resumedToMigrated, '×'),
    goal('full reconnect to node:tls : migrated', '≥', 20, relations.nodeFullToMigrated, '×'),
    goal('resumed reconnect to node:tls : migrated', '≥', 12, relations.nodeResumedToMigrated, '×'),
    goal(
      'migrations a second, with the client on the same core',
      '≥',
      20_000,
      sustained?.series.summary.p50,
      '/s',
    ),
  ]
}
