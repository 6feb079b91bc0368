import { join } from 'node:path'
import { meant } from '../../platform/nearest.ts'
import { MissingPackageError } from '../../platform/optional-package.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { wholeNumber } from '../line/flags.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { readConfiguration } from '../platform/configuration.ts'
import { LOG_FILE } from '../platform/run-directory.ts'
import { isColoured, printable, say, warn, write } from '../terminal/output.ts'
import { isUnread } from '../terminal/reader.ts'
import { Follower, statOf } from './follower.ts'
import { prettyLog } from './pretty.ts'
import { accessLine, type Choice, isChosen, isEverything, namesIn } from './selection.ts'
import { sinceOf } from './since.ts'

/** Milliseconds between two looks at the file. */
const INTERVAL = 250
/** Bytes of what was logged before that are shown where it is followed and nothing else is asked for. */
const TAIL = 16_384
/** Names in the log that are no function's and no container's. */
const OTHERS = ['gateway', 'supervisor']

/** What the command line says. */
export interface LogOptions {
  readonly follow: boolean
  readonly since: string | undefined
  readonly tail: string | undefined
  readonly access: boolean
  readonly json: boolean
  readonly pretty: boolean
  readonly config: string | undefined
}

/**
 * Shows the log: what is there, or, followed, its end and what comes to it, until it is interrupted or its
 * reader is gone. It follows the log into a new file.
 * @param name a function, a container, `gateway` or `supervisor`
 * @throws UsageError, CommandError, ConfigError
 */
export async function showLogs(name: string | undefined, options: LogOptions): Promise<void> {
  if (options.json && options.pretty) throw new UsageError('use either --json or --pretty, not both')
  const { follow, access } = options
  const since = options.since === undefined ? undefined : sinceOf(options.since, SYSTEM_CLOCK.wall())
  const choice = { name, since, access }
  const last = options.tail === undefined ? undefined : wholeNumber('tail', options.tail, 0, 1_000_000)
  const { config } = readConfiguration(options.config, process.env)
  const path = join(config.runDirectory, LOG_FILE)
  const found = statOf(path)
  if (found?.isFile() !== true) {
    const why = found === undefined ? 'does not exist' : 'is not a file'
    say(`nothing has been logged yet: ${path} ${why}`)
    process.exitCode = 1
    return
  }
  const show = await shower(options)
  const some = isEverything(choice) && last === undefined
  const follower = new Follower(path, follow && some ? TAIL : undefined)
  const seen = chosen(follower.look(), choice)
  if (name !== undefined) checkName(name, [...config.functions.keys()], path)
  for (const line of last === undefined ? seen : lastOf(seen, last)) await write(show(line))
  while (follow && !isUnread()) {
    for (const line of chosen(follower.look(), choice)) await write(show(line))
    await new Promise(resolve => SYSTEM_CLOCK.after(INTERVAL, () => resolve(undefined)))
  }
  follower.close()
}

function* chosen(lines: Iterable<string>, choice: Choice): Generator<string> {
  const all = isEverything(choice)
  for (const line of lines) if (line !== '' && (all || isChosen(line, choice))) yield line
}

/** The last lines, so many at most; no more of them are kept. */
function lastOf(lines: Iterable<string>, count: number): readonly string[] {
  let kept: string[] = []
  const cut = (): void => {
    kept = kept.slice(Math.max(0, kept.length - count))
  }
  for (const line of lines) {
    kept.push(line)
    // To cut rarely costs less than to shift each time.
    if (kept.length > 2 * count + 1024) cut()
  }
  cut()
  return kept
}

/** What makes text of a line: for people on a terminal, or as it stands. */
async function shower({ access, json, pretty }: LogOptions): Promise<(line: string) => string> {
  const terminal = process.stdout.isTTY === true
  const plain = (text: string): string => `${terminal ? printable(text) : text}\n`
  if (access) return line => plain(accessLine(line))
  if (json || !(pretty || terminal)) return plain
  return prettyLog(isColoured(terminal, process.env)).catch((error: unknown) => {
    if (!(error instanceof MissingPackageError)) throw error
    warn(error.message)
    return plain
  })
}

/** A name that is misspelt would show nothing, and look as if there were nothing. */
function checkName(name: string, functions: readonly string[], path: string): void {
  const replica = functions.some(one => new RegExp(`^${one}-\\d+$`).test(name))
  if (replica || functions.includes(name) || OTHERS.includes(name)) return
  const follower = new Follower(path, undefined)
  const logged = namesIn(follower.look())
  follower.close()
  if (logged.has(name)) return
  const known = [...functions, ...OTHERS]
  throw new CommandError(
    `there is no function or container ${name}${meant(name, known) || `; there are ${known.join(', ')}`}`,
  )
}
