import { type AnyCommand, loadAll, type Table } from '../line/command.ts'
import type { Flag } from '../line/flags.ts'

/** What may stand in one place: words that are known here, names that the platform knows, or a path. */
export type Offer =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'names'; readonly of: 'function' | 'container' }
  | { readonly kind: 'file' }
  | { readonly kind: 'nothing' }

/** One option, as shells complete it. */
export interface OptionModel {
  /** As `--json`. */
  readonly long: string
  /** As `-f`. */
  readonly short: string | undefined
  readonly help: string
  /** What its value may be; undefined: it has none. */
  readonly value: Offer | undefined
}

/** One command, as shells complete it. */
export interface CommandModel {
  readonly name: string
  readonly summary: string
  readonly options: readonly OptionModel[]
  /** What its words may be, one after the other; the last goes for all further ones. */
  readonly places: readonly Offer[]
}

/** All commands of a table, `help` and `version` among them. */
export async function completionModel(table: Table): Promise<readonly CommandModel[]> {
  const commands = (await loadAll(table)).flatMap(one => one.commands)
  const names = commands.map(({ name }) => name)
  return [
    ...commands.map(one => modelOf(one, names)),
    {
      name: 'help',
      summary: 'how a command is used',
      options: [],
      places: [{ kind: 'words', words: names }],
    },
    { name: 'version', summary: 'which hotpotato this is', options: [], places: [] },
  ]
}

function modelOf({ name, summary, options, words }: AnyCommand, names: readonly string[]): CommandModel {
  const places = (words.completes ?? []).map(one => offerOf(one, names))
  const help: OptionModel = { long: '--help', short: '-h', help: 'how it is used', value: undefined }
  return {
    name,
    summary,
    options: [...Object.entries(options).map(([option, flag]) => optionOf(option, flag, names)), help],
    places: words.most === 0 ? [] : places,
  }
}

function optionOf(name: string, flag: Flag, names: readonly string[]): OptionModel {
  const { kind, short, help, among, offers, completes } = flag
  return {
    long: `--${name}`,
    short: short === undefined ? undefined : `-${short}`,
    help,
    value: kind === 'switch' ? undefined : offerOf(among ?? offers ?? completes, names),
  }
}

function offerOf(what: string | readonly string[] | undefined, names: readonly string[]): Offer {
  if (what === undefined) return { kind: 'nothing' }
  if (typeof what !== 'string') return { kind: 'words', words: what }
  if (what === 'function' || what === 'container') return { kind: 'names', of: what }
  return what === 'command' ? { kind: 'words', words: names } : { kind: 'file' }
}
