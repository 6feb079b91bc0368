import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rightsFor } from '../../netd/rights.ts'
import { becomeLocked } from '../../transfer/native/become.ts'
import { keepOnly } from '../../transfer/native/capabilities.ts'
import { loadDeafProgram } from '../../transfer/native/deaf-program.ts'
import { ErrnoError } from '../../transfer/native/libc.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'

const MAIN = fileURLToPath(new URL('../../netd/main.js', import.meta.url))

/**
 * Becomes netd: gives all rights away but the one or two that it needs, belongs to the user whose platform it
 * serves, and is another program from then on.
 * @throws CommandError the rights are not there @throws UsageError a port that is none
 */
export function becomeNetd(file: string | undefined, asked: readonly string[] | undefined): never {
  const { config } = readConfiguration(file, process.env)
  const { http, https } = config.gateway
  const ports = asked === undefined ? [http, https] : asked.map(portOf)
  const { uid, gid } = ownerOf(config.runDirectory)
  // The right to load it goes with all others; its descriptor stays.
  const program = loadDeafProgram()
  try {
    keepOnly(rightsFor(new Set(ports)), uid, gid)
  } catch (error) {
    if (!(error instanceof ErrnoError) && (error as NodeJS.ErrnoException).code !== 'EPERM') throw error
    throw new CommandError(
      `netd needs CAP_NET_ADMIN (${(error as Error).message}): start it as root, or by ` +
        'setpriv --inh-caps +net_admin --ambient-caps +net_admin',
    )
  }
  const descriptors = program === undefined ? [0, 1, 2] : [0, 1, 2, program]
  const words = [config.runDirectory, String(program ?? 'classic'), ...ports.map(String)]
  becomeLocked(undefined, descriptors, process.execPath, [MAIN, ...words])
}

function portOf(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535)
    throw new UsageError(`--ports takes ports from 1 to 65535, not ${text}`)
  return port
}

function ownerOf(directory: string): { readonly uid: number; readonly gid: number } {
  try {
    return statSync(directory)
  } catch {
    throw new CommandError(
      `the run directory ${directory} is not there; netd serves the user that it belongs to: ` +
        'start the platform first',
    )
  }
}
