import type { MemberSettings } from '../containers/membership.ts'
import type { GatewayOptions } from './gateway.ts'

/** What a gateway's process is told at its start. */
export interface GatewaySettings extends MemberSettings {
  readonly gateway: Omit<GatewayOptions, 'functionNames'> & { readonly functionNames: readonly string[] }
}
