import type { GatewayOptions } from '../gateway/gateway.ts'
import type { Carrier } from '../supervisor/config.ts'
import type { MemberSettings } from './membership.ts'

/** What a gateway's process is told at its start. */
export interface GatewaySettings extends MemberSettings {
  readonly gateway: Omit<GatewayOptions, 'functionNames' | 'carriers' | 'duplicated'> & {
    readonly functionNames: readonly string[]
    readonly carriers: Readonly<Record<string, Carrier>>
    readonly duplicated: readonly string[]
  }
}
