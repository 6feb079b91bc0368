import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { RollOut } from '../../supervisor/roll-out.ts'
import { CommandError } from '../line/usage-error.ts'
import { CONFIGURATION } from '../platform/configuration.ts'
import { sendCommand } from '../platform/control-socket.ts'
import { type Chosen, order, runDirectoryOf } from '../platform/order.ts'
import { controlSocket } from '../platform/run-directory.ts'
import type { PlatformStatus } from '../platform/status.ts'
import { say } from '../terminal/output.ts'
import { readStack, shown, writeWhole } from './files.ts'

/**
 * Takes a function out of the platform that runs, and out of the stack file if that is asked for.
 * @throws CommandError there is none, or it is the only one; then nothing has changed
 */
export async function removeFunction(
  name: string,
  chosen: Chosen & { readonly file: boolean },
): Promise<void> {
  const file = resolve(chosen.config ?? CONFIGURATION)
  const text = chosen.file ? without(file, name) : undefined
  const running = (await sendCommand(controlSocket(runDirectoryOf(chosen)), 'status')) as
    | PlatformStatus
    | undefined
  const runs = running?.functions.some(one => one.name === name) === true
  // Where nothing is to be done in the file, that it does not run is a mistake.
  const outcome = runs || text === undefined ? await order<RollOut>(`remove ${name}`, chosen) : undefined
  if (text !== undefined) writeWhole(file, text)
  if (chosen.json === true)
    return say(JSON.stringify({ ended: [], moved: 0, ...outcome, file: text !== undefined }))
  if (outcome !== undefined) say(`ended ${outcome.ended.join(', ') || 'nothing: it had no containers'}`)
  if (text !== undefined) say(`took ${name} out of ${shown(file)}`)
}

function without(file: string, name: string): string {
  if (!existsSync(file)) throw new CommandError(`${shown(file)} does not exist`)
  const stack = readStack(file)
  if (!stack.functions.includes(name))
    throw new CommandError(`${shown(file)} has no function ${name}; it has ${stack.functions.join(', ')}`)
  if (stack.functions.length === 1) throw new CommandError(`${name} is the only function of ${shown(file)}`)
  return stack.without(name)
}
