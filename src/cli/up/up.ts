import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { removeEmpty } from '../../certificates/directory.ts'
import { type Config, ConfigError } from '../../stack/config.ts'
import type { PlanOptions } from '../../stack/plan.ts'
import { Admin } from '../../supervisor/admin/admin.ts'
import { survey } from '../../supervisor/cgroups/hierarchy.ts'
import type { LogSink } from '../../supervisor/child-output.ts'
import { unheld } from '../../supervisor/isolation/holders.ts'
import { LogFile } from '../../supervisor/log-file.ts'
import { type Ports, Supervisor } from '../../supervisor/supervisor.ts'
import { watchWallClock } from '../../supervisor/wall-clock.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { chooseChannel } from '../../transfer/channel.ts'
import { settleStream } from '../../transfer/stream-trial.ts'
import { certificatesIn, takenFrom } from '../cert/status.ts'
import { STATUS } from '../line/usage-error.ts'
import { CONFIGURATION, type FoundConfig, readConfiguration } from '../platform/configuration.ts'
import { serveControl } from '../platform/control-socket.ts'
import { hint } from '../platform/hint.ts'
import {
  controlSocket,
  LOG_FILE,
  makeRunDirectory,
  OPENED_PAGE,
  unusable,
} from '../platform/run-directory.ts'
import { functionStatus, type PlatformStatus, TEACHES } from '../platform/status.ts'
import { Terminal } from '../terminal/hang-up.ts'
import { isSystemError, outlastOutput, printable, say, tell, warn } from '../terminal/output.ts'
import { Notices } from './notices.ts'
import { ordersFor } from './orders.ts'
import { checkVariables, chooseProvider, logLevel, prepareCertificates, UpError } from './preparation.ts'
import { reloadText } from './reload-text.ts'
import { Renewals } from './renewals.ts'
import { planOf, Running } from './running.ts'
import { checkValues } from './values.ts'
import { Watching } from './watch/watching.ts'
import { nameOf, welcome } from './welcome.ts'

/** How `up` shows itself. */
export interface UpOptions {
  /** Whether changes of the stack file and of functions are followed. */
  readonly watch?: boolean
  /** Whether the admin port is opened also where the stack file names none, and the page is named. */
  readonly ui?: boolean
  /** What is said when everything is running; by default the welcome. */
  readonly greet?: (ports: Ports) => string
  /** Is told each line of the log. */
  readonly see?: LogSink
}

/**
 * Starts the platform and keeps it running until it is told to stop.
 * @param variables what goes before the configuration, as in the environment
 * @throws UpError, ConfigError
 */
