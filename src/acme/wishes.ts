import type { ChallengeType, LeafKey } from '../platform/acme-settings.ts'
import type { AccountWishes } from './account.ts'

/** With which authority, as whom and how certificates are got. */
export interface AcmeWishes extends AccountWishes {
  /** URL of the directory. */
  readonly directory: string
  readonly keyType: LeafKey
  readonly challenge: ChallengeType
  readonly profile: string | undefined
  /** File of the authorities to trust for its server; undefined: those that Node trusts. */
  readonly ca: string | undefined
}
