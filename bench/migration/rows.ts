/** Everything that is measured, in the order of the table. Times are µs. */
export const ROWS = {
  'raw.stays': 'a request that stays, raw handler',
  'raw.migrated': 'a migrated request, raw handler',
  'fetch.stays': 'a request that stays, fetch handler',
  'fetch.migrated': 'a migrated request, fetch handler',
  'node.stays': 'a request to node:tls',
  'raw.full': 'reconnect, full handshake, first answer',
  'raw.resumed': 'reconnect, resumed, first answer',
  'node.full': 'reconnect to node:tls, full',
  'node.resumed': 'reconnect to node:tls, resumed',
  'part.export': 'export: state out of its objects, encoded',
  'part.seal': 'seal',
  'part.open': 'open',
  'part.import': 'import: decoded, in objects that can work',
  limit: 'limit: descriptor + 300 B there, 1 B back, no TLS',
} as const

export type RowName = keyof typeof ROWS

/** How many samples of each kind a round takes. */
export interface RoundSize {
  readonly requests: number
  readonly fetches: number
  readonly reconnects: number
  readonly parts: number
}

export type Placement = 'pinned' | 'free'
export type ProviderName = 'evp' | 'node' | 'noble'

/** What a scene is told, as JSON in its arguments. */
export interface SceneOptions {
  readonly provider: ProviderName
  readonly rawFunction?: string
  readonly profiles?: string
}

/** What a scene says of itself when it is ready. */
export interface SceneFacts {
  readonly channel: string
  readonly stream: string
  readonly cipherSuite: string
  readonly state: {
    readonly idle: number
    readonly idleSealed: number
    readonly request: number
    readonly requestSealed: number
  }
}

/** Parent to scene. */
export type Order = { readonly do: 'round'; readonly size: RoundSize } | { readonly do: 'stop' }

/** Scene to parent. */
export type Report =
  | { readonly say: 'ready'; readonly facts: SceneFacts }
  | { readonly say: 'round'; readonly samples: Readonly<Partial<Record<RowName, readonly number[]>>> }
  /** `wrong`: an answer was not what was asked for. */
  | { readonly say: 'failed'; readonly wrong: boolean; readonly reason: string }
