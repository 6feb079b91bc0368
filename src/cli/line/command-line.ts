import { meant } from '../../platform/nearest.ts'
import { type AnyCommand, commandNamed, namesOf, type Table, type Words } from './command.ts'
import { type Flags, type FlagValues, readFlags } from './flags.ts'
import { UsageError } from './usage-error.ts'

/** A command line that made sense: what is asked about, or what is to be done. */
export type CommandLine =
  | { readonly kind: 'version' }
  /** undefined: about all commands. */
  | { readonly kind: 'help'; readonly about: AnyCommand | undefined }
  /** There is no command on it. */
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'command'
      readonly command: AnyCommand
      readonly options: FlagValues<Flags>
      readonly words: readonly string[]
    }

/** Options that may stand before the command, and whether a value follows. */
const LEADING: Readonly<Record<string, boolean>> = { '--config': true, '--json': false }
const HELP = ['-h', '--help']
const VERSION = ['-V', '--version']

/**
 * Reads a command line. It refuses what the command would not look at: a word too many is a mistake, too.
 * @param args what follows the program's name @param variables the environment
 * @throws UsageError there is no such command or option, or the command does not take what follows it
 */
export async function readCommandLine(
  args: readonly string[],
  variables: NodeJS.ProcessEnv,
  table: Table,
): Promise<CommandLine> {
  const [name, ...rest] = commandFirst(args)
  if (name === undefined) return { kind: 'nothing' }
  if (name === 'version' || VERSION.includes(name)) return { kind: 'version' }
  if (name === 'help' || HELP.includes(name)) {
    const [about = '-'] = rest
    return { kind: 'help', about: about.startsWith('-') ? undefined : await named(about, table) }
  }
  if (name.startsWith('-')) {
    const known = [...Object.keys(LEADING), '--help', '--version'].map(one => one.slice(2))
    const advice = meant(name.replace(/^-+/, ''), known, '--') || '; see hotpotato --help'
    throw new UsageError(`unknown option ${name}${advice}`)
  }
  const command = await named(name, table)
  const own = rest.slice(0, rest.includes('--') ? rest.indexOf('--') : rest.length)
  if (own.some(word => HELP.includes(word))) return { kind: 'help', about: command }
  if (own.some(word => VERSION.includes(word))) return { kind: 'version' }
  return { kind: 'command', command, ...readArguments(command, rest, variables) }
}

/**
 * Reads what follows a command.
 * @throws UsageError the command does not take it
 */
export function readArguments<F extends Flags>(
  command: Pick<AnyCommand, 'name' | 'words' | 'fromEnvironment'> & { readonly options: F },
  args: readonly string[],
  variables: NodeJS.ProcessEnv,
): { readonly options: FlagValues<F>; readonly words: readonly string[] } {
  const { name, options: flags, fromEnvironment } = command
  const { values, positionals } = readFlags(name, flags, args, fromEnvironment === true ? variables : {})
  check(name, command.words, positionals)
  return { options: values, words: positionals }
}

/** The same with what may stand before the command behind it. */
function commandFirst(args: readonly string[]): readonly string[] {
  let at = 0
  while (at < args.length && Object.hasOwn(LEADING, args[at]!.split('=', 1)[0]!))
    at += LEADING[args[at]!] === true ? 2 : 1
  return [...args.slice(at, at + 1), ...args.slice(0, at), ...args.slice(at + 1)]
}

async function named(name: string, table: Table): Promise<AnyCommand> {
  const known = [...namesOf(table), 'help', 'version']
  const command = await commandNamed(table, name)
  if (command !== undefined) return command
  throw new UsageError(
    `unknown command ${name}${meant(name, known) || '; hotpotato --help lists all commands'}`,
  )
}

function check(name: string, { least, most, forms = [], needs }: Words, words: readonly string[]): void {
  if (words.length > most) {
    const takes = most === 0 ? 'no names' : most === 1 ? 'one name' : `${most} names`
    throw new UsageError(`${name} takes ${takes}, and ${words[most]} is one too many`)
  }
  const misfit = words.find((word, at) => forms[at]?.test(word) === false)
  if (misfit !== undefined)
    throw new UsageError(`${name} needs ${needs}; ${JSON.stringify(misfit)} does not fit`)
  if (words.length < least) throw new UsageError(`${name} needs ${needs}`)
}
