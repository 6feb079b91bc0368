import { parseArgs } from 'node:util'
import { meant } from '../../platform/nearest.ts'
import { UsageError } from './usage-error.ts'

/** What a word of the command line names. */
export type WordKind = 'function' | 'container' | 'file' | 'command'

/**
 * One flag: `switch` is there or not; `text` takes a value; `list` takes several, separated by commas or
 * given several times; `each` one each time that it is given, commas and all.
 */
export interface Flag {
  readonly kind: 'switch' | 'text' | 'list' | 'each'
  /** The same in one letter. */
  readonly short?: string
  /** What stands for its value in the usage, as `PORT`. */
  readonly value?: string
  /** The command itself says what is wrong with an empty list; else that is refused here. */
  readonly mayBeEmpty?: true
  /** The values that there are, if they are few. */
  readonly among?: readonly string[]
  /** Values that completion offers, where there may be others, too. */
  readonly offers?: readonly string[]
  /** What its value names, so that completion can offer what there is. */
  readonly completes?: WordKind
  /** One line. */
  readonly help: string
}

export type Flags = Readonly<Record<string, Flag>>
type ValueOf<F extends Flag> = F['kind'] extends 'switch'
  ? boolean
  : F['kind'] extends 'list' | 'each'
    ? readonly string[] | undefined
    : string | undefined
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: ValueOf<F[K]> }

/**
 * Reads a command line; what is not on it is looked for in the environment: `--early-data` of `serve` is
 * `HOTPOTATO_SERVE_EARLY_DATA`, a switch there is on with `1`.
 * @throws UsageError for a flag that there is not, or one without its value
 */
export function readFlags<const F extends Flags>(
  command: string,
  flags: F,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): { readonly values: FlagValues<F>; readonly positionals: readonly string[] } {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { kind, short }]) => [
      name,
      {
        type: kind === 'switch' ? ('boolean' as const) : ('string' as const),
        multiple: kind === 'list' || kind === 'each',
        ...(short === undefined ? {} : { short }),
      },
    ]),
  )
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const read = (name: string, { kind, among: allowed, mayBeEmpty }: Flag): unknown => {
      const variable = environment[variableOf(command, name)]
      const given = values[name] ?? (variable === '' ? undefined : variable)
      if (kind === 'switch') return given === true || given === '1'
      if (given === undefined) return given
      const all = kind === 'list' ? listOf(given) : [given].flat().map(String)
      if (all.length === 0 && mayBeEmpty !== true)
        throw new UsageError(`--${name} needs a value, and what it is given is empty`)
      for (const one of all) among(name, one, allowed)
      return kind === 'text' ? all[0] : all
    }
    const found = Object.entries(flags).map(([name, flag]) => [name, read(name, flag)])
    return { values: Object.fromEntries(found) as FlagValues<F>, positionals }
  } catch (error) {
    throw usageError(error, `hotpotato ${command} --help`, Object.keys(flags))
  }
}

function listOf(given: unknown): string[] {
  const all = [given].flat().flatMap(one => String(one).split(','))
  return all.filter(one => one !== '')
}

function among(flag: string, given: string, allowed: readonly string[] | undefined): void {
  if (allowed !== undefined && !allowed.includes(given))
    throw new UsageError(
      `--${flag} must be one of ${allowed.join(', ')}, not ${given}${meant(given, allowed)}`,
    )
}

/**
 * What `parseArgs` threw, in one line; anything else as it was.
 * @param help the command that prints the usage @param known the names of the options that there are
 */
export function usageError(error: unknown, help: string, known: readonly string[]): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code?.startsWith('ERR_PARSE_ARGS') !== true) return error
  const [, option, name = ''] = /^Unknown option '(--?([^']*))'/.exec(message) ?? []
  if (option !== undefined)
    return new UsageError(`unknown option ${option}${meant(name, known, '--') || `; see ${help}`}`)
  // What follows the first sentence is advice for options and names that begin with a dash, which no command
  // has.
  return new UsageError(`${message.split(/\.\s|\n/)[0]}; see ${help}`)
}

function variableOf(command: string, flag: string): string {
  return `HOTPOTATO_${command.toUpperCase()}_${flag.toUpperCase().replaceAll('-', '_')}`
}

/** One flag as it is written: `-c, --connections N`. */
export function flagText(name: string, { short, value, among: allowed }: Flag): string {
  const shown = value ?? allowed?.join('|')
  const letter = short === undefined ? '' : `-${short}, `
  return `${letter}--${name}${shown === undefined ? '' : ` ${shown}`}`
}

/** A whole number of a flag. @throws UsageError it is none, or outside of what is allowed */
export function wholeNumber(flag: string, text: string, minimum: number, maximum: number): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= minimum && number <= maximum))
    throw new UsageError(`--${flag} must be a whole number from ${minimum} to ${maximum}, not ${text}`)
  return number
}
