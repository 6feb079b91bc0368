/**
 * A header or trailer field as it came: the name in the sender's spelling, the value without surrounding
 * spaces.
 */
export type Field = readonly [name: string, value: string]

/**
 * What a request line and its header fields say (RFC 9112 §3 and §5), or those of HTTP/2 with
 * :authority as Host.
 */
export interface RequestHead {
  readonly method: string
  /** The request target as the client sent it. */
  readonly target: string
  readonly version: '1.0' | '1.1' | '2'
  readonly headers: readonly Field[]
  /**
   * The host part of the absolute-form target or of the Host field, lower-cased, without port; undefined if
   * there is none.
   */
  readonly host: string | undefined
  /** The path of the target, with neither query nor fragment: `/echo/a`. */
  readonly path: string
  /** What follows the first `?`, without it; empty if there is none. */
  readonly query: string
  /**
   * The value of the field `x-hotpotato-key`, which `headers` does not have; to be wiped by the last who
   * needs it.
   */
  readonly key?: Uint8Array | undefined
}

/** A whole request, as the raw handler sees it. */
export interface RequestView extends RequestHead {
  readonly body: Uint8Array
}

/** A whole response, as the raw handler gives it. */
export interface ResponseView {
  readonly status: number
  readonly headers?: readonly Field[]
  readonly body?: Uint8Array | string
}

/** @throws TypeError for what is no bytes: a string has other lengths than what it becomes */
export function checkBytes(content: unknown): void {
  if (!(content instanceof Uint8Array))
    throw new TypeError(`content of type ${typeof content}, not Uint8Array`)
}

/**
 * Whether a field name is that one, in any spelling. @param name a token
 * @param lower in lower case, of letters and hyphens
 */
export function isNamed(name: string, lower: string): boolean {
  if (name === lower) return true
  if (name.length !== lower.length) return false
  // No other character of a token becomes a letter or a hyphen by this bit.
  for (let i = 0; i < lower.length; i++) if ((name.charCodeAt(i) | 0x20) !== lower.charCodeAt(i)) return false
  return true
}

/** The value of the first field of that name; undefined if there is none. @param name in lower case */
export function header(headers: readonly Field[], name: string): string | undefined {
  for (const [key, value] of headers) {
    if (key.length === name.length && key.toLowerCase() === name) return value
  }
  return undefined
}

/** Fields that are about one connection (RFC 9110 §7.6.1), or about framing; names in lower case. */
export const HOP_FIELDS: readonly string[] = [
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** What all Connection fields name, in lower case: it is for one hop (RFC 9110 §7.6.1). */
export function namedByConnection(fields: readonly Field[]): ReadonlySet<string> {
  const named = new Set<string>()
  for (const [name, value] of fields) {
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue
    for (const one of value.toLowerCase().split(/[\s,]+/)) named.add(one)
  }
  return named
}

/**
 * Fields that mean something only before the content, and so have no place behind it (RFC 9110 §6.5.1).
 */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Whether a field of that name has a place among trailers. @param name in any spelling */
export function isTrailer(name: string): boolean {
  return !NOT_IN_TRAILERS.has(name.toLowerCase())
}

/** @throws TypeError for a field that has no place among trailers */
export function checkTrailers(trailers: readonly Field[]): void {
  for (const [name] of trailers) if (!isTrailer(name)) throw new TypeError(`${name} among the trailers`)
}
