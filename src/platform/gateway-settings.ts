import type { H1Limits } from '../http/h1/index.ts'
import type { Proofs } from '../transfer/control.ts'
import type { CarrierName } from './carrier.ts'
import type { MemberSettings } from './membership.ts'
import type { RouteEntry } from './routes.ts'

/** What a gateway is told; durations in milliseconds. */
export interface GatewayOptions {
  readonly host: string
  /** 0: any free port. */
  readonly http: number
  readonly https: number
  readonly routes: readonly RouteEntry[]
  readonly defaultFunction: string | undefined
  readonly functionNames: ReadonlySet<string>
  readonly openingLimit: number
  readonly helloBytes: number
  readonly helloMilliseconds: number
  readonly holdMilliseconds: number
  /** That a connection whose container has died waits for another one; default: as a fresh one. */
  readonly orphanMilliseconds?: number
  /** The same, for a container of a function that sleeps. */
  readonly wakeMilliseconds: number
  /** That a connection is kept while its function sleeps; 0: for ever. */
  readonly hibernateMilliseconds: number
  /** Bytes that connections may hold here together; 0: as much as there is. */
  readonly memoryBytes: number
  readonly idleMilliseconds: number
  readonly http1: H1Limits
  /** How connections reach a function, by its name. */
  readonly carriers: ReadonlyMap<string, CarrierName>
}

/** What a gateway's process is told at its start. */
export interface GatewaySettings extends MemberSettings {
  /** What authorities of the web are shown. */
  readonly proofs?: Proofs
  readonly gateway: Omit<GatewayOptions, 'functionNames' | 'carriers'> & {
    readonly functionNames: readonly string[]
    readonly carriers: Readonly<Record<string, CarrierName>>
  }
}
