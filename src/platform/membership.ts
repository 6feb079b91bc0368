import type { Logger } from 'pino'
import type { CryptoProvider } from '../tls13/index.ts'
import { SUPERVISOR } from '../transfer/channel.ts'
import { Courier, type CourierHandlers } from '../transfer/courier.ts'
import { createIdentity, Sealer } from '../transfer/seal.ts'
import {
  endWithSupervisor,
  heedSignals,
  loadProvider,
  type MemberSettings,
  openChannel,
  openLog,
} from './own-process.ts'

export { PROVIDERS, type ProviderName } from '../tls13/crypto/provider-names.ts'
export {
  DESCRIPTORS,
  giveUp,
  loadProvider,
  type MemberSettings,
  nameLog,
  readSettings,
} from './own-process.ts'

/** A process's place among the others. */
export interface Membership {
  readonly courier: Courier
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly provider: CryptoProvider
  readonly log: Logger
}

/**
 * Opens the channel that the supervisor made, and ends this process when that is closed: the supervisor is
 * gone.
 * @param onTerminate what SIGTERM means; by default, what `stop` means
 */
export async function join(
  settings: MemberSettings,
  handlers: CourierHandlers,
  onTerminate = (): void => handlers.control({ kind: 'stop' }, SUPERVISOR),
): Promise<Membership> {
  const log = openLog(settings)
  const provider = await loadProvider(settings.provider)
  const identity = createIdentity(provider, settings.id)
  const lost = (peer: number, reason: string): void => {
    if (peer === SUPERVISOR) endWithSupervisor(log)
    handlers.lost?.(peer, reason)
  }
  const sealer = new Sealer(provider, identity)
  const channel = openChannel(settings)
  const courier = new Courier(channel, sealer, { ...handlers, lost }, undefined, settings.verdictMilliseconds)
  heedSignals(onTerminate)
  return { courier, publicKey: identity.publicKey, provider, log }
}
