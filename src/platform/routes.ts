import { bareHostName } from '../tls13/host-name.ts'

/** Which function a name leads to, and by what kind of entry. */
export interface Route {
  readonly function: string
  readonly by: 'exact' | 'wildcard' | 'default'
}

/** One line of the table. @see Routes */
export interface RouteEntry {
  /** A host name, or `*.` and a host name: any name that ends so, with one label more or several. */
  readonly host: string
  readonly function: string
}

/**
 * The table from names to functions. A name is only ever looked up here, never dialled. An exact entry goes
 * before a wildcard, and of the wildcards the longest wins.
 */
export class Routes {
  readonly #exact = new Map<string, string>()
  readonly #wildcards = new Map<string, string>()
  readonly #default: string | undefined
  /** What was asked for last: requests of one connection name the same host. */
  #last: { readonly name: string | undefined; readonly route: Route | undefined } | undefined

  /**
   * @param defaultFunction for clients that give no name, an address, or `localhost`
   * @throws RangeError a host is not one, or leads to two functions
   */
  constructor(entries: Iterable<RouteEntry>, defaultFunction?: string) {
    this.#default = defaultFunction
    for (const { host, function: name } of entries) {
      const pattern = normalisePattern(host)
      if (pattern === undefined) throw new RangeError(`${JSON.stringify(host)} is not a host name`)
      const wildcard = pattern.startsWith('*.')
      const table = wildcard ? this.#wildcards : this.#exact
      const key = wildcard ? pattern.slice(2) : pattern
      const other = table.get(key)
      if (other !== undefined && other !== name)
        throw new RangeError(`${pattern} leads to both ${other} and ${name}`)
      table.set(key, name)
    }
  }

  /**
   * Where a server name or a Host (without its port) leads; undefined if nowhere.
   * @param name as the client gave it; undefined or empty if it gave none. A malformed one leads nowhere, not
   * to the default.
   */
  find(name: string | undefined): Route | undefined {
    if (this.#last?.name !== name || this.#last === undefined) this.#last = { name, route: this.#seek(name) }
    return this.#last.route
  }

  #seek(name: string | undefined): Route | undefined {
    if (!name || isAddress(name)) return this.#fallback()
    const host = normaliseHost(name)
    if (host === undefined) return undefined
    const exact = this.#exact.get(host)
    if (exact !== undefined) return { function: exact, by: 'exact' }
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      const wildcard = this.#wildcards.get(host.slice(dot + 1))
      if (wildcard !== undefined) return { function: wildcard, by: 'wildcard' }
    }
    // It is the name of an address (RFC 6761 §6.3).
    return host === 'localhost' ? this.#fallback() : undefined
  }

  #fallback(): Route | undefined {
    return this.#default === undefined ? undefined : { function: this.#default, by: 'default' }
  }
}

/**
 * A host name as the table spells it: in lower case, without one trailing dot. Undefined if it is none: empty
 * labels or labels of more than 63 bytes, more than 253 bytes, characters other than letters, digits, `-` and
 * `_`, or an IP address.
 */
export function normaliseHost(name: string): string | undefined {
  // Checked before lower-casing, which makes ASCII letters of some that are not.
  const bare = bareHostName(name)
  return bare === undefined || isAddress(bare) ? undefined : bare.toLowerCase()
}

/** The same for an entry of the table: the first label may be `*`. */
export function normalisePattern(pattern: string): string | undefined {
  if (!pattern.startsWith('*.')) return normaliseHost(pattern)
  const host = normaliseHost(pattern.slice(2))
  return host === undefined ? undefined : `*.${host}`
}

/**
 * Whether a host is an address in one of the spellings that URLs take: `[…]`, or a last label that is a
 * number.
 */
export function isAddress(host: string): boolean {
  return /^\[.*\]$/.test(host) || /(^|\.)(\d+|0x[0-9a-f]*)\.?$/i.test(host)
}
