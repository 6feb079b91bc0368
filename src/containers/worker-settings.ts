import type { H1Limits } from '../http/h1/index.ts'
import type { MemberSettings } from './membership.ts'

/** What a container is told at its start. */
export interface WorkerSettings extends MemberSettings {
  readonly functionName: string
  /** The name of a shipped function, or the path of a module. */
  readonly handler: string
  readonly environment: Readonly<Record<string, string>>
  /** All functions there are. */
  readonly functionNames: readonly string[]
  readonly certificate: { readonly directory: string; readonly name: string }
  readonly idleMilliseconds: number
  readonly http: H1Limits
}
