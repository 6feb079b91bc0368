import type { Destination } from '../rig/keep-alive.ts'

/**
 * When a container is killed: while its connections are idle, or by the function that has been asked and has
 * not answered.
 */
export type Moment = 'idle' | 'unanswered'

/** What becomes of connections whose container dies. */
export interface Road {
  readonly title: string
  /** Keys of the configuration. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Whether they go on; otherwise their clients have to connect again. */
  readonly survives: boolean
  readonly moments: readonly Moment[]
  /** Whether the container that dies is the only one: another one has to be started first. */
  readonly alone?: boolean
}

/**
 * The wait before each start would grow with every kill, as is right for what keeps crashing; and on a busy
 * machine a process takes long to start.
 */
const ALONE = {
  restart: { firstSeconds: 0.1, mostSeconds: 0.1, crashLoop: 1000 },
  gateway: { http: 0, https: 0, limits: { orphanSeconds: 300 } },
}

export const ROADS = {
  relay: {
    title: 'relay',
    settings: { carrier: 'relay' },
    survives: true,
    moments: ['idle', 'unanswered'],
  },
  duplicate: {
    title: 'fd with a duplicate',
    settings: { carrier: 'fd', duplicate: true },
    survives: true,
    moments: ['idle'],
  },
  'relay-alone': {
    title: 'relay, one replica',
    settings: { carrier: 'relay', ...ALONE },
    survives: true,
    moments: ['idle', 'unanswered'],
    alone: true,
  },
  'duplicate-alone': {
    title: 'fd with a duplicate, one replica',
    settings: { carrier: 'fd', duplicate: true, ...ALONE },
    survives: true,
    moments: ['idle'],
    alone: true,
  },
  reconnect: {
    title: 'fd, and the client connects again',
    settings: { carrier: 'fd' },
    survives: false,
    moments: ['idle', 'unanswered'],
  },
} as const satisfies Readonly<Record<string, Road>>
export type RoadName = keyof typeof ROADS

/** What the client's process is told in its arguments. */
export interface Role {
  readonly destination: Destination
}

export type Order =
  /** Have exactly so many connections, each of which has been answered. */
  | { readonly do: 'open'; readonly count: number }
  /** Kill a container, and ask on all connections until each has been answered. */
  | { readonly do: 'crash'; readonly pid: number; readonly moment: Moment }

export type Report =
  /** `pids`: of the containers that they are with. */
  | { readonly say: 'opened'; readonly pids: readonly number[] }
  /**
   * `times`: ms from the kill to the first byte of the answer on each connection. `lost`: how many of them
   * had to be opened again.
   */
  | { readonly say: 'crashed'; readonly times: readonly number[]; readonly lost: number }

/** The client that asks one request after the other: `count` of them, of which it tells the µs. */
export type AskerOrder = { readonly do: 'ask'; readonly count: number }
export type AskerReport = { readonly say: 'asked'; readonly times: readonly number[] }