export async function up(
  configFile: string | undefined,
  variables: Readonly<Record<string, string | undefined>>,
  { watch = false, ui = false, greet, see = () => {} }: UpOptions = {},
): Promise<void> {
  const read = (): FoundConfig => readConfiguration(configFile, variables)
  const { config, warnings, files, shipped, at, file } = read()
  const how = (command: string): string => hint(command, configFile, process.env)
  outlastOutput()
  if (shipped) say(`note: there is no ${CONFIGURATION} here: the one that comes with hotpotato is used`)
  for (const warning of warnings) say(`note: ${warning}`)
  if (config.teach) say(TEACHES)
  const cgroups = survey()
  const missing = [...config.functions.values()].flatMap(one => unheld(one, cgroups))
  for (const note of missing) say(`note: ${note}`)
  checkVariables()
  const provider = chooseProvider()
  await checkValues({ config, at }, provider.name)
  const { runDirectory } = config
  const made = makeRunDirectory(runDirectory)
  let supervisor: Supervisor | undefined
  let running: Running | undefined
  let renewals: Renewals | undefined
  let admin: Admin | undefined
  let watching: Watching | undefined
  let ports: PlatformStatus['ports']
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
    see(line)
  }
  const stop = (): Promise<void> => {
    watching?.close()
    renewals?.stop()
    stopping ??= (supervisor?.stop() ?? Promise.resolve()).finally(() => {
      admin?.close()
      try {
        rmSync(join(runDirectory, OPENED_PAGE), { force: true })
      } catch {
        // The directory is a file by now, or read only. The token in the page is worth nothing any more.
      }
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
  const look = (connections: boolean): Promise<PlatformStatus> =>
    status(running?.config ?? config, supervisor, ports, connections)
  const page = async (): Promise<string> => {
    const { host, port = 0 } = config.admin
    admin ??= await Admin.open({ host, port }, () => supervisor)
    if (ports !== undefined) ports = { ...ports, admin: admin.port }
    return admin.page
  }
  const orders = ordersFor(
    { look, stop, page },
    () => supervisor && running && renewals && ports && { supervisor, running, renewals, ports },
  )
  const control = await serveControl(controlSocket(runDirectory), (order, report) =>
    orders[order.verb](order.words, report),
  ).catch((error: unknown) => {
    removeEmpty(made)
    throw isSystemError(error) ? unusable(runDirectory, error) : error
  })
  if (control === undefined) {
    throw new UpError(
      `hotpotato is already running in ${nameOf(runDirectory)}: ` +
        `stop it with ${how('stop')}, or choose another HOTPOTATO_RUN_DIR`,
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      // The second one: other hosts are not waited for.
      if (stopping !== undefined) supervisor?.hurry()
      void stop()
    })
  const terminal = new Terminal()
  process.on('SIGHUP', () => {
    if (terminal.isGone()) void stop()
    else void reloadNow(running)
  })

  try {
    await prepareCertificates(config, how)
    if (stopping !== undefined) return
    // Before functions are told of them: what comes later is told anew.
    const taken = takenFrom(config.certificates)
    const channel = chooseChannel()
    const options = { channel: channel.kind, provider: provider.name, logLevel: logLevel(), files }
    supervisor = await makeSupervisor(config, options, sink, {
      provider: provider.reason,
      channel: channel.reason,
      missing,
    })
    const changed = (next: Config): void => renewals?.follow(next)
    running = new Running({ config, warnings }, supervisor, { read, options, how, changed })
    renewals = makeRenewals(config, supervisor, running, sink, taken)
  } catch (error) {
    control.leave()
    throw error
  }
  try {
    if (ui || config.admin.port !== undefined) await page()
    ports = { ...(await supervisor.start()), ...(admin && { admin: admin.port }) }
    const broken = await brokenOf(config, supervisor, watch)
    const greeting = greet?.(ports) ?? (await welcome(config, { ...ports, page: admin?.page }, broken, how))
    // Who reads the welcome may save a file at once.
    if (watch) watching = new Watching(running, file, SYSTEM_CLOCK)
    say(greeting)
    notices.running = true
    renewals.follow(running.config)
  } catch (error) {
    if (stopping !== undefined) return
    const { message } = error as Error
    const path = error instanceof ConfigError ? error.path : undefined
    process.exitCode = path === undefined ? STATUS.failed : STATUS.configuration
    process.stderr.write(`${printable(path === undefined ? message : `${at(path)}: ${message}`)}\n`)
    await stop()
  }
}

/**
 * Functions that cannot start; each was said when it failed.
 * @throws UpError none can, and no change is waited for
 */
async function brokenOf(
  config: Config,
  supervisor: Supervisor,
  watch: boolean,
): Promise<ReadonlySet<string>> {
  const { functions } = await status(config, supervisor, undefined, false)
  const broken = functions.filter(one => one.broken !== undefined)
  if (broken.length === functions.length && !watch) throw new UpError('no function can start')
  return new Set(broken.map(({ name }) => name))
}

async function status(
  { functions, certificates, tls, teach }: Config,
  supervisor: Supervisor | undefined,
  ports: PlatformStatus['ports'],
  withConnections: boolean,
): Promise<PlatformStatus> {
  const [members = [], connections = []] = await Promise.all([
    supervisor?.status(),
    withConnections ? supervisor?.sessions.list() : undefined,
  ])
  const bounds = new Map([...functions.values()].map(({ name, replicas }) => [name, replicas]))
  return {
    pid: process.pid,
    ports,
    functions: functionStatus(bounds, members, supervisor?.far),
    members,
    changes: supervisor?.changes ?? [],
    ...(teach ? { teaches: true as const } : {}),
    ...(tls.acme === undefined ? {} : { certificates: certificatesIn(certificates) }),
    ...(withConnections ? { connections, silent: supervisor?.sessions.silent ?? [] } : {}),
  }
}

function makeRenewals(
  config: Config,
  supervisor: Supervisor,
  running: Running,
  sink: LogSink,
  taken: Readonly<Record<string, string>>,
): Renewals {
  return new Renewals({
    clock: SYSTEM_CLOCK,
    log: pino({ name: 'supervisor', level: logLevel() }, { write: sink }),
    output: { sink, bytesPerSecond: config.log.bytesPerSecond },
    logLevel: logLevel(),
    prove: proofs => supervisor.proving.prove(proofs),
    take: () => running.renewed(() => {}),
    taken,
  })
}

/** Takes the stack file anew because of a signal, and says on the terminal what that did. */
async function reloadNow(running: Running | undefined): Promise<void> {
  if (running === undefined) return warn('the platform is still starting; the signal is not heard')
  try {
    for (const line of reloadText(await running.reload(() => {}))) say(line)
  } catch (error) {
    warn((error as Error).message)
  }
}

/**
 * Chooses by which roads connections will move.
 * @param sink the log @param why what was chosen already, and for which reason; what is missing
 */
async function makeSupervisor(
  config: Config,
  options: Omit<PlanOptions, 'digest'>,
  sink: LogSink,
  why: { readonly provider: string; readonly channel: string; readonly missing: readonly string[] },
): Promise<Supervisor> {
  const log = pino({ name: 'supervisor', level: options.logLevel }, { write: sink })
  watchWallClock(SYSTEM_CLOCK, log)
  const { channel, provider } = options
  const stream = await settleStream().catch((error: Error) => {
    throw new UpError(error.message)
  })
  log.info(
    {
      channel,
      why: why.channel,
      stream: stream.kind,
      whyStream: stream.reason,
      provider,
      whyProvider: why.provider,
    },
    'starting',
  )
  for (const note of why.missing) log.warn(note)
  if (channel === 'ipc') say(`note: connections move over Node's IPC, which is slower (${why.channel})`)
  if (stream.missing !== undefined)
    say(`note: connections use net.Socket instead of raw handles, which is slower (${stream.missing})`)

  const { periodSeconds, failureSeconds, busySeconds, startSeconds } = config.liveness
  const liveness = {
    period: periodSeconds * 1000,
    failure: failureSeconds * 1000,
    busy: busySeconds * 1000,
    start: startSeconds * 1000,
  }
  const output = { sink, bytesPerSecond: config.log.bytesPerSecond }
  const planned = planOf(config, options)
  return new Supervisor({ ...planned, liveness, channel, output, clock: SYSTEM_CLOCK, log })
}
