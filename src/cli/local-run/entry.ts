import { existsSync, statSync } from 'node:fs'
import { basename, dirname, extname, resolve } from 'node:path'
import { isFunctionName } from '../../platform/function-name.ts'
import { readText } from '../../stack/yaml/text.ts'
import { StackMap } from '../../stack/yaml/tree.ts'
import { readYaml } from '../../stack/yaml/yaml.ts'
import { CommandError } from '../line/usage-error.ts'
import { CONFIGURATION } from '../platform/configuration.ts'

/** What a stack file says of one function. */
export type Entry = Readonly<Record<string, unknown>>

/** What is asked for besides the function. */
export interface Wishes {
  readonly lang: string | undefined
  readonly mode: string | undefined
  readonly environment: Readonly<Record<string, string>>
  /** The stack file in which a name is looked for. */
  readonly config: string | undefined
}

/** Programs that run a file, by its ending. */
const RUNNERS: Readonly<Record<string, readonly string[]>> = {
  '.py': ['python3'],
  '.sh': ['sh'],
  '.rb': ['ruby'],
  '.pl': ['perl'],
}
/** Files that Node loads. */
const MODULES = new Set(['.js', '.mjs', '.cjs'])

/**
 * A function by itself, with paths that are good anywhere: one of the stack file, a shipped one, or a file or
 * folder.
 * @throws CommandError there is none
 */
export function functionFor(what: string, wishes: Wishes): { readonly name: string; readonly entry: Entry } {
  const found = /[/\\.]/.test(what) ? undefined : named(what, wishes.config)
  const { name, entry } = found ?? filed(what, wishes)
  const given = { ...(entry.environment as object | undefined), ...wishes.environment }
  const { lang = entry.lang, mode = entry.mode } = wishes
  return {
    name,
    entry: {
      ...entry,
      ...(lang === undefined ? {} : { lang }),
      ...(mode === undefined ? {} : { mode }),
      ...(Object.keys(given).length === 0 ? {} : { environment: given }),
    },
  }
}

/** @returns undefined if the stack file has no function of that name */
function named(name: string, config: string | undefined): { name: string; entry: Entry } | undefined {
  const file = resolve(config ?? CONFIGURATION)
  if (!existsSync(file)) return undefined
  const { root } = readYaml(readText(file), file)
  const functions = (plainOf(root) as { functions?: Readonly<Record<string, Entry | null>> } | null)
    ?.functions
  if (functions === undefined || !Object.hasOwn(functions, name)) return undefined
  return { name, entry: absolute(name, functions[name] ?? {}, dirname(file)) }
}

/** As objects; variables as they are written. */
function plainOf(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map(one => plainOf(one))
  if (!(value instanceof StackMap)) return value
  const one = (key: string, inner: unknown): unknown =>
    name === 'environment' ? (value.written(key) ?? inner) : plainOf(inner, key)
  return Object.fromEntries([...value].map(([key, inner]) => [key, one(key, inner)]))
}

/** Paths in a stack file start at its folder; here they stand in another one. */
function absolute(name: string, entry: Entry, folder: string): Entry {
  const path = (value: unknown): unknown => (typeof value === 'string' ? resolve(folder, value) : value)
  const { handler, environment_file, clientAuthorities, lang, command } = entry
  const program = command !== undefined || lang !== undefined
  const shipped = handler === undefined || (typeof handler === 'string' && isFunctionName(handler))
  const place = handler ?? (command !== undefined && lang === undefined ? '.' : name)
  const inside = (key: string, of: string): object => {
    const value = entry[key]
    if (typeof value !== 'object' || value === null) return {}
    return { [key]: { ...value, [of]: path((value as Entry)[of]) } }
  }
  return {
    ...entry,
    ...(program || !shipped ? { handler: path(place) } : {}),
    ...(environment_file === undefined ? {} : { environment_file: [environment_file].flat().map(path) }),
    ...(clientAuthorities === undefined ? {} : { clientAuthorities: path(clientAuthorities) }),
    ...inside('files', 'directory'),
    ...inside('sealed', 'bundle'),
    // It runs by itself: for one function there are no others to share hosts or containers with.
    replicas: 1,
  }
}

function filed(what: string, { lang, mode }: Wishes): { name: string; entry: Entry } {
  const path = resolve(what)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) {
    if (isFunctionName(what)) return { name: what, entry: {} }
    throw new CommandError(`${what} does not exist`)
  }
  const name = nameOf(path)
  const ending = extname(path)
  if (found.isDirectory() || lang !== undefined || MODULES.has(ending)) {
    const folder = found.isDirectory() || !/^python/.test(lang ?? '') ? path : dirname(path)
    return { name, entry: { handler: folder } }
  }
  const command = [...(RUNNERS[ending] ?? []), path]
  return { name, entry: { command, handler: dirname(path), mode: mode ?? 'fork' } }
}

/** A name for a function of that file: its own, or that of its folder if it has none of its own. */
function nameOf(path: string): string {
  const own = basename(path, extname(path))
  const text = own === 'handler' || own === 'index' ? basename(dirname(path)) : own
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63)
  return isFunctionName(name) ? name : 'function'
}
