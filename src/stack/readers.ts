import { resolve } from 'node:path'
import { DURATION, parseDuration } from '../platform/durations.ts'
import { nearest } from '../platform/nearest.ts'

/*
 * How values of the stack file are read: each reader judges one kind, names the key when it refuses, and
 * knows what an editor is told of it.
 */

/** A configuration that cannot be used; the message names the key and what it may be. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** The keys that lead to what is wrong, joined with dots; undefined: the message says where it is. */
  readonly path: string | undefined

  constructor(message: string, path?: string) {
    super(message)
    this.path = path
  }
}

/** Remarks that are made, at most. */
export const MOST_REMARKS = 50

/** What is said of a key that changes nothing. */
export interface Remark {
  readonly path: string
  readonly text: string
  /** The key that was likely meant, joined with dots. */
  readonly meant?: string
  /** Where it stands, if that is another file: its name, and the line. */
  readonly at?: string
}

/** Where a value stands, and what reading needs to know besides. */
export interface Place {
  /** The keys that lead there, joined with dots. */
  readonly path: string
  readonly directory: string
  readonly warnings: Remark[]
  /** Keys of OpenFaaS that are there and change nothing, joined with dots. */
  readonly foreign: string[]
  /** Reads a file that the configuration names. @throws Error it cannot be read */
  readonly readText: (file: string) => string
  /** By key path: the name and value of an environment variable. */
  readonly variables: ReadonlyMap<string, readonly [name: string, value: string]>
  /** The name of the function whose keys are read; undefined elsewhere. */
  readonly functionName?: string
}

/** What an editor is told of a value: keywords of JSON Schema 2020-12. */
export interface Schema {
  readonly [keyword: string]: unknown
}

/** Reads a value that is there or, if it is undefined, gives the default. */
export interface Reader<T> {
  (value: unknown, place: Place): T
  readonly schema: Schema
  /** Of a map with known keys, or of each item of a list of such. */
  readonly keys?: Keys
  /** What is allowed, in words. */
  readonly allowed?: string
  /** Its values are seconds. */
  readonly isDuration?: true
  /** It is OpenFaaS's, and changes nothing here. */
  readonly foreign?: true
}
/** The keys of a map, each with what reads its value. */
export type Keys = Readonly<Record<string, Reader<unknown>>>
export type ReadonlyShape<R> = R extends Reader<infer T> ? T : never
/** What comes out of a map with these keys. */
export type KeyValues<F extends Keys> = { readonly [K in keyof F]: ReadonlyShape<F[K]> }

/**
 * A reader out of what reads and what an editor is told.
 * @param map reads the maps that the value may be, or that the items of a list are
 */
export function reader<T>(
  schema: Schema,
  read: (value: unknown, place: Place) => T,
  map?: Pick<Reader<unknown>, 'keys'>,
): Reader<T> {
  const known = map?.keys === undefined ? {} : { keys: map.keys }
  return Object.assign((value: unknown, place: Place) => read(value, place), { schema, ...known })
}

/** One key: what it is for, in a sentence for users, and what reads its value. */
export function key<T>(description: string, given: Reader<T>): Reader<T> {
  const read = (value: unknown, place: Place): T => given(value, place)
  return Object.assign(read, given, { schema: { description, ...given.schema } })
}

/** A default that is one value, or one that depends on where it stands. */
export type Fallback<D> = D | ((place: Place) => D)

/**
 * One value that is no list or map: `judge` gives undefined for what is not allowed.
 * @param allowed what is, in words @param schema what is, without the default
 */
export function scalar<T, D>(
  allowed: string,
  fallback: Fallback<D>,
  judge: (value: unknown, place: Place) => T | undefined,
  schema: Schema,
): Reader<T | D> {
  const fixed = typeof fallback !== 'function' && fallback !== undefined
  const read = (value: unknown, place: Place): T | D => {
    const variable = place.variables.get(place.path)
    const given = variable === undefined ? (value ?? undefined) : plain(variable[1])
    if (given === undefined)
      return typeof fallback === 'function' ? (fallback as (place: Place) => D)(place) : fallback
    const judged = judge(given, place)
    if (judged !== undefined) return judged
    if (variable === undefined) return refuse(place.path, allowed, given)
    throw new ConfigError(`${variable[0]} must be ${allowed}, not ${show(given)}`)
  }
  return Object.assign(read, { schema: fixed ? { ...schema, default: fallback } : schema, allowed })
}

/** @param path of the value, if that is not what the key is called @throws ConfigError always */
export function refuse(name: string, allowed: string, given: unknown, path = name): never {
  const hint = isUnsubstituted(given) ? `; ${UNSUBSTITUTED}` : ''
  throw new ConfigError(`${name} must be ${allowed}, not ${show(given)}${hint}`, path)
}

