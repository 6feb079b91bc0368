import { isMap, isScalar, type Pair, parse, parseDocument, stringify, type YAMLMap } from 'yaml'
import { readYaml } from '../../stack/yaml/yaml.ts'

/** What a function says of itself in the stack file. */
export type Entry = Readonly<Record<string, unknown>>

/** A stack file whose functions are changed in place: all else stays as it was, comments and columns too. */
export class StackFile {
  readonly #text: string

  /** @param file its name, for messages @throws ConfigError in one line that it is no YAML */
  constructor(text: string, file: string) {
    readYaml(text, file)
    this.#text = text
  }

  /** The names of the functions. */
  get functions(): readonly string[] {
    return (this.#map?.items ?? []).map(nameOf)
  }

  /** The text with one function more, at the end of them. */
  with(name: string, entry: Entry): string {
    const expected = { ...(parse(this.#text) as object | null) } as { functions?: object }
    expected.functions = { ...expected.functions, [name]: entry }
    return this.#chosen(this.#inserted(name, entry), expected, document => {
      if (isMap(document.get('functions', true))) document.setIn(['functions', name], entry)
      else document.set('functions', { [name]: entry })
    })
  }

  /** The text without one of its functions. */
  without(name: string): string {
    const expected = parse(this.#text) as { functions: Record<string, unknown> }
    delete expected.functions[name]
    return this.#chosen(this.#cut(name), expected, document => document.deleteIn(['functions', name]))
  }

  /** The text that was changed by hand, if it says what it is to say; else what the parser makes of it. */
  #chosen(
    text: string | undefined,
    expected: object,
    change: (document: ReturnType<typeof parseDocument>) => void,
  ): string {
    if (text !== undefined && says(text, expected)) return text
    const document = parseDocument(this.#text)
    change(document)
    return document.toString({ lineWidth: 0 })
  }

  get #map(): YAMLMap | undefined {
    const found = parseDocument(this.#text).get('functions', true)
    return isMap(found) ? found : undefined
  }

  #inserted(name: string, entry: Entry): string | undefined {
    const map = this.#map
    const text = this.#text
    if (map === undefined && /^functions\s*:/m.test(text)) return undefined
    if (map === undefined) {
      const end = text === '' || text.endsWith('\n') ? text : `${text}\n`
      return `${end}functions:\n${block(name, entry, 2)}`
    }
    const last = map.items.at(-1)
    if (map.flow === true || last === undefined) return undefined
    const end = endOfLine(text, endOf(last))
    const lead = text.slice(0, end).endsWith('\n') ? '' : '\n'
    return text.slice(0, end) + lead + block(name, entry, columnOf(text, last)) + text.slice(end)
  }

  #cut(name: string): string | undefined {
    const map = this.#map
    const pair = map?.items.find(one => nameOf(one) === name)
    if (map === undefined || map.flow === true || pair === undefined) return undefined
    const start = startOf(pair)
    const line = this.#text.lastIndexOf('\n', start - 1) + 1
    return this.#text.slice(0, line) + this.#text.slice(endOfLine(this.#text, endOf(pair)))
  }
}

function says(text: string, expected: object): boolean {
  try {
    return JSON.stringify(parse(text)) === JSON.stringify(expected)
  } catch {
    return false
  }
}

/** One function in lines of its own. */
function block(name: string, entry: Entry, column: number): string {
  const lines = stringify({ [name]: entry }, { lineWidth: 0, defaultStringType: 'PLAIN' }).trimEnd()
  return `${lines.replaceAll(/^/gm, ' '.repeat(column))}\n`
}

function nameOf({ key }: Pair): string {
  return String(isScalar(key) ? key.value : key)
}

function startOf({ key }: Pair): number {
  return (isScalar(key) ? key.range?.[0] : undefined) ?? 0
}

/** Where what is said of a function ends, comments behind it apart. */
function endOf({ key, value }: Pair): number {
  const node = value as { readonly range?: readonly [number, number, number] | null } | null
  return node?.range?.[1] ?? (isScalar(key) ? (key.range?.[1] ?? 0) : 0)
}

function columnOf(text: string, pair: Pair): number {
  const start = startOf(pair)
  return start - text.lastIndexOf('\n', start - 1) - 1
}

/** The beginning of the next line, or the end of the text. */
function endOfLine(text: string, at: number): number {
  // A block ends behind its own line end.
  if (at > 0 && text[at - 1] === '\n') return at
  const end = text.indexOf('\n', at)
  return end < 0 ? text.length : end + 1
}
