import { existsSync } from 'node:fs'
import { CONFIGURATION } from './configuration.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** Commands that have a script of npm of their own, which is shorter. */
const SCRIPTS: Readonly<Record<string, string>> = {
  up: 'npm start',
  stop: 'npm stop',
  status: 'npm run status',
  'logs -f': 'npm run logs',
}

/**
 * How a user gives another command to the same platform: with the same configuration, and the same run
 * directory or directory of certificates, as this one.
 * @param command as `stop` @param config what `--config` says; undefined: nothing
 * @param variables the environment
 */
export function hint(command: string, config: string | undefined, variables: Variables): string {
  const { npm_lifecycle_event: script } = variables
  const needed = command.startsWith('certs') ? 'HOTPOTATO_CERTS_DIR' : 'HOTPOTATO_RUN_DIR'
  const place = variables[needed]
  const prefix = place === undefined || place === '' ? '' : `${needed}=${quoted(place)} `
  const file = config === undefined || config === CONFIGURATION ? '' : ` --config ${quoted(config)}`
  const byScript = file === '' && script !== undefined && Object.hasOwn(SCRIPT_NAMES, script)
  return `${prefix}${(byScript ? SCRIPTS[command] : undefined) ?? `npx --no hotpotato ${command}`}${file}`
}

/**
 * That no platform runs. One that was started in another folder is not found from here: that is said where
 * the folder has no stack file, and nothing else names the platform. @param config, variables as {@link hint}
 */
export function noneRuns(config: string | undefined, variables: Variables): string {
  const { HOTPOTATO_RUN_DIR: place = '' } = variables
  const elsewhere = config === undefined && place === '' && !existsSync(CONFIGURATION)
  return `hotpotato is not running${elsewhere ? ` in this folder, which has no ${CONFIGURATION}` : ''}`
}

/** The scripts by which a user may have started this process. */
const SCRIPT_NAMES: Readonly<Record<string, true>> = { start: true, stop: true, status: true, logs: true }

/** As a shell takes it. */
export function quoted(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
