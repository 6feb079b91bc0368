import { join } from 'node:path'
import { pino } from 'pino'
import { checkCertificates, MAKE, makeCertificates } from '../../certificates/authority.ts'
import { removeEmpty } from '../../certificates/directory.ts'
import { CertificateError } from '../../certificates/load.ts'
import { PROVIDERS, type ProviderName } from '../../platform/membership.ts'
import { certificateNames } from '../../stack/certificate-names.ts'
import { type Config, ConfigError } from '../../stack/config.ts'
import { plan } from '../../stack/plan.ts'
import type { LogSink } from '../../supervisor/child-output.ts'
import { LogFile } from '../../supervisor/log-file.ts'
import { type Ports, Supervisor } from '../../supervisor/supervisor.ts'
import { watchWallClock } from '../../supervisor/wall-clock.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { probeEvp } from '../../tls13/crypto/evp.ts'
import { chooseChannel } from '../../transfer/channel.ts'
import { settleStream } from '../../transfer/stream-trial.ts'
import { CommandError, STATUS } from '../line/usage-error.ts'
import { CONFIGURATION, readConfiguration } from '../platform/configuration.ts'
import { serveControl } from '../platform/control-socket.ts'
import { hint } from '../platform/hint.ts'
import { controlSocket, LOG_FILE, makeRunDirectory, unusable } from '../platform/run-directory.ts'
import { functionStatus, type PlatformStatus } from '../platform/status.ts'
import { isSystemError, outlastOutput, printable, say, tell, warn } from '../terminal/output.ts'
import { Notices } from './notices.ts'
import { checkValues } from './values.ts'
import { nameOf, welcome } from './welcome.ts'

/** What variables that are no part of the configuration may say; empty is as good as not there. */
const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  HOTPOTATO_PROVIDER: PROVIDERS,
  HOTPOTATO_CHANNEL: ['native', 'ipc'],
  HOTPOTATO_STREAM: ['raw', 'socket'],
  HOTPOTATO_LOG_LEVEL: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
}

interface ChosenProvider {
  readonly name: ProviderName
  readonly reason: string
}

/** A reason not to start that the user can mend; it is printed as one line. */
export class UpError extends CommandError {}

/**
 * Starts the platform and keeps it running until it is told to stop.
 * @param variables what goes before the configuration, as in the environment
 * @throws UpError, ConfigError
 */
