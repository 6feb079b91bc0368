import { ConfigError } from '../../stack/readers.ts'
import type { RollOut, Step } from '../../supervisor/roll-out.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { CommandError, STATUS } from '../line/usage-error.ts'
import { say, warn } from '../terminal/output.ts'
import { Progress } from '../terminal/progress.ts'
import { readRunDirectory } from './configuration.ts'
import { type Command, PlatformEndedError, type Refusal, sendCommand } from './control-socket.ts'
import { hint, noneRuns } from './hint.ts'
import { misnamed } from './orders.ts'
import { controlSocket } from './run-directory.ts'

/** What the user chose: how the answer is shown, and which platform is meant. */
export interface Chosen {
  readonly json?: boolean | undefined
  readonly config: string | undefined
}

/**
 * Where the platform of a stack file runs. What runs was started before the file was changed: one that makes
 * no sense now serves for that as far as it can be read.
 * @throws ConfigError there is no such file, or it says nonsense of this
 */
export function runDirectoryOf({ config }: Pick<Chosen, 'config'>): string {
  return readRunDirectory(config, process.env)
}

/** What is said where a platform is needed and none runs. */
export function notRunning(config: string | undefined): string {
  return `${noneRuns(config, process.env)}; start it with ${hint('up', config, process.env)}`
}

/**
 * Asks the running platform something. @param onStep called with what it is at, while it lasts
 * @throws CommandError nothing runs, or it could not
 */
export async function ask<T extends object>(
  command: Command,
  { config }: Pick<Chosen, 'config'>,
  onStep?: (step: Step) => void,
): Promise<T> {
  const wrong = misnamed(command)
  if (wrong !== undefined)
    throw new CommandError(
      `nothing here can have the name ${JSON.stringify(wrong)}: a name has at most 63 of a-z, 0-9 and -`,
    )
  const answer = (await sendCommand(controlSocket(runDirectoryOf({ config })), command, onStep).catch(
    (error: unknown) => {
      if (!(error instanceof PlatformEndedError)) throw error
      throw new CommandError(`${error.message}; ${hint('up', config, process.env)} starts it again`)
    },
  )) as T | Refusal | undefined
  if (answer === undefined) throw new CommandError(notRunning(config))
  if ('error' in answer)
    throw answer.configuration ? new ConfigError(answer.error) : new CommandError(answer.error)
  return answer
}

/**
 * Has the platform do something, and says what it is at; with `json` it says nothing but the answer.
 * @throws CommandError it could not, or nothing runs
 */
export async function order<T extends object>(command: Command, chosen: Chosen): Promise<T> {
  const progress = new Progress(process.stderr, () => SYSTEM_CLOCK.steady())
  const onStep = chosen.json === true ? undefined : (step: Step) => progress.show(step)
  const breakOff = (): void => {
    progress.end()
    warn(`the platform goes on with it; ${hint('status', chosen.config, process.env)} shows how far it is`)
    process.exit(STATUS.interrupted)
  }
  process.on('SIGINT', breakOff)
  return ask<T>(command, chosen, onStep).finally(() => {
    progress.end()
    process.off('SIGINT', breakOff)
  })
}

/** Has connections moved, and says how that went. */
export async function rollOut(command: Command, chosen: Chosen): Promise<void> {
  const outcome = await order<RollOut>(command, chosen)
  if (chosen.json === true) return say(JSON.stringify(outcome))
  const { started = [], ended, moved, stayed = [] } = outcome
  if (started.length > 0) say(`started ${started.join(', ')}`)
  const connections = moved === 1 ? 'connection' : 'connections'
  if (ended.length > 0) say(`moved ${moved} ${connections}, ended ${ended.join(', ')}`)
  if (stayed.length > 0) say(`stayed, since no other host has their functions: ${stayed.join(', ')}`)
  if (started.length + ended.length + stayed.length === 0) say('nothing to do')
}
