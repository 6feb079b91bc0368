import { type AnyCommand, loadAll, type Table } from './command.ts'
import { type Flags, flagText } from './flags.ts'

/** Columns of what is printed. */
const COLUMNS = 110
/** Options beyond this many are not written out in the usage. */
const FEW = 5

/** What every command takes. */
const EVERYWHERE: Flags = { help: { kind: 'switch', short: 'h', help: 'print this text' } }

/** The meaning of the status with which a command ends. */
export const ENDS = [
  'It ends with status 0 if it has done what it was asked for; 1 if that could not be done, or a fault was',
  'found; 2 if the command line makes no sense; 3 if the stack file makes none. Ctrl-C ends it with 130 and',
  'SIGTERM with 143. up, local-run and serve, which are meant to end so, end with 0, as stress after Ctrl-C.',
].join('\n')

/** What each command does, in a line. */
export async function helpForAll(table: Table): Promise<string> {
  const themes = await loadAll(table)
  const width = Math.max(...themes.flatMap(({ commands }) => commands.map(({ name }) => name.length)))
  const line = (name: string, summary: string): string => `  ${name.padEnd(width)}  ${summary}`
  return [
    'usage: hotpotato COMMAND [options]',
    ...themes.map(
      ({ title, commands }) =>
        `${title}\n${commands.map(({ name, summary }) => line(name, summary)).join('\n')}`,
    ),
    [
      'about this program',
      line('help', 'this text; help COMMAND, or COMMAND --help: that of a command, with examples'),
      line('version', 'which hotpotato this is, and on which Node it runs (-V, --version)'),
    ].join('\n'),
    ENDS,
  ].join('\n\n')
}

/** How one command is written, what it does, its options, and examples. */
export function helpFor(command: AnyCommand): string {
  const { name, options, help, examples, fromEnvironment } = command
  const parts = [usageOf(command), help, flagLines({ ...options, ...EVERYWHERE })]
  if (fromEnvironment === true) {
    const variable = `HOTPOTATO_${name.toUpperCase()}_…`
    parts.push(`Each option may also be a variable of the environment, ${variable}; a switch is on with 1.`)
  }
  parts.push(`examples\n${examples.map(one => `  ${one}`).join('\n')}`, ENDS)
  return parts.join('\n\n')
}

/** The usage in one line, or in several where it is long. */
export function usageOf({ name, synopsis, options }: AnyCommand): string {
  const all = Object.entries(options)
  const written =
    all.length > FEW
      ? ['[options]']
      : all.map(([option, flag]) => `[${flagText(option, flag).replace(/^-., /, '')}]`)
  const lines: string[] = []
  let line = `usage: hotpotato ${name}`
  for (const word of [...(synopsis === '' ? [] : [synopsis]), ...written]) {
    if (line.length + 1 + word.length > COLUMNS) {
      lines.push(line)
      line = '      '
    }
    line += ` ${word}`
  }
  return [...lines, line].join('\n')
}

/** Options as lines, each with what it does. */
export function flagLines(flags: Flags): string {
  const all = Object.entries(flags).map(([name, flag]) => [flagText(name, flag), flag.help] as const)
  const width = Math.max(...all.map(([left]) => left.length))
  return all.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}
