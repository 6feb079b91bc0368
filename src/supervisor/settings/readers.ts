import { resolve } from 'node:path'
import { meant } from '../../platform/nearest.ts'

/*
 * How values of a configuration file are read: each reader judges one kind, and names the key when it
 * refuses.
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

/** What is said of a key that changes nothing. */
export interface Remark {
  readonly path: string
  readonly text: string
}

/** Where a value stands, and what reading needs to know besides. */
export interface Place {
  /** The keys that lead there, joined with dots. */
  readonly path: string
  readonly directory: string
  readonly warnings: Remark[]
  /** By key path: the name and value of an environment variable. */
  readonly variables: ReadonlyMap<string, readonly [name: string, value: string]>
}

/** Reads a value that is there or, if it is undefined, gives the default. */
export type Reader<T> = (value: unknown, place: Place) => T
export type ReadonlyShape<R> = R extends Reader<infer T> ? T : never

/** One value that is no list or map: `judge` gives undefined for what is not allowed. */
export function scalar<T, D>(
  allowed: string,
  fallback: D,
  judge: (value: unknown, place: Place) => T | undefined,
): Reader<T | D> {
  return (value, place) => {
    const variable = place.variables.get(place.path)
    const given = variable === undefined ? (value ?? undefined) : plain(variable[1])
    if (given === undefined) return fallback
    const judged = judge(given, place)
    if (judged !== undefined) return judged
    if (variable === undefined) return refuse(place.path, allowed, given)
    throw new ConfigError(`${variable[0]} must be ${allowed}, not ${show(given)}`)
  }
}

/** @param path of the value, if that is not what the key is called @throws ConfigError always */
export function refuse(name: string, allowed: string, given: unknown, path = name): never {
  throw new ConfigError(`${name} must be ${allowed}, not ${show(given)}`, path)
}

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

export function whole(minimum: number, maximum: number, fallback: number): Reader<number> {
  return scalar(`a whole number from ${minimum} to ${maximum}`, fallback, value =>
    Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum
      ? (value as number)
      : undefined,
  )
}

export function truth<D extends boolean | undefined>(fallback: D): Reader<boolean | D> {
  return scalar('true or false', fallback, value => (typeof value === 'boolean' ? value : undefined))
}

export function port(fallback: number): Reader<number> {
  return whole(0, 65_535, fallback)
}

export function seconds<D>(minimum: number, maximum: number, fallback: D): Reader<number | D> {
  const allowed = `a duration from ${minimum} to ${maximum} seconds, as 30, 1.5, "30s", "500ms" or "1m30s"`
  return scalar(allowed, fallback, value => {
    const duration = typeof value === 'string' ? parseDuration(value) : value
    if (typeof duration !== 'number' || !(duration >= minimum && duration <= maximum)) return undefined
    return duration
  })
}

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 }

/** Seconds of a duration as Go writes it, such as `1m30s`; undefined if it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  let total = 0
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    total += Number(number) * UNITS[unit!]!
  return total
}

export function directory(fallback: string): Reader<string> {
  const name = scalar('the path of a directory', fallback, value => (isText(value) ? value : undefined))
  return (value, place) => resolve(place.directory, name(value, place))
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0')
}

/**
 * A map with known keys; what else it holds is warned of, because newer files and files of other tools have
 * more.
 */
export function section<const F extends Readonly<Record<string, Reader<unknown>>>>(
  fields: F,
): Reader<{ readonly [K in keyof F]: ReadonlyShape<F[K]> }> {
  return (value, place) => {
    const map = asMap(value, place)
    for (const key of map.keys()) {
      const name = String(key)
      if (Object.hasOwn(fields, name)) continue
      const { path } = below(place, name)
      const text = `${path} is unknown and ignored${meant(name, Object.keys(fields))}`
      place.warnings.push({ path, text })
    }
    const result: Record<string, unknown> = {}
    for (const [key, read] of Object.entries(fields)) result[key] = read(map.get(key), below(place, key))
    return result as { readonly [K in keyof F]: ReadonlyShape<F[K]> }
  }
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
  return scalar(allowed.join(' or '), fallback, value => allowed.find(one => one === value))
}
