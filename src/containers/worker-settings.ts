import type { H1Limits } from '../http/h1/index.ts'
import type { MemberSettings } from './membership.ts'
import type { Retries } from './recovery.ts'

/** What a container is told at its start. */
export interface WorkerSettings extends MemberSettings {
  readonly functionName: string
  /** The name of a shipped function, or the path of a module. */
  readonly handler: string
  readonly environment: Readonly<Record<string, string>>
  /** All functions there are. */
  readonly functionNames: readonly string[]
  /** By function. */
  readonly retries: Readonly<Record<string, Retries>>
  readonly certificate: { readonly directory: string; readonly name: string }
  readonly tls: TlsSettings
  readonly idleMilliseconds: number
  readonly http: H1Limits
}

/** What of TLS can be configured. */
export interface TlsSettings {
  /** Key exchange groups by name, in order of preference; undefined: hybrids first, then all that there are. */
  readonly groups: readonly string[] | undefined
  readonly tickets: {
    /** Sent after each handshake; 0: no resumption. */
    readonly count: number
    readonly lifetimeSeconds: number
    /** How long one key seals tickets before the next one does. */
    readonly rotationSeconds: number
  }
}
