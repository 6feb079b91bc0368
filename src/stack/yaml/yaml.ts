import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type ParseOptions,
  Parser,
  parseDocument,
} from 'yaml'
import { ConfigError } from '../readers.ts'
import { DEEPEST, TOO_DEEP, treeOf } from './tree.ts'

/** A configuration as YAML has it. */
export interface Tree {
  /** Maps instead of objects: a key such as `__proto__` is a key like any other. */
  readonly root: unknown
  /**
   * Where the value of a key stands, as `hotpotato.yml:3:12` (line and column), or else the key above it, or
   * else the file alone. @param path keys and indices of lists, joined with dots
   */
  at(path: string): string
  /** The same of the key itself. */
  keyAt(path: string): string
}

/** What YAML takes for something else where it begins a text, and for what. */
const MEANS: Readonly<Record<string, string>> = {
  '*': 'refers to something else',
  '&': 'gives a name to what follows',
  '!': 'is a tag',
  '|': 'begins a text of several lines',
  '>': 'begins a text of several lines',
  '%': 'is reserved',
  '@': 'is reserved',
  '`': 'is reserved',
}

/** What the library says in words for its callers. */
const OURS: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'a second document begins, and a configuration is one',
  TAB_AS_INDENT: 'tabs are not allowed as indentation; use blanks',
  BLOCK_AS_IMPLICIT_KEY: 'a key with a value, where a value is expected',
}

/** Keys that are there twice are found in the tree: the library compares each with all others. */
const PARSING: ParseOptions & { readonly uniqueKeys: false } = { uniqueKeys: false }

/**
 * Refuses lists and maps in each other, too deep, before the library reads them: it runs out of stack, and a
 * regular expression that is compiled then ends the process.
 */
function mustBeShallow(text: string, file: string): void {
  const lines = new LineCounter()
  lines.addNewLine(0)
  const parser = new Parser(lines.addNewLine)
  for (const lexeme of new Lexer().lex(text)) {
    // What it gives are documents, and of no interest; the lowest of its stack is one, too.
    Array.from(parser.next(lexeme))
    if (parser.stack.length <= DEEPEST + 1) continue
    const { line, col } = lines.linePos(parser.offset)
    throw new ConfigError(`${file}:${line}:${col}: not YAML: ${TOO_DEEP}`)
  }
}

/**
 * Reads YAML. @param file its name, for messages
 * @throws ConfigError with the place of what is no YAML, and how it can be written
 */
export function readYaml(text: string, file: string): Tree {
  mustBeShallow(text, file)
  const lines = new LineCounter()
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const refuse = (offset: number, what: string): never => {
    throw new ConfigError(`${place(offset)}: not YAML: ${what}`)
  }
  const document = parseDocument(text, { ...PARSING, lineCounter: lines })
  const [error] = [...document.errors, ...document.warnings]
  if (error !== undefined) {
    const [offset] = error.pos
    // Behind that the library repeats the place.
    const [said] = error.message.split(/ at line \d+, column \d+/)
    refuse(offset, `${OURS[error.code] ?? said}${advice(error.code, text, offset)}`)
  }
  const slip = (offset: number, word: string): never =>
    refuse(offset, `text that begins with ${word[0]} ${MEANS[word[0]!]}; ${quote(word)}`)
  const root = treeOf(document, text, { refuse, slip })
  const find = (path: string, which: 'key' | 'value'): string => {
    const offset = offsetOf(document.contents, path, which, document)
    return offset === undefined ? file : place(offset)
  }
  return {
    root,
    at: path => find(path, 'value'),
    keyAt: path => find(path, 'key'),
  }
}

/** One value at the top of a text that may be broken; undefined if it is not to be found. */
export function valueIn(text: string, key: string): unknown {
  mustBeShallow(text, '')
  const { contents } = parseDocument(text, PARSING)
  return isMap(contents) ? contents.get(key) : undefined
}

/** What the user can do about it, if that is quotes: text that begins with a sign of YAML's, or has `: `. */
function advice(code: string, text: string, offset: number): string {
  if (code === 'BLOCK_AS_IMPLICIT_KEY') {
    const value = /^[^\n]*/.exec(text.slice(offset))![0].trimEnd()
    return value.includes(': ') && !value.startsWith('"') ? `; if that is one text, ${quote(value)}` : ''
  }
  const word = wordAt(text, offset)
  return Object.hasOwn(MEANS, word[0] ?? '') ? `; ${quote(word)}` : ''
}

function quote(word: string): string {
  return `quote it: ${JSON.stringify(word)}`
}

/** A text without quotes as it was meant, up to where the value ends. */
function wordAt(text: string, offset: number): string {
  return /^[^\s,[\]{}#]*/.exec(text.slice(offset))![0]
}

/**
 * Where the key or the value at a path begins; the key, too, if the value is nothing or a list or map.
 * @returns that of the key above, if there is no such key; undefined if there is none
 */
function offsetOf(
  found: unknown,
  path: string,
  which: 'key' | 'value',
  document: Document,
): number | undefined {
  const node = isAlias(found) && path !== '' ? found.resolve(document) : found
  if (path === '') return (node as Node | null)?.range?.[0]
  if (isSeq(node)) {
    const [index, rest] = split(path)
    return offsetOf(node.items[Number(index)], rest, which, document)
  }
  if (!isMap(node)) return undefined
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? (key.source ?? String(key.value)) : undefined
    if (name === undefined || !(path === name || path.startsWith(`${name}.`))) continue
    const rest = path.slice(name.length + 1)
    const empty = value === null || (isScalar(value) && value.value === null)
    const own = (key as Node).range?.[0]
    if (rest !== '') return offsetOf(value, rest, which, document) ?? own
    return which === 'key' || empty || isCollection(value) ? own : offsetOf(value, '', which, document)
  }
  return undefined
}

function split(path: string): readonly [string, string] {
  const dot = path.indexOf('.')
  return dot < 0 ? [path, ''] : [path.slice(0, dot), path.slice(dot + 1)]
}
