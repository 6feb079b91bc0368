import type { Flags, FlagValues, WordKind } from './flags.ts'

/** What may follow a command besides its options. */
export interface Words {
  /** How many at least and at most. */
  readonly least: number
  readonly most: number
  /** The end of `COMMAND needs …`, where there are too few, or one is not of its form. */
  readonly needs?: string
  /** What each must look like; those beyond the list may be anything. */
  readonly forms?: readonly RegExp[]
  /** What each of them names, or all that it may be; the last entry goes for further ones, too. */
  readonly completes?: readonly (WordKind | readonly string[] | undefined)[]
}

/** One command of `hotpotato`: all that command line, help, completion and docs know of it. */
export interface Command<F extends Flags = Flags> {
  readonly name: string
  /** What follows the name in the usage, options apart: `FUNCTION N`; empty: nothing. */
  readonly synopsis: string
  /** What it does, in one line of at most 80 characters, for the list of all commands. */
  readonly summary: string
  readonly words: Words
  /** Options beside `--help` and `--version`, which every command has. */
  readonly options: F
  /** Whether an option that is not given is looked for in the environment, as HOTPOTATO_SERVE_PORT. */
  readonly fromEnvironment?: true
  /** Paragraphs that say what one has to know, in lines of at most 110 columns, without an end of line. */
  readonly help: string
  /** Command lines of a shell that work as they stand; the first is shown where one is enough. */
  readonly examples: readonly string[]
  /**
   * Does the work. What it needs beyond this file it imports when it runs: the others are to start quickly.
   * @param words as many as `words` allows
   */
  run(options: FlagValues<F>, words: readonly string[], context: Context): Promise<void> | void
}

/** What a command may need of the command line as a whole. */
export interface Context {
  readonly table: Table
}

/** Commands of one theme. */
export interface Theme {
  readonly title: string
  /** By name; each is loaded when it is asked for. */
  readonly commands: Readonly<Record<string, Loader>>
}

export type Loader = () => Promise<{ readonly command: AnyCommand }>
export type Table = readonly Theme[]

/** A command whose options are its own affair. */
export type AnyCommand = Omit<Command, 'run'> & {
  run(options: never, words: readonly string[], context: Context): Promise<void> | void
}

/** A command as a value, with the types of its options. */
export function defineCommand<const F extends Flags>(command: Command<F>): Command<F> {
  return command
}

/** No words at all. */
export const NO_WORDS: Words = { least: 0, most: 0 }

/** Options that many commands have. */
export const CONFIG = {
  config: {
    kind: 'text',
    value: 'FILE',
    help: 'the stack file; default: hotpotato.yml',
    completes: 'file',
  },
} as const satisfies Flags
export const JSON_AND_CONFIG = {
  json: { kind: 'switch', help: 'print JSON, for programs' },
  ...CONFIG,
} as const satisfies Flags

/** The names of all commands, in the order of the table. */
export function namesOf(table: Table): string[] {
  return table.flatMap(({ commands }) => Object.keys(commands))
}

/** @returns undefined if there is none of that name */
export async function commandNamed(table: Table, name: string): Promise<AnyCommand | undefined> {
  const theme = table.find(({ commands }) => Object.hasOwn(commands, name))
  return theme === undefined ? undefined : (await theme.commands[name]!()).command
}

/** All commands, loaded, with the titles of their themes. */
export function loadAll(
  table: Table,
): Promise<readonly { readonly title: string; readonly commands: readonly AnyCommand[] }[]> {
  return Promise.all(
    table.map(async ({ title, commands }) => ({
      title,
      commands: await Promise.all(Object.values(commands).map(async load => (await load()).command)),
    })),
  )
}
