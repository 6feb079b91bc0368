import { accessSync, constants, lstatSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeDirectory, removeEmpty } from '../../certificates/directory.ts'
import { CommandError } from '../line/usage-error.ts'
import { warn } from '../terminal/output.ts'

/** What every process logs, as JSON lines. */
export const LOG_FILE = 'hotpotato.log'

/** What `hotpotato ui` gives a browser to open: it leads to the page, with the token. */
export const OPENED_PAGE = 'page.html'

/** Where the running platform takes commands. */
export function controlSocket(runDirectory: string): string {
  return join(runDirectory, 'control.sock')
}

/** Where a command answers handshakes for proofs, while a platform runs (RFC 8737). */
export function commandResponder(runDirectory: string): string {
  return join(runDirectory, 'acme-command.sock')
}

/**
 * Makes the run directory if it is not there, with the directories above it, and sees to it that it is this
 * user's alone.
 * @param directory absolute
 * @returns the directories that were made
 * @throws CommandError in one line what is wrong; then nothing has been made
 */
export function makeRunDirectory(directory: string): readonly string[] {
  let made: readonly string[] = []
  try {
    made = makeDirectory(directory)
    check(directory)
    return made
  } catch (error) {
    removeEmpty(made)
    throw error instanceof CommandError ? error : unusable(directory, error)
  }
}

/** That the run directory is of no use, as Node words what the system says. */
export function unusable(directory: string, cause: unknown): CommandError {
  const why = (cause as Error).message
  return new CommandError(
    `the run directory ${directory} cannot be used: ${why}; choose another HOTPOTATO_RUN_DIR`,
  )
}

function check(directory: string): void {
  const found = statSync(directory)
  const { uid, mode } = found
  const own = process.geteuid?.()
  if (!found.isDirectory()) throw unusable(directory, new Error('it is not a directory'))
  if (uid !== own) throw unusable(directory, new Error(`it belongs to another user (${uid})`))
  if ((mode & 0o077) !== 0)
    throw new CommandError(
      `the run directory ${directory} must be accessible to you alone: ` +
        'chmod 700 it, or choose another HOTPOTATO_RUN_DIR',
    )
  const link = lstatSync(directory)
  if (link.isSymbolicLink() && link.uid !== own && link.uid !== 0)
    throw unusable(directory, new Error('it is a symbolic link of another user'))
  accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  const above = dirname(directory)
  const { mode: open } = statSync(above)
  if ((open & 0o002) !== 0 && (open & 0o1000) === 0)
    warn(`note: any user can replace the run directory, because ${above} is open to all: chmod o-w it`)
}
