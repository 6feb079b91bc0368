import { lengthOf } from '../field-values.ts'
import { isFieldValue, isToken } from '../h1/syntax.ts'
import { neitherOf } from '../key-field.ts'
import type { Field } from '../message.ts'
import type { H2Request } from './event.ts'
import { Entry } from './hpack/table.ts'

/** What kind of field an entry is; judged once for each entry of a table. */
const Kind = {
  bad: 1,
  regular: 2,
  method: 3,
  scheme: 4,
  authority: 5,
  path: 6,
  protocol: 7,
  status: 8,
  cookie: 9,
  contentLength: 10,
  host: 11,
  priority: 12,
} as const

const KINDS: ReadonlyMap<string, number> = new Map([
  [':method', Kind.method],
  [':scheme', Kind.scheme],
  [':authority', Kind.authority],
  [':path', Kind.path],
  [':protocol', Kind.protocol],
  [':status', Kind.status],
  ['cookie', Kind.cookie],
  ['content-length', Kind.contentLength],
  ['host', Kind.host],
  ['priority', Kind.priority],
])

/** Fields about a connection have no place in HTTP/2 (RFC 9113 §8.2.2). */
export const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
])

/** As in HTTP/1 (`TARGET` in `h1/syntax.ts`): a fragment would be cut off by code that makes a URL of it. */
const PATH = /^[\x21\x24-\x3b\x3d\x3f-\x7e]+$/
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/
const AUTHORITY = /^[A-Za-z0-9._~!$&'()*+,;=:%[\]-]+$/

/**
 * A message that breaks RFC 9113 §8, says why in words; a stream error PROTOCOL_ERROR (§8.1.1).
 */
export class Malformed extends Error {}

/** A request as {@link H2Request}, and what the connection itself needs of it. */
export interface RequestFields extends H2Request {
  /** What Content-Length says; -1 without one. */
  readonly contentLength: number
  /** The Priority field (RFC 9218); undefined without one. */
  readonly priority: string | undefined
}

/** Reads the list of a request. @throws Malformed */
export function readRequest(entries: readonly Entry[], allowProtocol: boolean): RequestFields {
  let method: string | undefined
  let scheme: string | undefined
  let authority: string | undefined
  let path: string | undefined
  let protocol: string | undefined
  let host: string | undefined
  let cookie: string | undefined
  let priority: string | undefined
  let contentLength = -1
  const headers: Field[] = []
  let key: Uint8Array | undefined
  let regular = false
  for (const entry of entries) {
    const kind = entry.kind || judge(entry)
    if (kind >= Kind.method && kind <= Kind.status) {
      if (regular) throw new Malformed('a pseudo-header field after a field')
      const { value } = entry
      if (kind === Kind.method) method = once(method, value)
      else if (kind === Kind.scheme) scheme = once(scheme, value)
      else if (kind === Kind.authority) authority = once(authority, value)
      else if (kind === Kind.path) path = once(path, value)
      else if (kind === Kind.protocol) protocol = once(protocol, value)
      else throw new Malformed(`${entry.name} in a request`)
      continue
    }
    regular = true
    if (entry.key !== undefined) {
      key = key === undefined ? entry.key : neitherOf(key, entry.key)
      continue
    }
    if (kind === Kind.bad) throw new Malformed(`the field ${JSON.stringify(entry.name)}`)
    if (kind === Kind.cookie) {
      cookie = cookie === undefined ? entry.value : `${cookie}; ${entry.value}`
      continue
    }
    if (kind === Kind.contentLength) contentLength = declared(entry.value, contentLength)
    else if (kind === Kind.host) host = once(host, entry.value)
    else if (kind === Kind.priority) priority = entry.value
    headers.push(entry.field)
  }
  if (cookie !== undefined) headers.push(['cookie', cookie])
  if (method === undefined || !isToken(method)) throw new Malformed('no method')
  const tunnel = method === 'CONNECT' && protocol === undefined
  if (protocol !== undefined && (method !== 'CONNECT' || !allowProtocol)) throw new Malformed('a :protocol')
  if (tunnel ? scheme !== undefined || path !== undefined : scheme === undefined || path === undefined) {
    throw new Malformed(tunnel ? 'a :scheme or :path in CONNECT' : 'no :scheme or no :path')
  }
  if (method === 'CONNECT' && !authority) throw new Malformed('CONNECT without :authority')
  if (!tunnel) checkTarget(method, scheme!, path!)
  if (authority !== undefined && host !== undefined && authority.toLowerCase() !== host.toLowerCase()) {
    throw new Malformed('a Host that is not the :authority')
  }
  authority ??= host
  if (authority && !AUTHORITY.test(authority)) throw new Malformed('an authority with other characters')
  return {
    method,
    scheme: scheme ?? '',
    authority: authority ?? '',
    path: path ?? '',
    protocol,
    headers,
    key,
    contentLength,
    priority,
  }
}

function checkTarget(method: string, scheme: string, path: string): void {
  if (!SCHEME.test(scheme)) throw new Malformed('a :scheme that is none')
  if (path === '*' ? method !== 'OPTIONS' : !path.startsWith('/') || !PATH.test(path)) {
    throw new Malformed('a :path that is none')
  }
}

/** The list of a response. */
export interface ResponseFields {
  readonly status: number
  readonly headers: readonly Field[]
  readonly contentLength: number
}

/** Reads the list of a response. @throws Malformed */
export function readResponse(entries: readonly Entry[]): ResponseFields {
  let status: string | undefined
  let contentLength = -1
  const headers: Field[] = []
  for (const entry of entries) {
    const kind = entry.kind || judge(entry)
    if (kind === Kind.status && headers.length === 0) status = once(status, entry.value)
    else if (kind === Kind.bad || (kind >= Kind.method && kind <= Kind.status)) {
      throw new Malformed(`the field ${JSON.stringify(entry.name)}`)
    } else {
      if (kind === Kind.contentLength) contentLength = declared(entry.value, contentLength)
      headers.push(entry.field)
    }
  }
  if (status === undefined || !/^[1-9][0-9][0-9]$/.test(status) || status === '101') {
    throw new Malformed('no :status')
  }
  return { status: Number(status), headers, contentLength }
}

/**
 * Reads the list of trailers, which has no pseudo-header fields. A key among them is none, and is wiped.
 * @throws Malformed
 */
export function readTrailers(entries: readonly Entry[]): Field[] {
  wipeKeys(entries)
  return entries
    .filter(({ key }) => key === undefined)
    .map(entry => {
      const kind = entry.kind || judge(entry)
      if (kind === Kind.bad || (kind >= Kind.method && kind <= Kind.status)) {
        throw new Malformed(`${JSON.stringify(entry.name)} in trailers`)
      }
      return entry.field
    })
}

/** Of a list from which no request is made. */
export function wipeKeys(entries: readonly Entry[]): void {
  for (const { key } of entries) key?.fill(0)
}

/** @throws TypeError for a field that must not be sent. @param name in lower case */
export function checkOutgoing(name: string, value: string): void {
  const kind = judge(new Entry(name, value))
  if (kind === Kind.bad || (kind >= Kind.method && kind <= Kind.status)) {
    throw new TypeError(`the field ${JSON.stringify(name)} must not be sent so`)
  }
}

/** `u=` and `i` of a Priority field (RFC 9218 §4); whatever else it says, or is, is ignored. */
export function readPriority(text: string): { urgency: number; incremental: boolean } {
  const priority = { urgency: 3, incremental: false }
  for (const part of text.split(',')) {
    const member = part.trim()
    const urgency = /^u=([0-7])$/.exec(member)
    if (urgency !== null) priority.urgency = Number(urgency[1])
    else if (/^i(=\?[01])?$/.test(member)) priority.incremental = member !== 'i=?0'
  }
  return priority
}

/** RFC 9113 §8.2. */
function judge(entry: Entry): number {
  const { name, value } = entry
  entry.kind = kindOf(name, value)
  return entry.kind
}

function kindOf(name: string, value: string): number {
  if (!isFieldValue(value) || /^[\t ]|[\t ]$/.test(value)) return Kind.bad
  const kind = KINDS.get(name)
  if (kind !== undefined) return kind
  if (!isToken(name) || name !== name.toLowerCase() || CONNECTION_FIELDS.has(name)) return Kind.bad
  if (name === 'te' && value.toLowerCase() !== 'trailers') return Kind.bad
  return Kind.regular
}

function once(before: string | undefined, value: string): string {
  if (before !== undefined) throw new Malformed('a field twice that may be there once')
  return value
}

function declared(value: string, before: number): number {
  // What is beyond every limit is that as well when it is cut to what a number holds.
  const length = Math.min(lengthOf(value), Number.MAX_SAFE_INTEGER)
  if (Number.isNaN(length)) throw new Malformed('a Content-Length that is no number')
  if (before !== -1 && before !== length) throw new Malformed('two Content-Lengths')
  return length
}
