import { readConfiguration } from '../platform/configuration.ts'
import { sendCommand } from '../platform/control-socket.ts'
import { controlSocket } from '../platform/run-directory.ts'
import type { PlatformStatus } from '../platform/status.ts'
import { say } from '../terminal/output.ts'

/** Prints what Tab offers: names of the platform that runs, or of the stack file; else nothing. */
export async function printNames(kind: string, config: string | undefined): Promise<void> {
  const names = await namesOf(kind, config).catch(() => [])
  if (names.length > 0) say(names.join('\n'))
}

async function namesOf(kind: string, file: string | undefined): Promise<readonly string[]> {
  const { config } = readConfiguration(file, process.env)
  const status = (await sendCommand(controlSocket(config.runDirectory), 'status')) as
    | PlatformStatus
    | undefined
  const functions = status?.functions.map(({ name }) => name) ?? [...config.functions.keys()]
  if (kind === 'function') return functions
  const members = status?.members ?? []
  return members.filter(({ role }) => role === 'container').map(({ name }) => name)
}
