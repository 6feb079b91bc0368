import { parseArgs } from 'node:util'
import { usageError } from './flags.ts'
import { UsageError } from './usage-error.ts'

const OPTIONS = {
  config: { type: 'string' },
  json: { type: 'boolean' },
  connections: { type: 'boolean' },
  as: { type: 'string' },
  secrets: { type: 'boolean' },
  carrier: { type: 'string' },
  duplicate: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type Option = keyof typeof OPTIONS

/** What may follow a command: how many names at most, and which options beside `--help`. */
interface Shape {
  readonly names: number
  readonly options: readonly Option[]
}

const COMMANDS = {
  up: { names: 0, options: ['carrier', 'duplicate', 'config'] },
  stop: { names: 0, options: ['config'] },
  status: { names: 0, options: ['connections', 'json', 'config'] },
  logs: { names: 0, options: ['config'] },
  drain: { names: Number.POSITIVE_INFINITY, options: ['json', 'config'] },
  deploy: { names: 1, options: ['json', 'config'] },
  scale: { names: 2, options: ['json', 'config'] },
  move: { names: 2, options: ['json', 'config'] },
  restart: { names: 1, options: ['json', 'config'] },
  inspect: { names: 1, options: ['as', 'secrets'] },
  verify: { names: 1, options: ['as'] },
} as const satisfies Readonly<Record<string, Shape>>

/** A command of the platform, or of the dumps of a connection's state. */
export type CommandName = keyof typeof COMMANDS

/** A command line that made sense. */
export interface CommandLine {
  /** undefined: there is none, or only `help`. */
  readonly command: CommandName | undefined
  readonly names: readonly string[]
  readonly help: boolean
  readonly options: Options
}

type Options = ReturnType<typeof parse>['values']

/**
 * Reads a command line. It refuses what the command would not look at: a word too many is a mistake, too.
 * @param args what follows the program's name
 * @throws UsageError there is no such command or option, or the command does not take what follows it
 */
export function readCommandLine(args: readonly string[]): CommandLine {
  const { positionals, values: options } = parse(args)
  const [command, ...names] = positionals
  const help = options.help === true || command === 'help'
  if (help || command === undefined) return { command: undefined, names, help, options }
  if (!isCommand(command))
    throw new UsageError(`unknown command ${command}; hotpotato --help lists all commands`)
  const shape: Shape = COMMANDS[command]
  const foreign = (Object.keys(options) as Option[]).find(one => !shape.options.includes(one))
  if (foreign !== undefined)
    throw new UsageError(`${command} takes no --${foreign}; hotpotato --help says what it takes`)
  if (names.length > shape.names) {
    const most = shape.names === 0 ? 'no names' : shape.names === 1 ? 'one name' : `${shape.names} names`
    throw new UsageError(`${command} takes ${most}, and ${names[shape.names]} is one too many`)
  }
  return { command, names, help, options }
}

function isCommand(word: string): word is CommandName {
  return Object.hasOwn(COMMANDS, word)
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS })
  } catch (error) {
    throw usageError(error, 'hotpotato --help')
  }
}
