import type { MoveCause, SightKind } from '../../transfer/messages/sights.ts'
import type { ReplicaState } from '../life-cycle.ts'
import type { ConnectionStatus } from '../sessions.ts'
import type { SpanSummary } from './spans.ts'

/** What the page is told, one line of JSON each. Nothing of it is secret. */
export type Telling = Census | State | News

/** All connections, as far as they are told one by one: first, and after some have been missed. */
export interface Census {
  readonly kind: 'census'
  readonly connections: readonly ConnectionStatus[]
  /** How many there are, those that are not told among them. */
  readonly all: number
}

/** What runs, and what it has counted. */
export interface State {
  readonly kind: 'state'
  /** Milliseconds since 1970. */
  readonly at: number
  readonly containers: readonly ContainerState[]
  /** Since the platform was started. */
  readonly totals: Readonly<Record<Total, number>>
  /** A second, of the same, and of requests. */
  readonly rates: { readonly opened: number; readonly moves: number; readonly requests: number }
  readonly times: {
    /** From the decision to move until the other container has it. */
    readonly move?: SpanSummary | undefined
    /** Its parts: the first container freezes the session, hands it over, and the second sets it up. */
    readonly freeze?: SpanSummary | undefined
    readonly hand?: SpanSummary | undefined
    readonly restore?: SpanSummary | undefined
  }
}

/** What is counted of connections. */
export type Total = 'opened' | 'moves' | 'takenOver' | 'unclean' | 'failed' | 'checkpoints' | 'hibernating'

/** One container, as a place for connections. */
export interface ContainerState {
  readonly name: string
  readonly functionName: string
  readonly state: ReplicaState
  readonly ready: boolean
  readonly connections: number
}

/** What has become of connections since the last such line. */
export interface News {
  readonly kind: 'news'
  readonly steps: readonly StepOf[]
  /** How many more there were. */
  readonly missed: number
}

/** One step in the life of a connection. */
export interface Step {
  readonly kind: SightKind
  /** Milliseconds since 1970. */
  readonly at: number
  /** The container that tells it. */
  readonly container: string
  readonly functionName: string
  /** The container that has it from here on; undefined: the same, or none. */
  readonly to?: string | undefined
  readonly cause: MoveCause
  readonly generation: number
  /** Microseconds: see `Sight`. */
  readonly prepared: number
  readonly handed: number
}

/** A step, and the connection that it is one of. */
export type StepOf = Step & { readonly id: string }

/** All that is known of one connection, the oldest step first. */
export interface Life {
  readonly id: string
  readonly steps: readonly Step[]
  /** As its container describes it; undefined: no container has it any more. */
  readonly now: ConnectionStatus | undefined
}
