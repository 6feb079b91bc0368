import { parseArgs } from 'node:util'
import { CARRIERS } from '../platform/carrier.ts'
import { meant } from '../platform/nearest.ts'
import { usageError } from './flags.ts'
import { FORMAT_NAMES } from './format-names.ts'
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
  version: { type: 'boolean', short: 'V' },
} as const

type Option = keyof typeof OPTIONS

/** What may follow a command: how many names at least and at most, and which options beside `--help`. */
interface Shape {
  readonly names: readonly [number, number]
  /** What its names are. */
  readonly needs?: string
  readonly options: readonly Option[]
}

const COMMANDS = {
  up: { names: [0, 0], options: ['carrier', 'duplicate', 'config'] },
  stop: { names: [0, 0], options: ['config'] },
  status: { names: [0, 0], options: ['connections', 'json', 'config'] },
  logs: { names: [0, 0], options: ['config'] },
  drain: {
    names: [1, Number.POSITIVE_INFINITY],
    needs: 'the names of one or more containers',
    options: ['json', 'config'],
  },
  deploy: { names: [1, 1], needs: 'the name of a function', options: ['json', 'config'] },
  scale: {
    names: [2, 2],
    needs: 'the name of a function and a number from 1 to 64',
    options: ['json', 'config'],
  },
  move: {
    names: [2, 2],
    needs:
      'the id of a connection or its beginning (hotpotato status --connections), and a container by name',
    options: ['json', 'config'],
  },
  restart: {
    names: [1, 1],
    needs: 'the word gateway; for containers there is deploy',
    options: ['json', 'config'],
  },
  inspect: { names: [1, 1], needs: 'a FILE', options: ['as', 'secrets'] },
  verify: { names: [1, 1], needs: 'a FILE', options: ['as'] },
} as const satisfies Readonly<Record<string, Shape>>

/** What the names of a command must look like besides. */
const FORMS: { readonly [name in CommandName]?: readonly RegExp[] } = {
  scale: [/./, /^([1-9]|[1-5]\d|6[0-4])$/],
  move: [/^[0-9a-f]{1,32}$/i],
  restart: [/^gateway$/],
}

/** Commands that read their own command lines. */
export const TOOLS = ['certs', 'serve', 'connect', 'stress'] as const

/** A command of the platform, or of the dumps of a connection's state. */
export type CommandName = keyof typeof COMMANDS

/** A command line that made sense. */
export interface CommandLine {
  /** undefined: there is none, or a question that is answered without one. */
  readonly command: CommandName | undefined
  readonly names: readonly string[]
  readonly help: boolean
  /** What help is asked about; undefined: all commands. */
  readonly about: CommandName | undefined
  readonly version: boolean
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
  const [asked = command] = command === 'help' ? names : []
  const help = options.help === true || command === 'help'
  const about = asked === 'help' || asked === 'version' ? undefined : asked
  if (about !== undefined && !isCommand(about)) {
    const known = [...Object.keys(COMMANDS), ...TOOLS, 'help', 'version']
    throw new UsageError(
      `unknown command ${about}${meant(about, known) || '; hotpotato --help lists all commands'}`,
    )
  }
  const version = options.version === true || command === 'version'
  if (help || version || about === undefined)
    return { command: undefined, names, help, about, version, options }
  check(about, names, options)
  return { command: about, names, help, about, version, options }
}

function check(command: CommandName, names: readonly string[], options: Options): void {
  const shape: Shape = COMMANDS[command]
  const foreign = (Object.keys(options) as Option[]).find(one => !shape.options.includes(one))
  if (foreign !== undefined)
    throw new UsageError(`${command} takes no --${foreign}; hotpotato --help says what it takes`)
  among('carrier', options.carrier, CARRIERS)
  among('as', options.as, FORMAT_NAMES)
  const [least, most] = shape.names
  if (names.length > most) {
    const words = most === 0 ? 'no names' : most === 1 ? 'one name' : `${most} names`
    throw new UsageError(`${command} takes ${words}, and ${names[most]} is one too many`)
  }
  const forms = FORMS[command] ?? []
  if (names.length < least || !forms.every((form, at) => form.test(names[at]!)))
    throw new UsageError(`${command} needs ${shape.needs}`)
}

function among(option: Option, given: string | undefined, allowed: readonly string[]): void {
  if (given !== undefined && !allowed.includes(given))
    throw new UsageError(
      `--${option} must be one of ${allowed.join(', ')}, not ${given}${meant(given, allowed)}`,
    )
}

function isCommand(word: string): word is CommandName {
  return Object.hasOwn(COMMANDS, word)
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS })
  } catch (error) {
    const [command = ''] = args.filter(one => !one.startsWith('-'))
    const known = isCommand(command) ? [...COMMANDS[command].options, 'help'] : Object.keys(OPTIONS)
    throw usageError(error, 'hotpotato --help', known)
  }
}
