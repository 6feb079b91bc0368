import type { MemberSettings } from './own-process.ts'

/** What the signer's process is told at its start. */
export interface SignerSettings extends MemberSettings {
  /** For how long the secrets of rings are of use: as containers are told. */
  readonly spans: { readonly rotationSeconds: number; readonly lifetimeSeconds: number }
}
