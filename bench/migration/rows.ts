import type { Ready } from '../engines/engine.ts'
import type { Labels, Skipped, Unit } from '../harness/measurement.ts'
import type { Statistic } from '../harness/stats.ts'
import type { Mover } from '../rig/one-process.ts'

/** What every scene measures in every round, in the order of the table. Times are µs. */
export const ROWS = {
  'raw.stays': 'a request that stays, raw handler',
  'raw.migrated': 'a migrated request, raw handler',
  'raw.pair.stays': 'two requests that stay, back to back',
  'raw.pair.migrated': 'a migrated request and the next one, back to back',
  'raw.cold.stays': 'a request that stays, after 10 ms of other work',
  'raw.cold.migrated': 'a migrated request, after 10 ms of other work',
  'fetch.stays': 'a request that stays, fetch handler',
  'fetch.migrated': 'a migrated request, fetch handler',
  'h2.stays': 'a request that stays over HTTP/2, raw handler',
  'h2.migrated': 'a migrated request over HTTP/2, raw handler',
  'node.stays': 'a request to node:tls',
  'proxy.stays': 'a request that a node:https proxy answers itself',
  'proxy.forwarded': 'a request that a node:https proxy forwards to another function',
  'raw.full': 'reconnect, full handshake, first answer',
  'raw.resumed': 'reconnect, resumed, first answer',
  'stack.full': 'reconnect to our stack without the platform, full',
  'stack.resumed': 'reconnect to our stack without the platform, resumed',
  'stack.early': 'reconnect to our stack without the platform, 0-RTT',
  'node.full': 'reconnect to node:tls, full',
  'node.resumed': 'reconnect to node:tls, resumed',
  'part.export': 'export: state out of its objects, encoded',
  'part.seal': 'seal',
  'part.open': 'open',
  'part.import': 'import: decoded, in objects that can work',
  limit: 'limit: descriptor + 300 B there, 1 B back, no TLS',
} as const

export type RowName = keyof typeof ROWS

/** What is measured of every engine beside the platform (docs/bench-engines.md). */
export const ENGINE_ROWS = {
  'engine.stays': 'a request that stays',
  'engine.migrated': 'a migrated request',
  'engine.pair.stays': 'two requests that stay, back to back',
  'engine.pair.migrated': 'a migrated request and the next one, back to back',
  'engine.cold.stays': 'a request that stays, after 10 ms of other work',
  'engine.cold.migrated': 'a migrated request, after 10 ms of other work',
  'engine.full': 'reconnect, full handshake, first answer',
  'engine.resumed': 'reconnect, resumed, first answer',
} as const

export type EngineRowName = keyof typeof ENGINE_ROWS

/** What a move costs where owners and client are in one process, of the platform and of the floor. */
export const PROCESS_ROWS = {
  'process.user': 'a move in one process, user CPU',
  'process.system': 'a move in one process, system CPU',
} as const

export type ProcessRowName = keyof typeof PROCESS_ROWS

/** What is measured under several circumstances, each a label of its own. */
export const SWEEPS = {
  alpha: 'a request of which α % move',
  'payload.stays': 'a request that stays, by size of content',
  'payload.migrated': 'a migrated request, by size of content',
  'payload.forwarded': 'a request that the proxy forwards, by size of content',
  'connections.stays': 'a request that stays, by number of connections',
  'connections.migrated': 'a migrated request, by number of connections',
  chain: 'a migrated request, by length of the tour in containers',
  'open.stays': 'a request that stays, by arrivals a second',
  'open.migrated': 'a migrated request, by arrivals a second',
  'sustained.stays': 'requests that stay, as many as there can be',
  'sustained.migrated': 'migrations, as many as there can be',
} as const

export type SweepName = keyof typeof SWEEPS

/** How many samples of each kind a round takes. */
export interface RoundSize {
  readonly requests: number
  readonly fetches: number
  readonly reconnects: number
  readonly parts: number
  /** Of two requests. */
  readonly pairs: number
  readonly cold: number
  /** In one process. */
  readonly moves: number
  /** Milliseconds since 1970 from which on what takes long is cut short; a bit of it is always measured. */
  readonly until: number
}

/** What belongs together in a round, in the order in which it is measured. */
export const PARTS = [
  'raw',
  'engines',
  'one process',
  'reconnections',
  'fetch',
  'h2',
  'rivals',
  'in process',
] as const
export type Part = (typeof PARTS)[number]

/**
 * Where processes run: all on one core; servers on one and who measures on another; wherever the scheduler
 * puts them.
 */
