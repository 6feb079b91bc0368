import { latin1Bytes } from '../http/h1/syntax.ts'
import { KEY_FIELD } from '../http/key-field.ts'
import type { Field } from '../http/message.ts'
import { ClientError } from './error.ts'
import type { Outgoing } from './outgoing.ts'

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Fields that describe content, and go when it does (Fetch, request-body-header name). */
const ABOUT_CONTENT: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
])

/** Fields that are for one origin alone: its name, port and scheme, so that none goes from TLS into clear. */
const FOR_ONE_ORIGIN: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'host',
  'proxy-authorization',
  KEY_FIELD,
])

/** Whether a status asks to go elsewhere, where Location says so. */
export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status)
}

/**
 * The request that follows a redirect, by the rules of Fetch (HTTP-redirect fetch).
 * @param status see {@link isRedirect} @param location what the response's Location says
 * @throws ClientError protocol: a Location that cannot be followed, or content that is gone
 */
export function redirected(
  { method, url, fields, content, length }: Outgoing,
  status: number,
  location: string,
): Outgoing {
  const next = target(location, url)
  const rewritten =
    ((status === 301 || status === 302) && method === 'POST') ||
    (status === 303 && method !== 'GET' && method !== 'HEAD')
  if (!rewritten && content instanceof ReadableStream)
    throw new ClientError('protocol', `a redirect (${status}) wants the content again, which was a stream`)
  const crosses = next.origin !== url.origin
  const stays = ([name]: Field): boolean => {
    const lower = name.toLowerCase()
    return !(rewritten && ABOUT_CONTENT.has(lower)) && !(crosses && FOR_ONE_ORIGIN.has(lower))
  }
  const kept = fields.filter(stays)
  if (rewritten) return { method: 'GET', url: next, fields: kept, content: undefined, length: undefined }
  return { method, url: next, fields: kept, content, length }
}

/** Servers write UTF-8 into it, which is no URL yet; browsers take it as what it is. */
function readable(location: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all but ASCII is meant
  if (/^[\x00-\x7f]*$/.test(location)) return location
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(latin1Bytes(location))
  } catch {
    return location
  }
}

function target(given: string, base: URL): URL {
  const location = readable(given)
  if (!URL.canParse(location, base.href))
    throw new ClientError('protocol', `a redirect to what is no URL: ${location.slice(0, 200)}`)
  const next = new URL(location, base)
  if (next.protocol !== 'http:' && next.protocol !== 'https:')
    throw new ClientError('protocol', `a redirect to ${next.protocol}, which is not spoken here`)
  if (next.username !== '' || next.password !== '')
    throw new ClientError('protocol', `a redirect to ${next.host} with credentials in it`)
  next.hash = ''
  return next
}