export async function up(
  configFile: string | undefined,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const { config, warnings, shipped, at } = readConfiguration(configFile, variables)
  const how = (command: string): string => hint(command, configFile, process.env)
  outlastOutput()
  if (shipped) say(`note: there is no ${CONFIGURATION} here: the one that comes with hotpotato is used`)
  for (const warning of warnings) say(`note: ${warning}`)
  checkVariables()
  const provider = chooseProvider()
  await checkValues({ config, at }, provider.name)
  const { runDirectory } = config
  const made = makeRunDirectory(runDirectory)
  let supervisor: Supervisor | undefined
  let ports: Ports | undefined
  let stopping: Promise<void> | undefined
  const log = new LogFile({
    ...config.log,
    path: join(runDirectory, LOG_FILE),
    clock: SYSTEM_CLOCK,
    onTrouble: warn,
  })
  const notices = new Notices(tell, () => SYSTEM_CLOCK.steady())
  const sink: LogSink = line => {
    log.write(line)
    notices.see(line)
  }
  const stop = (): Promise<void> => {
    stopping ??= (supervisor?.stop() ?? Promise.resolve()).finally(() => {
      control?.leave()
      // The answer to `npm stop` is on its way.
      SYSTEM_CLOCK.after(50, async () => {
        await log.close()
        process.exit(process.exitCode ?? 0)
      })
    })
    return stopping
  }
  // Before anything else, so that of two that are started at once only one goes on.
  const control = await serveControl(controlSocket(runDirectory), async (command, report) => {
    const [verb, ...names] = command.split(' ')
    const [name = '', more = ''] = names
    if (verb === 'status') return status(config, supervisor, ports, name === 'connections')
    if (verb === 'stop') {
      await stop()
      return { stopped: true }
    }
    if (supervisor === undefined || ports === undefined) throw new UpError('the platform is still starting')
    switch (verb) {
      case 'drain':
        return supervisor.rollOuts.drain(names, report)
      case 'deploy':
        return supervisor.rollOuts.deploy(name, report)
      case 'scale':
        return supervisor.rollOuts.scale(name, Number(more), report)
      case 'move':
        return supervisor.move(name, more)
      case 'restart':
        return supervisor.reloads.relieveGateway()
      default:
        throw new UpError(`no such command: ${command}`)
    }
  }).catch((error: unknown) => {
    removeEmpty(made)
    throw isSystemError(error) ? unusable(runDirectory, error) : error
  })
  if (control === undefined) {
    throw new UpError(
      `hotpotato is already running in ${nameOf(runDirectory)}: ` +
        `stop it with ${how('stop')}, or choose another HOTPOTATO_RUN_DIR`,
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop())

  try {
    await prepareCertificates(config, how)
    if (stopping !== undefined) return
    supervisor = await makeSupervisor(config, provider, sink)
  } catch (error) {
    control.leave()
    throw error
  }
  try {
    ports = await supervisor.start()
    say(await welcome(config, ports, how))
    notices.running = true
  } catch (error) {
    if (stopping !== undefined) return
    const { message } = error as Error
    const path = error instanceof ConfigError ? error.path : undefined
    process.exitCode = path === undefined ? STATUS.failed : STATUS.configuration
    process.stderr.write(`${printable(path === undefined ? message : `${at(path)}: ${message}`)}\n`)
    await stop()
  }
}

async function status(
  { functions }: Config,
  supervisor: Supervisor | undefined,
  ports: Ports | undefined,
  withConnections: boolean,
): Promise<PlatformStatus> {
  const [members = [], connections = []] = await Promise.all([
    supervisor?.status(),
    withConnections ? supervisor?.connections() : undefined,
  ])
  const bounds = new Map([...functions.values()].map(({ name, replicas }) => [name, replicas]))
  return {
    pid: process.pid,
    ports,
    functions: functionStatus(bounds, members),
    members,
    ...(withConnections ? { connections } : {}),
  }
}

/** Chooses by which roads connections will move. @param sink the log */
async function makeSupervisor(config: Config, provider: ChosenProvider, sink: LogSink): Promise<Supervisor> {
  const log = pino({ name: 'supervisor', level: logLevel() }, { write: sink })
  watchWallClock(SYSTEM_CLOCK, log)
  const channel = chooseChannel()
  const stream = await settleStream().catch((error: Error) => {
    throw new UpError(error.message)
  })
  log.info(
    {
      channel: channel.kind,
      why: channel.reason,
      stream: stream.kind,
      whyStream: stream.reason,
      provider: provider.name,
      whyProvider: provider.reason,
    },
    'starting',
  )
  if (channel.kind === 'ipc')
    say(`note: connections move over Node's IPC, which is slower (${channel.reason})`)
  if (stream.missing !== undefined)
    say(`note: connections use net.Socket instead of raw handles, which is slower (${stream.missing})`)

  const planned = plan(config, { channel: channel.kind, provider: provider.name, logLevel: logLevel() })
  const { periodSeconds, failureSeconds, busySeconds, startSeconds } = config.liveness
  const liveness = {
    period: periodSeconds * 1000,
    failure: failureSeconds * 1000,
    busy: busySeconds * 1000,
    start: startSeconds * 1000,
  }
  const output = { sink, bytesPerSecond: config.log.bytesPerSecond }
  return new Supervisor({ ...planned, liveness, channel: channel.kind, output, clock: SYSTEM_CLOCK, log })
}

/**
 * Makes what is missing, and anew what of ours is of no use; what is not ours, and the authority, are named
 * with what their owner can do.
 */
async function prepareCertificates(config: Config, how: (command: string) => string): Promise<void> {
  const { certificates: directory } = config
  const certificates = certificateNames(config)
  const now = Date.now()
  const broken = checkCertificates(directory, certificates, now).filter(({ command }) => command !== MAKE)
  // Messages name the command for a directory of the default configuration.
  const here = (text: string): string =>
    text.replace(/npx hotpotato (certs( --renew)?)/g, (_, one) => how(one))
  if (broken.length > 0) throw new UpError(here(broken.map(({ message }) => message).join('\n')))
  const { made, backups } = await makeCertificates({ directory, certificates, now }).catch(
    (error: unknown) => {
      throw error instanceof CertificateError ? new UpError(here(error.message)) : error
    },
  )
  if (made.length > 0) say(`made throw-away certificates for ${made.join(', ')} in ${nameOf(directory)}/`)
  if (backups.length > 0) say(`what was there before is kept as ${backups.join(', ')}`)
}

/** Refuses what would otherwise be taken for the default, or end in a stack trace. */
function checkVariables(): void {
  for (const [name, values] of Object.entries(VARIABLES)) {
    const value = process.env[name]
    if (value !== undefined && value !== '' && !values.includes(value))
      throw new ConfigError(
        `${name} must be ${values.slice(0, -1).join(', ')} or ${values.at(-1)}, not ${value}`,
      )
  }
}

function logLevel(): string {
  return process.env.HOTPOTATO_LOG_LEVEL || 'info'
}

/**
 * What HOTPOTATO_PROVIDER asks for, or else the fastest that works here. evp is tried in this process,
 * because otherwise every container would fail by itself.
 */
function chooseProvider(): ChosenProvider {
  const name = PROVIDERS.find(one => one === process.env.HOTPOTATO_PROVIDER)
  if (name !== undefined && name !== 'evp') return { name, reason: `HOTPOTATO_PROVIDER=${name}` }
  const probed = probeEvp()
  if (probed.available) return { name: 'evp', reason: 'foreign calls to OpenSSL work' }
  if (name === 'evp') throw new UpError(`HOTPOTATO_PROVIDER=evp does not work here: ${probed.reason}`)
  return { name: 'node', reason: probed.reason }
}