export const PLACEMENTS = ['one core', 'two cores', 'free'] as const
export type Placement = (typeof PLACEMENTS)[number]
export type ProviderName = 'evp' | 'node' | 'noble'
export const SUITES = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
] as const
export type Suite = (typeof SUITES)[number]

/** Under what circumstances one platform runs: what tells scenes apart. */
export interface Circumstances {
  readonly placement: Placement
  readonly provider: ProviderName
  readonly suite: Suite
  readonly channel: 'native' | 'ipc'
  readonly carrier: 'fd' | 'relay'
  /** Whether envelopes are sealed. */
  readonly seal: 'on' | 'off'
}

/** What a scene is told, as JSON in its arguments. */
export interface SceneOptions extends Circumstances {
  /** Containers of the raw kind, each with a function of its own: the longest tour. */
  readonly containers: number
  /** Whether its processes note the moments that stages lie between. */
  readonly marks: boolean
  /**
   * Moves that each container rehearses when it has nothing to do; undefined: as many as by default.
   */
  readonly rehearsals?: number
  /** What stands beside the platform, as in `--engines`. */
  readonly engines: readonly string[]
  /** Whether moves in one process are measured. */
  readonly inOneProcess: boolean
  readonly rawFunction?: string
  readonly profiles?: string
}

/** What a scene says of itself when it is ready. */
export interface SceneFacts {
  readonly channel: string
  readonly stream: string
  readonly cipherSuite: string
  /** Whether containers speak HTTP/2. */
  readonly http2: boolean
  readonly state: {
    readonly idle: number
    readonly idleSealed: number
    readonly request: number
    readonly requestSealed: number
  }
}

/** Something to measure once. */
export type Task =
  | { readonly task: 'rows'; readonly part: Part; readonly size: RoundSize }
  | { readonly task: 'alpha'; readonly values: readonly number[]; readonly requests: number }
  /** `bytes`: of content that each size may send in all; it decides how many requests there are. */
  | { readonly task: 'payload'; readonly values: readonly number[]; readonly bytes: number }
  | { readonly task: 'chain'; readonly values: readonly number[]; readonly requests: number }
  /** Not measured if so many connections cannot be made in time. */
  | {
      readonly task: 'connections'
      readonly value: number
      readonly requests: number
      readonly until: number
    }
  /** For so many seconds with each rate, over so many connections. */
  | {
      readonly task: 'open'
      readonly values: readonly number[]
      readonly seconds: number
      readonly connections: number
    }
  | { readonly task: 'sustained'; readonly requests: number; readonly connections: number }
  | { readonly task: 'stages'; readonly requests: number }

/** Parent to scene. */
export type Order = { readonly do: 'measure'; readonly tasks: readonly Task[] } | { readonly do: 'stop' }

/** What one task has found of one thing in one round. */
export interface Sampled {
  readonly name: string
  readonly title: string
  readonly labels: Labels
  /** Of the others than `µs`, there is one value for a round. */
  readonly unit: Extract<Unit, 'µs' | 'µs CPU' | '1/s'>
  readonly statistic: Statistic
  readonly values: readonly number[]
}

/** Scene to parent. */
export type Report =
  | { readonly say: 'ready'; readonly facts: SceneFacts }
  | { readonly say: 'measured'; readonly samples: readonly Sampled[]; readonly skipped: readonly Skipped[] }
  /** `wrong`: an answer was not what was asked for. */
  | { readonly say: 'failed'; readonly wrong: boolean; readonly reason: string }

/** Samples of one of the rows that have no circumstances of their own. */
export function rowOf(name: RowName, values: readonly number[]): Sampled {
  return { name, title: ROWS[name], labels: {}, unit: 'µs', statistic: 'median', values }
}

/** Samples of a row of an engine. */
export function engineRowOf(
  name: EngineRowName,
  { engine, title }: Pick<Ready, 'engine' | 'title'>,
  values: readonly number[],
): Sampled {
  const what = `${title ?? engine}: ${ENGINE_ROWS[name]}`
  return { name, title: what, labels: { engine }, unit: 'µs', statistic: 'median', values }
}

/** The CPU time of moves in one process. @param value µs of one */
export function processRowOf(name: ProcessRowName, engine: Mover, value: number): Sampled {
  const title = `${engine}: ${PROCESS_ROWS[name]}`
  return { name, title, labels: { engine }, unit: 'µs CPU', statistic: 'median', values: [value] }
}

/** Samples of a sweep. */
export function sweepOf(
  name: SweepName,
  labels: Labels,
  values: readonly number[],
  { unit = 'µs', statistic = 'median' }: Partial<Pick<Sampled, 'unit' | 'statistic'>> = {},
): Sampled {
  return { name, title: SWEEPS[name], labels, unit, statistic, values }
}
