import { closeSync, readFileSync } from 'node:fs'
import { type Logger, pino } from 'pino'
import type { Clock } from '../time/clock.ts'
import type { CryptoProvider } from '../tls13/index.ts'
import { type Channel, SUPERVISOR } from '../transfer/channel.ts'
import { IpcChannel } from '../transfer/channels/ipc.ts'
import { NativeChannel } from '../transfer/channels/native.ts'
import { Courier, type CourierHandlers } from '../transfer/courier.ts'
import { probe } from '../transfer/native/libc.ts'
import { createIdentity, Sealer } from '../transfer/seal.ts'
import { Descriptor } from '../transfer/stream.ts'
import { boundOutput } from './own-output.ts'
import type { ProviderName } from './provider-names.ts'
import { thrown } from './thrown.ts'

export { PROVIDERS, type ProviderName } from './provider-names.ts'

/** What every process that the supervisor starts is told. */
export interface MemberSettings {
  readonly id: number
  /** The process id of the supervisor, which it ends with. */
  readonly supervisor: number
  /** As `echo-1`. */
  readonly name: string
  readonly channel: Channel['kind']
  readonly provider: ProviderName
  readonly logLevel: string
  /** The numbers of other descriptors that it has inherited. */
  readonly descriptors: readonly number[]
}

/**
 * The numbers under which a process that the supervisor starts finds its descriptors: a pipe with its
 * settings, and its end of its pair with the supervisor. On the ipc channel, Node's own stands in the place
 * of that.
 */
export const DESCRIPTORS = { settings: 3, channel: 4 } as const

/** A process's place among the others. */
export interface Membership {
  readonly courier: Courier
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly provider: CryptoProvider
  readonly log: Logger
}

let settingsRead: string | undefined

/**
 * Reads the settings that the supervisor has written into a pipe, and closes that: neither the environment
 * nor the command line shows them. From here on this process ends with the supervisor.
 * @throws Error it was not started by the supervisor
 */
export function readSettings<S extends MemberSettings>(): S {
  settingsRead ??= readPipe(DESCRIPTORS.settings)
  const settings = JSON.parse(settingsRead) as S
  const native = probe()
  if (native.available) native.libc.endWithParent()
  // The supervisor may have ended before that, and another process is our parent now.
  if (process.ppid !== settings.supervisor) process.exit(1)
  return settings
}

function readPipe(fd: number): string {
  try {
    return readFileSync(fd, 'utf8')
  } catch (error) {
    throw new Error('this program is started by the supervisor, which gives it its settings', {
      cause: error,
    })
  } finally {
    closeSync(fd)
  }
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
 * Opens the channel that the supervisor made, and ends this process when that is closed: the supervisor is
 * gone.
 * @param onTerminate what SIGTERM means; by default, what `stop` means
 */
export async function join(
  settings: MemberSettings,
  handlers: CourierHandlers,
  onTerminate = (): void => handlers.control({ kind: 'stop' }, SUPERVISOR),
): Promise<Membership> {
  const { id, name, logLevel } = settings
  const options = { name, level: logLevel, serializers: { err: thrown } }
  const log = pino(options, { write: line => process.stdout.write(line) })
  boundOutput(dropped => log.warn({ dropped }, 'output was dropped: it was read too slowly'))
  const provider = await loadProvider(settings.provider)
  const identity = createIdentity(provider, id)
  const lost = (peer: number, reason: string): void => {
    if (peer === SUPERVISOR) {
      log.warn('the supervisor is gone')
      process.exit(1)
    }
    handlers.lost?.(peer, reason)
  }
  const sealer = new Sealer(provider, identity)
  const courier = new Courier(openChannel(settings), sealer, { ...handlers, lost })
  // A terminal sends these to the supervisor and to all of us; the supervisor tells us what to do.
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
  const opened = NativeChannel.open(id)
  opened.addPeer(SUPERVISOR, [Descriptor.fromFd(DESCRIPTORS.channel)])
  return opened
}

/** Milliseconds for the last words to reach the supervisor. */
const LAST_WORDS = 50

/** Ends this process after it has said why it cannot start; the supervisor tries again, if it ran before. */
export function giveUp(clock: Clock): void {
  clock.after(LAST_WORDS, () => process.exit(1))
}
