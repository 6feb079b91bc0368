import { join } from 'node:path'

/** What every process logs, as JSON lines. */
export const LOG_FILE = 'hotpotato.log'

/** Where the running platform takes commands. */
export function controlSocket(runDirectory: string): string {
  return join(runDirectory, 'control.sock')
}
