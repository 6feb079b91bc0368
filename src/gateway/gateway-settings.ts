import type { MemberSettings } from '../containers/membership.ts'
import type { Carrier } from './config.ts'
import type { GatewayOptions } from './gateway.ts'

/** What a gateway's process is told at its start. */
export interface GatewaySettings extends MemberSettings {
  readonly gateway: Omit<GatewayOptions, 'functionNames' | 'carriers' | 'duplicated'> & {
    readonly functionNames: readonly string[]
    readonly carriers: Readonly<Record<string, Carrier>>
    readonly duplicated: readonly string[]
  }
}
