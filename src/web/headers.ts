import type { Field } from '../http/message.ts'
import { native, unclonable } from './native.ts'

/** A name that may stand in a field (RFC 9110 §5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^`|~\w]+$/
/** What makes a value one that Node judges. */
const UNUSUAL = /[^\t\x20-\x7e\x80-\xff]/

/** Names that code has used, in lower case. */
const NAMES = new Map<string, string>()
/** Entries of that table, and characters of each. */
const MOST_NAMES = 1024
const LONGEST_NAME = 64

/** A name in lower case; undefined if it is for Node to judge. */
function nameOf(name: unknown): string | undefined {
  if (typeof name !== 'string') return undefined
  const known = NAMES.get(name)
  if (known !== undefined) return known
  if (!TOKEN.test(name)) return undefined
  const lower = name.toLowerCase()
  if (NAMES.size < MOST_NAMES && name.length <= LONGEST_NAME) NAMES.set(name, lower)
  return lower
}

/** Whether a value is what a Headers object keeps unchanged. */
function isPlain(value: unknown): value is string {
  if (typeof value !== 'string') return false
  if (value === '') return true
  return value.charCodeAt(0) > 0x20 && value.charCodeAt(value.length - 1) > 0x20 && !UNUSUAL.test(value)
}

/**
 * Appends a field, whose name is in lower case and whose value needs no judging: each name stands once, but
 * for Set-Cookie (RFC 6265 §3).
 */
export function addField(fields: Field[], lower: string, value: string): void {
  if (lower !== 'set-cookie') {
    for (let i = 0; i < fields.length; i++) {
      const [name, before] = fields[i]!
      if (name !== lower) continue
      fields[i] = [lower, joined(lower, before, value)]
      return
    }
  }
  fields.push([lower, value])
}

/** A name that is known to be right, in lower case. */
export function lowerName(name: string): string {
  return NAMES.get(name) ?? nameOf(name) ?? name.toLowerCase()
}

function joined(lower: string, one: string, other: string): string {
  return `${one}${lower === 'cookie' ? '; ' : ', '}${other}`
}

/** @returns false if that is for Node to judge */
function put(fields: Field[], name: unknown, value: unknown): boolean {
  const lower = nameOf(name)
  if (lower === undefined || !isPlain(value)) return false
  addField(fields, lower, value)
  return true
}

/**
 * What `new Headers(init)` would hold, the names in lower case and each once but for Set-Cookie.
 * @returns undefined for an init that is unusual: Node's class takes it, or says what is wrong with it
 */
export function fieldsFrom(init: unknown): Field[] | undefined {
  if (init === undefined) return []
  if (typeof init !== 'object' || init === null) return undefined
  // Code may have given the object an iterator of its own: then that says what is in it.
  if (Object.hasOwn(init, Symbol.iterator) && !Array.isArray(init)) return undefined
  if (LightHeaders.is(init)) return LightHeaders.fieldsOf(init).slice()
  const prototype = Object.getPrototypeOf(init)
  if (prototype === native().Headers.prototype) return [...(init as Headers)]
  const fields: Field[] = []
  if (prototype === Array.prototype) {
    for (const pair of init as readonly unknown[]) {
      if (!Array.isArray(pair) || pair.length !== 2 || !put(fields, pair[0], pair[1])) return undefined
    }
    return fields
  }
  if (prototype !== Object.prototype && prototype !== null) return undefined
  if (Object.getOwnPropertySymbols(init).length > 0) return undefined
  const record = init as Readonly<Record<string, unknown>>
  for (const name of Object.keys(record)) if (!put(fields, name, record[name])) return undefined
  return fields
}

/** Whether a field of that name is among them. @param lower in lower case, as all of them */
export function hasField(fields: readonly Field[], lower: string): boolean {
  for (const [name] of fields) if (name === lower) return true
  return false
}

/** The web's Headers, over a list of fields. What is unusual is done by an object of Node's. */
export class LightHeaders {
  /** Names in lower case, each once but for Set-Cookie. */
  readonly #fields: Field[]
  /** As they came from a client; undefined when they are in `#fields`. */
  #raw: readonly Field[] | undefined
  readonly #immutable: boolean
  #sorted: readonly Field[] | undefined

  /** @param fields of {@link fieldsFrom}; they become the object's own */
  constructor(fields: Field[], raw?: readonly Field[], immutable = false) {
    this.#fields = fields
    this.#raw = raw
    this.#immutable = immutable
    unclonable(this)
  }

  static is(value: object): value is LightHeaders {
    return #fields in value
  }

  /** Its fields, for reading. */
  static fieldsOf(headers: LightHeaders): readonly Field[] {
    return headers.#own()
  }

  /** The same, or what came from a client as long as no code has changed it. */
  static givenTo(headers: LightHeaders): readonly Field[] {
    return headers.#raw ?? headers.#fields
  }

