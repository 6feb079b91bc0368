import type { MemberSettings } from './own-process.ts'

/** What the signer's process is told at its start. */
export interface SignerSettings extends MemberSettings {
  /** By function; of those alone whose containers have no key. */
  readonly certificates: readonly {
    readonly functionName: string
    /** Of `NAME.crt` and `NAME.key`. */
    readonly directory: string
    readonly name: string
  }[]
  /** For how long the secrets of rings are of use: as containers are told. */
  readonly spans: { readonly rotationSeconds: number; readonly lifetimeSeconds: number }
}
