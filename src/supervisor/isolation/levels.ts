import type { IsolationName } from '../../stack/isolation.ts'
import type { Isolation } from './isolation.ts'
import { ociLevel } from './oci.ts'
import { processLevel } from './process.ts'
import { sandboxLevel } from './sandbox.ts'
import { userLevel } from './user.ts'

/** Every level, by name. */
export const LEVELS: Readonly<Record<IsolationName, Isolation>> = {
  process: processLevel,
  user: userLevel,
  sandbox: sandboxLevel,
  oci: ociLevel,
}