  /** In the order of iteration: by name. */
  static sorted(headers: LightHeaders): readonly Field[] {
    headers.#sorted ??= headers.#own().toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return headers.#sorted
  }

  /** An object of Node's with the same fields. */
  static real(headers: LightHeaders): Headers {
    return new (native().Headers)(headers.#own() as [string, string][])
  }

  append(...all: [name: string, value: string]): void {
    const [name, value] = all
    const lower = nameOf(name)
    if (lower === undefined || !isPlain(value)) this.#unusual('append', all)
    else addField(this.#changed(), lower, value)
  }

  set(...all: [name: string, value: string]): void {
    const [name, value] = all
    const lower = nameOf(name)
    if (lower === undefined || !isPlain(value)) {
      this.#unusual('set', all)
      return
    }
    this.#set(lower, value)
  }

  delete(...all: [name: string]): void {
    const lower = nameOf(all[0])
    if (lower === undefined) this.#unusual('delete', all)
    else remove(this.#changed(), lower, 0)
  }

  get(...all: [name: string]): string | null {
    const lower = nameOf(all[0])
    if (lower === undefined) return this.#unusual('get', all) as string | null
    let found: string | null = null
    for (const [one, value] of this.#raw ?? this.#fields) {
      if (one.length !== lower.length || (one !== lower && one.toLowerCase() !== lower)) continue
      found = found === null ? value : joined(lower, found, value)
    }
    return found
  }

  has(...all: [name: string]): boolean {
    const lower = nameOf(all[0])
    return lower === undefined ? (this.#unusual('has', all) as boolean) : hasField(this.#own(), lower)
  }

  getSetCookie(): string[] {
    return this.#own().flatMap(([name, value]) => (name === 'set-cookie' ? [value] : []))
  }

  forEach(...all: Parameters<Headers['forEach']>): void {
    const [callback, self] = all
    if (typeof callback !== 'function') this.#unusual('forEach', all)
    for (const [name, value] of this.entries()) callback.call(self, value, name, this as unknown as Headers)
  }

  keys(): HeadersIterator<string> {
    return new HeadersIterator(this, ([name]) => name)
  }

  values(): HeadersIterator<string> {
    return new HeadersIterator(this, ([, value]) => value)
  }

  entries(): HeadersIterator<[string, string]> {
    return new HeadersIterator(this, ([name, value]) => [name, value])
  }

  [Symbol.iterator](): HeadersIterator<[string, string]> {
    return this.entries()
  }

  #own(): Field[] {
    if (this.#raw !== undefined) {
      for (const [name, value] of this.#raw) addField(this.#fields, lowerName(name), value)
      this.#raw = undefined
    }
    return this.#fields
  }

  /** @throws TypeError if nothing may change */
  #changed(): Field[] {
    if (this.#immutable) throw new TypeError('immutable')
    this.#sorted = undefined
    return this.#own()
  }

  #set(lower: string, value: string): void {
    const fields = this.#changed()
    const at = fields.findIndex(([one]) => one === lower)
    if (at < 0) fields.push([lower, value])
    else {
      fields[at] = [lower, value]
      if (lower === 'set-cookie') remove(fields, lower, at + 1)
    }
  }

  /** A call that Node's class judges: an empty object of it throws, or says what name and value become. */
  #unusual(
    method: 'append' | 'set' | 'delete' | 'get' | 'has' | 'forEach',
    all: readonly unknown[],
  ): unknown {
    const judge = new (native().Headers)()
    Reflect.apply(judge[method], judge, all)
    const [field] = judge
    if (field !== undefined) {
      const [lower, value] = field
      if (method === 'set') this.#set(lower, value)
      else addField(this.#changed(), lower, value)
      return undefined
    }
    return method === 'forEach' ? undefined : this[method as 'get'](String(all[0]).toLowerCase())
  }
}

function remove(fields: Field[], lower: string, from: number): void {
  for (let i = fields.length - 1; i >= from; i--) if (fields[i]![0] === lower) fields.splice(i, 1)
}

/** Goes through fields by name; it sees what changes meanwhile, as the web's does. */
class HeadersIterator<T> implements IterableIterator<T> {
  readonly #headers: LightHeaders
  readonly #pick: (field: Field) => T
  #at = 0

  constructor(headers: LightHeaders, pick: (field: Field) => T) {
    this.#headers = headers
    this.#pick = pick
  }

  next(): IteratorResult<T> {
    const field = LightHeaders.sorted(this.#headers)[this.#at]
    if (field === undefined) return { value: undefined, done: true }
    this.#at++
    return { value: this.#pick(field), done: false }
  }

  declare [Symbol.iterator]: () => this
}

const ITERATOR = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))
Object.setPrototypeOf(HeadersIterator.prototype, ITERATOR)
Object.defineProperty(HeadersIterator.prototype, 'next', { enumerable: true })
Object.defineProperty(HeadersIterator.prototype, Symbol.toStringTag, {
  value: 'Headers Iterator',
  configurable: true,
})
