import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { ENVIRONMENT } from '../../stack/config.ts'
import { wholeNumber } from '../line/flags.ts'
import { UsageError } from '../line/usage-error.ts'
import { note } from '../terminal/output.ts'
import { up } from '../up/up.ts'
import { functionFor } from './entry.ts'

/** What the command line says. */
export interface LocalRunOptions {
  readonly watch: boolean
  readonly port: string | undefined
  readonly env: readonly string[] | undefined
  readonly lang: string | undefined
  readonly mode: string | undefined
  readonly config: string | undefined
}

/**
 * Runs one function alone until Ctrl-C: with a stack file, certificates and a run directory of its own, which
 * go with it, on ports that are free.
 * @param what a function of the stack file, a shipped one, a file or a folder
 * @throws UsageError, CommandError, ConfigError
 */
export async function localRun(what: string, options: LocalRunOptions): Promise<void> {
  const { watch, lang, mode, config } = options
  const port = wholeNumber('port', options.port ?? '0', 0, 65_535)
  const { name, entry } = functionFor(what, { lang, mode, config, environment: environmentOf(options.env) })
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-local-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'hotpotato.yml')
  const stack = {
    gateway: { http: port, https: 0, defaultFunction: name },
    rehearsals: 0,
    functions: { [name]: entry },
  }
  writeFileSync(file, stringify(stack))
  // Those are for the platform of the stack file.
  const variables = Object.fromEntries(
    Object.entries(process.env).filter(([variable]) => !Object.hasOwn(ENVIRONMENT, variable)),
  )
  await up(file, variables, {
    watch,
    greet: ({ http, https }) =>
      [
        `${name} is running at http://localhost:${http}/ and https://${name}.localhost:${https}/`,
        `what it prints stands below; Ctrl-C ends it${watch ? '; a change of its files starts it anew' : ''}`,
      ].join('\n'),
    see: line => show(line, name),
  })
}

/** What a function prints and logs, as it said it. */
function show(line: string, functionName: string): void {
  const { name, msg, level } = JSON.parse(line) as { name?: unknown; msg?: unknown; level?: unknown }
  if (typeof name !== 'string' || !name.startsWith(`${functionName}-`) || typeof msg !== 'string') return
  // Why it cannot start is said by `up`.
  if (msg === 'cannot start') return
  // What the container says of itself is of no use here, but for faults.
  const own = line.includes('"stream":') || line.includes('"callId":')
  if (own || Number(level) >= ERROR) note(msg)
}

/** A level of pino. */
const ERROR = 50

function environmentOf(given: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    given.map(one => {
      const at = one.indexOf('=')
      if (at < 1) throw new UsageError(`--env must be NAME=VALUE, not ${one}`)
      return [one.slice(0, at), one.slice(at + 1)]
    }),
  )
}
