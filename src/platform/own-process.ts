import { closeSync, readFileSync } from 'node:fs'
import { type Logger, pino } from 'pino'
import type { Clock } from '../time/clock.ts'
import type { CryptoProvider } from '../tls13/crypto/provider.ts'
import type { ProviderName } from '../tls13/crypto/provider-names.ts'
import { type Channel, SUPERVISOR } from '../transfer/channel.ts'
import { IpcChannel } from '../transfer/channels/ipc.ts'
import { NativeChannel } from '../transfer/channels/native.ts'
import { probe } from '../transfer/native/libc.ts'
import { Descriptor } from '../transfer/streams/descriptor.ts'
import type { Budget } from '../wire/index.ts'
import { boundOutput } from './own-output.ts'
import { thrown } from './thrown.ts'

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
  /** That another process has to say that it has taken a connection; undefined: as usual. */
  readonly verdictMilliseconds?: number
  /** The numbers of other descriptors that it has inherited. */
  readonly descriptors: readonly number[]
}

/**
 * The numbers under which a process that the supervisor starts finds its descriptors: a pipe with its
 * settings, and its end of its pair with the supervisor. On the ipc channel, Node's own stands in the place
 * of that.
 */
export const DESCRIPTORS = { settings: 3, channel: 4 } as const

let waits = false

/** This process waits for its settings, and begins with its work when it has them. */
export function waitForSettings(): void {
  waits = true
}

/** Whether it does. */
export function waitsForSettings(): boolean {
  return waits
}

/** What was in the pipe: a program that starts ours has read it before. */
let settingsRead: string | undefined

/**
 * Reads the settings that the supervisor has written into a pipe, and closes that: neither the environment
 * nor the command line shows them. From here on this process ends with the supervisor.
 * @throws Error it was not started by the supervisor
 */
export function readSettings<S extends MemberSettings>(): S {
  settingsRead ??= readPipe(DESCRIPTORS.settings)
  return ownSettings(settingsRead)
}

/** The same of what was read from that pipe already. @throws SyntaxError it is no JSON */
export function ownSettings<S extends MemberSettings>(text: string): S {
  const settings = JSON.parse(text) as S
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

/** The log of this process: its standard output, of which the supervisor reads as much as it may say. */
export function openLog({ name, logLevel }: MemberSettings): Logger {
  const options = { ...(waits ? {} : { name }), level: logLevel, serializers: { err: thrown } }
  const log = pino(options, { write: line => process.stdout.write(line) })
  boundOutput(dropped => log.warn({ dropped }, 'output was dropped: it was read too slowly'))
  return log
}

/** Gives the log of a process that has waited for its settings its name: that costs less than another log. */
export function nameLog(log: Logger, { name, logLevel }: Pick<MemberSettings, 'name' | 'logLevel'>): void {
  log.setBindings({ name })
  // It makes all of its methods anew.
  if (log.level !== logLevel) log.level = logLevel
}

/**
 * Signals: a terminal sends these to the supervisor and to all of us; the supervisor tells us what to do.
 * @param onTerminate what SIGTERM means
 */
export function heedSignals(onTerminate: () => void): void {
  process.on('SIGINT', () => {})
  // Node would open its inspector, for every process of this user.
  process.on('SIGUSR1', () => {})
  process.on('SIGTERM', onTerminate)
}

/** Ends this process, whose channel to the supervisor is closed. */
export function endWithSupervisor(log: Logger): never {
  log.warn('the supervisor is gone')
  process.exit(1)
}

/**
 * Opens the channel that the supervisor made.
 * @param budget how many frames each peer may send; on the ipc channel the supervisor has one
 */
export function openChannel({ id, channel }: MemberSettings, budget?: Budget): Channel {
  if (channel === 'ipc') {
    const opened = IpcChannel.open({ self: id })
    opened.addPeer(SUPERVISOR)
    return opened
  }
  const opened = NativeChannel.open(id, budget)
  opened.addPeer(SUPERVISOR, [Descriptor.fromFd(DESCRIPTORS.channel)])
  return opened
}

/** Milliseconds for the last words to reach the supervisor. */
const LAST_WORDS = 50

/** Ends this process after it has said why it cannot start; the supervisor tries again, if it ran before. */
export function giveUp(clock: Clock): void {
  clock.after(LAST_WORDS, () => process.exit(1))
}
