import { type Logger, pino } from 'pino'
import type { CryptoProvider } from '../tls13/index.ts'
import type { Channel } from '../transfer/channel.ts'
import { IpcChannel } from '../transfer/channels/ipc.ts'
import { NativeChannel } from '../transfer/channels/native.ts'
import { Courier, type CourierHandlers } from '../transfer/courier.ts'
import { createIdentity, Sealer } from '../transfer/seal.ts'
import { Descriptor } from '../transfer/stream.ts'
import { fromHex } from '../wire/index.ts'
import { boundOutput } from './own-output.ts'

/** The supervisor's id. */
export const SUPERVISOR = 0

/** The environment variable in which a process finds its settings, as JSON. */
export const SETTINGS_VARIABLE = 'HOTPOTATO_SETTINGS'

/** The providers that can be asked for by name. */
export const PROVIDERS = ['node', 'noble', 'evp'] as const

export type ProviderName = (typeof PROVIDERS)[number]

/** What every process that the supervisor starts is told. */
export interface MemberSettings {
  readonly id: number
  /** What the supervisor and this process share, in hexadecimal. */
  readonly token: string
  /** As `echo-1`. */
  readonly name: string
  readonly channel: Channel['kind']
  readonly provider: ProviderName
  readonly logLevel: string
  /** The numbers of other descriptors that it has inherited. */
  readonly descriptors: readonly number[]
}

/** The numbers under which a process that the supervisor starts finds its descriptors. With `ipc`, only the first. */
export const DESCRIPTORS = { ipc: 3, receive: 4, wake: 5, supervisorSend: 6, supervisorWake: 7 } as const

/** A process's place among the others. */
export interface Membership {
  readonly courier: Courier
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly provider: CryptoProvider
  readonly log: Logger
}

/** Reads the settings that the supervisor left, and takes them out of the environment that functions can see. */
export function readSettings<S extends MemberSettings>(): S {
  const text = process.env[SETTINGS_VARIABLE]
  if (text === undefined)
    throw new Error(`${SETTINGS_VARIABLE} is not set: this program is started by the supervisor`)
  delete process.env[SETTINGS_VARIABLE]
  return JSON.parse(text) as S
}

/** Loads a provider by name, and only that one. @throws Error if it does not work on this machine */
export async function loadProvider(name: ProviderName): Promise<CryptoProvider> {
  switch (name) {
    case 'node':
      return (await import('../tls13/crypto/node.ts')).node
    case 'noble':
      return (await import('../tls13/crypto/noble.ts')).noble
    case 'evp': {
      const probed = (await import('../tls13/crypto/evp.ts')).probeEvp()
      if (!probed.available) throw new Error(`the provider evp is not available: ${probed.reason}`)
      return probed.provider
    }
  }
}

/**
 * Opens the channel that the supervisor made, and ends this process when the supervisor is gone.
 * @param onTerminate what SIGTERM means; unless told, what `stop` means
 */
export async function join(
  settings: MemberSettings,
  handlers: CourierHandlers,
  onTerminate = (): void => handlers.control({ kind: 'stop' }, SUPERVISOR),
): Promise<Membership> {
  const { id, name, logLevel } = settings
  const log = pino({ name, level: logLevel }, { write: line => process.stdout.write(line) })
  boundOutput(dropped => log.warn({ dropped }, 'output was dropped: it was read too slowly'))
  const orphaned = (): never => {
    log.warn('the supervisor is gone')
    process.exit(1)
  }
  process.on('disconnect', orphaned)
  // It may have been killed while we were loading.
  if (process.connected === false) orphaned()
  const provider = await loadProvider(settings.provider)
  const channel = openChannel(settings)
  const identity = createIdentity(provider, id)
  const courier = new Courier(channel, new Sealer(provider, identity), handlers, fromHex(settings.token))
  // Whoever started the supervisor in a terminal sends these to all of us; the supervisor tells us what to do.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', onTerminate)
  return { courier, publicKey: identity.publicKey, provider, log }
}

function openChannel({ id, channel }: MemberSettings): Channel {
  if (channel === 'ipc') {
    const opened = IpcChannel.open({ self: id })
    opened.addPeer(SUPERVISOR)
    return opened
  }
  const { receive, wake, supervisorSend, supervisorWake } = DESCRIPTORS
  const opened = NativeChannel.open({
    self: id,
    receive: Descriptor.fromFd(receive),
    wake: Descriptor.fromFd(wake),
  })
  opened.addPeer(SUPERVISOR, [Descriptor.fromFd(supervisorSend), Descriptor.fromFd(supervisorWake)])
  return opened
}

/** Milliseconds for the last words to reach the supervisor. */
const LAST_WORDS = 50

/** Ends this process after it has said why it cannot start; the supervisor tries again, if it ran before. */
export function giveUp(): void {
  setTimeout(() => process.exit(1), LAST_WORDS)
}