/** OpenFaaS replaces such in a stack file by variables of the environment. */
export function isUnsubstituted(value: unknown): boolean {
  return typeof value === 'string' && /\$\{[A-Za-z_]/.test(value)
}

export const UNSUBSTITUTED = 'nothing is substituted in a stack file'

export function show(value: unknown): string {
  if (value instanceof Map) return 'a map'
  if (Array.isArray(value)) return 'a list'
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

/** Environment variables are text; a number or a truth value in one means what it means in YAML. */
function plain(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^\d{1,15}$/.test(text) ? Number(text) : text
}

export function whole<D extends number | undefined>(
  minimum: number,
  maximum: number,
  fallback: D,
): Reader<number | D> {
  return scalar(
    `a whole number from ${minimum} to ${maximum}`,
    fallback,
    value =>
      Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum
        ? (value as number)
        : undefined,
    { type: 'integer', minimum, maximum },
  )
}

export function truth<D extends boolean | undefined>(fallback: D): Reader<boolean | D> {
  const judge = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined)
  return scalar('true or false', fallback, judge, { type: 'boolean' })
}

export function port(fallback: number): Reader<number> {
  return whole(0, 65_535, fallback)
}

export function seconds<D extends number | undefined>(
  minimum: number,
  maximum: number,
  fallback: D,
): Reader<number | D> {
  const allowed = `a duration from ${minimum} to ${maximum} seconds, as 30, 1.5, "30s", "500ms" or "1m30s"`
  const schema = {
    anyOf: [
      { type: 'number', minimum, maximum },
      { type: 'string', pattern: DURATION },
    ],
  }
  const judge = (value: unknown): number | undefined => {
    const duration = typeof value === 'string' ? parseDuration(value) : value
    if (typeof duration !== 'number' || !(duration >= minimum && duration <= maximum)) return undefined
    return duration
  }
  return Object.assign(scalar(allowed, fallback, judge, schema), { isDuration: true } as const)
}

/** Text without NUL; a path in it starts in the directory of the file. */
export function path<D extends string | undefined>(allowed: string, fallback: D): Reader<string | D> {
  const judge = (value: unknown): string | undefined => (isText(value) ? value : undefined)
  const text = scalar(allowed, fallback, judge, { type: 'string', minLength: 1 })
  return reader(text.schema, (value, place) => {
    const given = text(value, place)
    return (given === undefined ? given : resolve(place.directory, given)) as string | D
  })
}

export function directory(fallback: string): Reader<string> {
  return path('the path of a directory', fallback)
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0')
}

/**
 * A map with known keys; what else it holds is warned of, because newer files and files of other tools have
 * more.
 */
export function section<const F extends Keys>(keys: F): Reader<KeyValues<F>> {
  const read = (value: unknown, place: Place): KeyValues<F> => {
    const map = asMap(value, place)
    for (const name of [...map.keys()].map(String)) {
      if (Object.hasOwn(keys, name)) continue
      const { path } = below(place, name)
      // Beyond that no remark is shown.
      const close = place.warnings.length < MOST_REMARKS ? nearest(name, Object.keys(keys)) : undefined
      const hint = close === undefined ? {} : { meant: below(place, close).path }
      const question = close === undefined ? '' : `; did you mean ${close}?`
      place.warnings.push({ path, text: `${path} is unknown and ignored${question}`, ...hint })
    }
    const result: Record<string, unknown> = {}
    for (const [name, one] of Object.entries(keys)) result[name] = one(map.get(name), below(place, name))
    return result as KeyValues<F>
  }
  return Object.assign(read, { schema: sectionSchema(keys), keys })
}

/** A key of OpenFaaS that changes nothing here. @param description what it is there */
export function foreign(description: string): Reader<undefined> {
  const schema = { description: `OpenFaaS's, and without meaning here: ${description}` }
  const read = (value: unknown, place: Place): undefined => {
    if (value !== undefined) place.foreign.push(place.path)
    return undefined
  }
  return Object.assign(read, { schema, foreign: true } as const)
}

/** What an editor is told of a map with known keys; an unknown one is likely a slip. */
function sectionSchema(keys: Keys): Schema {
  const properties = Object.fromEntries(Object.entries(keys).map(([name, { schema }]) => [name, schema]))
  return { type: ['object', 'null'], properties, additionalProperties: false }
}

export function below(place: Place, key: string): Place {
  return { ...place, path: place.path === '' ? key : `${place.path}.${key}` }
}

export function asMap(value: unknown, place: Place): ReadonlyMap<unknown, unknown> {
  if (value === undefined || value === null) return new Map()
  return value instanceof Map
    ? value
    : refuse(place.path || 'the configuration', 'a map of keys and values', value, place.path)
}

export function oneOf<const T extends string, const D extends T | undefined>(
  allowed: readonly T[],
  fallback: D,
): Reader<T | D> {
  return scalar(allowed.join(' or '), fallback, value => allowed.find(one => one === value), {
    enum: allowed,
  })
}
