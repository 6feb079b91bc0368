#!/usr/bin/env node
import { CertificateError } from '../certificates/load.ts'
import { MissingPackageError } from '../platform/optional-package.ts'
import { ConfigError } from '../stack/config.ts'
import type { RollOut, Step } from '../supervisor/roll-out.ts'
import type { Moved } from '../supervisor/sessions.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { readCommandLine, TOOLS } from './command-line.ts'
import { readConfiguration } from './configuration.ts'
import { type Command, sendCommand } from './control-socket.ts'
import { hint } from './hint.ts'
import { guardOutput, isSystemError, printable, say } from './output.ts'
import { Progress } from './progress.ts'
import { controlSocket } from './run-directory.ts'
import { type PlatformStatus, statusText } from './status.ts'
import { usage } from './usage.ts'
import { CommandError, STATUS, UsageError } from './usage-error.ts'
import { versionText } from './version.ts'

/** The `hotpotato` command. */
async function main(): Promise<void> {
  const words = process.argv.slice(2)
  const tool = TOOLS.find(one => one === words[words[0] === 'help' ? 1 : 0])
  guardOutput()
  // Loaded when asked for: what they need would cost the other commands time.
  if (tool !== undefined) return (await toolNamed(tool))(words[0] === 'help' ? ['--help'] : words.slice(1))
  const { command, names, help, about, version, options } = readCommandLine(words)
  if (version) return say(versionText())
  if (command === undefined) {
    say(usage(about))
    if (!help) process.exitCode = STATUS.usage
    return
  }
  const [file = '', count = ''] = names
  const { config, as = 'envelope', secrets = false } = options
  const runDirectory = (): string => readConfiguration(config, process.env).config.runDirectory
  switch (command) {
    case 'up':
      return (await import('./up.ts')).up(config, {
        ...process.env,
        ...(options.carrier === undefined ? {} : { HOTPOTATO_CARRIER: options.carrier }),
        ...(options.duplicate ? { HOTPOTATO_DUPLICATE: 'true' } : {}),
      })
    case 'stop':
      return stop(runDirectory())
    case 'status':
      return status(runDirectory(), options)
    case 'logs':
      return (await import('./logs.ts')).followLogs(runDirectory())
    case 'drain':
      return rollOut(runDirectory(), `drain ${names.join(' ')}`, options)
    case 'deploy':
      return rollOut(runDirectory(), `deploy ${file}`, options)
    case 'scale':
      return rollOut(runDirectory(), `scale ${file} ${Number(count)}`, options)
    case 'move':
      return move(runDirectory(), file.toLowerCase(), count, options)
    case 'restart':
      return rollOut(runDirectory(), 'restart gateway', options)
    case 'inspect':
    case 'verify':
      await look(command, file, { as, secrets })
      return
  }
}

async function toolNamed(name: (typeof TOOLS)[number]): Promise<(args: readonly string[]) => Promise<void>> {
  switch (name) {
    case 'certs':
      return (await import('./certs.ts')).certs
    case 'serve':
      return (await import('./serve/serve.ts')).serve
    case 'connect':
      return (await import('./connect/connect.ts')).connect
    case 'stress':
      return (await import('./stress/stress.ts')).stress
  }
}

async function stop(runDirectory: string): Promise<void> {
  const answer = await sendCommand(controlSocket(runDirectory), 'stop')
  say(answer === undefined ? 'hotpotato is not running' : 'stopped')
}

async function look(
  command: 'inspect' | 'verify',
  file: string,
  options: { readonly as: string; readonly secrets: boolean },
): Promise<void> {
  const { inspect, verify } = await import('./inspect.ts')
  if (command === 'inspect') {
    const { text, whole } = inspect(file, options.as, options.secrets)
    say(text)
    if (!whole) process.exitCode = STATUS.failed
    return
  }
  const faults = verify(file, options.as)
  for (const { where, what } of faults) say(`${where}: ${what}`)
  if (faults.length === 0) say('no fault found')
  else process.exitCode = STATUS.failed
}

/**
 * Has the platform do something, and says what it is at; with `json` it says nothing but the answer.
 * @throws CommandError it could not, or nothing runs
 */
async function order<T extends object>(
  runDirectory: string,
  command: Command,
  { json = false, config }: Shown,
): Promise<T> {
  const progress = new Progress(process.stderr, () => SYSTEM_CLOCK.steady())
  const onStep = json ? undefined : (step: Step) => progress.show(step)
  const answer = (await sendCommand(controlSocket(runDirectory), command, onStep).finally(() =>
    progress.end(),
  )) as T | { readonly error: string } | undefined
  if (answer === undefined) throw new CommandError(notRunning(config))
  if ('error' in answer) throw new CommandError(answer.error)
  return answer
}

type Shown = { readonly json?: boolean | undefined; readonly config?: string | undefined }

function notRunning(config: string | undefined): string {
  return `hotpotato is not running; start it with ${hint('up', config, process.env)}`
}

/** Has connections moved, and says how that went. */
async function rollOut(runDirectory: string, command: Command, shown: Shown): Promise<void> {
  const outcome = await order<RollOut>(runDirectory, command, shown)
  if (shown.json) return say(JSON.stringify(outcome))
  const { started = [], ended, moved } = outcome
  if (started.length > 0) say(`started ${started.join(', ')}`)
  const connections = moved === 1 ? 'connection' : 'connections'
  if (ended.length > 0) say(`moved ${moved} ${connections}, ended ${ended.join(', ')}`)
  if (started.length + ended.length === 0) say('nothing to do')
}

async function move(
  runDirectory: string,
  connection: string,
  container: string,
  shown: Shown,
): Promise<void> {
  const moved = await order<Moved>(runDirectory, `move ${connection} ${container}`, shown)
  if (shown.json) return say(JSON.stringify(moved))
  say(`moved ${moved.connection} from ${moved.from} to ${moved.to}, generation ${moved.generation}`)
}

async function status(
  runDirectory: string,
  { json = false, connections = false, config }: Shown & { readonly connections?: boolean | undefined },
): Promise<void> {
  const command = connections ? 'status connections' : 'status'
  const answer = (await sendCommand(controlSocket(runDirectory), command)) as PlatformStatus | undefined
  if (answer === undefined) {
    say(notRunning(config))
    process.exitCode = STATUS.failed
    return
  }
  say(json ? JSON.stringify(answer) : statusText(answer))
}

function statusOf(error: unknown): number {
  if (error instanceof UsageError) return STATUS.usage
  return error instanceof ConfigError ? STATUS.configuration : STATUS.failed
}

main().catch((error: unknown) => {
  const expected =
    error instanceof ConfigError ||
    error instanceof CertificateError ||
    error instanceof CommandError ||
    error instanceof MissingPackageError ||
    error instanceof UsageError ||
    isSystemError(error)
  console.error(expected ? printable((error as Error).message) : error)
  process.exitCode = statusOf(error)
})
