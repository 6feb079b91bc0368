import { type Field, HOP_FIELDS, namedByConnection } from '../../http/message.ts'
import { addField, lowerName } from '../../web/headers.ts'

/** What was between the client and the platform only (RFC 9110 §7.6.1), or is said anew. */
const OF_ONE_HOP: ReadonlySet<string> = new Set([
  ...HOP_FIELDS,
  'expect',
  'http2-settings',
  'proxy-authenticate',
  'proxy-authorization',
])

/** What a client may not say of itself: the platform is the first that knows. */
const OURS: ReadonlySet<string> = new Set([
  'forwarded',
  'x-call-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-hotpotato-client',
  'x-real-ip',
])

/** Whom a request comes from, and over what. */
export interface Origin {
  readonly callId: string
  readonly tls: boolean
  readonly remoteAddress?: string | undefined
  /** What stands in Host if the client said none. */
  readonly host: string
}

/**
 * The fields of a request as a program gets them, names and values in turn, without those that say how its
 * content is framed: those of the client's own hop are left out (RFC 9110 §7.6.1), and `X-Forwarded-For`,
 * `-Host`, `-Proto` and `X-Call-Id` are the platform's, whatever the client said, also with `_` for `-`.
 */
export function fieldsToProgram(fields: readonly Field[], origin: Origin): string[] {
  const named = namedByConnection(fields)
  const given: string[] = []
  let host: string | undefined
  let takesTrailers = false
  for (const [name, value] of fields) {
    const lower = lowerName(name)
    if (lower === 'te') takesTrailers ||= /(^|,)\s*trailers\s*(,|$)/i.test(value)
    if (OF_ONE_HOP.has(lower) || isOurs(lower) || named.has(lower)) continue
    if (lower === 'host') host = value
    else given.push(name, value)
  }
  const { remoteAddress, tls, callId } = origin
  host ??= origin.host
  given.unshift('Host', host)
  if (takesTrailers) given.push('TE', 'trailers')
  if (remoteAddress !== undefined) given.push('X-Forwarded-For', remoteAddress)
  given.push('X-Forwarded-Host', host, 'X-Forwarded-Proto', tls ? 'https' : 'http', 'X-Call-Id', callId)
  return given
}

/**
 * The fields of a program's answer, names in lower case and each once but for Set-Cookie, without those of
 * its hop. Content-Length stays: the platform holds the content to it.
 * @param raw names and values in turn
 */
export function fieldsFromProgram(raw: readonly string[]): Field[] {
  const pairs = pairsOf(raw)
  const named = namedByConnection(pairs)
  const fields: Field[] = []
  for (const [name, value] of pairs) {
    const lower = lowerName(name)
    const kept = lower === 'content-length' || lower === 'trailer' || !OF_ONE_HOP.has(lower)
    if (kept && !named.has(lower)) addField(fields, lower, value)
  }
  return fields
}

/** @param raw names and values in turn */
export function pairsOf(raw: readonly string[]): Field[] {
  return Array.from({ length: raw.length >> 1 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!] as const)
}

/** A program that reads fields as variables (CGI, WSGI) takes `X_Real_Ip` for `X-Real-Ip`. */
function isOurs(lower: string): boolean {
  return OURS.has(lower) || (lower.includes('_') && OURS.has(lower.replaceAll('_', '-')))
}
