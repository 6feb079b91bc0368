import type { Field, ResponseView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'

/** What a request gets, whichever version of HTTP it came by. */
export type Page =
  | { readonly kind: 'reply'; readonly response: ResponseView }
  /** So many bytes of {@link PATTERN}. */
  | { readonly kind: 'bytes'; readonly size: number }
  /** Its own content, while it comes. */
  | { readonly kind: 'echo' }

/** The most that `/bytes/N` gives: a terabyte. */
const MOST = 2 ** 40
/**
 * Methods that do nothing that a second time would change (RFC 9110 §9.2.1): those may come early.
 */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Bytes of {@link PATTERN}. */
export const PIECE = 2 ** 16
/** The same for every client: the numbers from 0 to 255, again and again. */
export const PATTERN: Uint8Array = Uint8Array.from({ length: PIECE }, (_, index) => index & 0xff)

export const BYTES: Field = ['content-type', 'application/octet-stream']

/**
 * @param path without a query @param early whether it came as early data: what is not safe is refused then
 * (RFC 8470)
 * @param handshake what `GET /tls` tells
 */
export function pageFor(method: string, path: string, early: boolean, handshake: object): Page {
  if (early && !SAFE.has(method)) {
    const detail = `${method} came as early data, which can be replayed: send it again after the handshake`
    return { kind: 'reply', response: problem({ name: 'too-early', status: 425, detail }) }
  }
  const reads = method === 'GET' || method === 'HEAD'
  const size = /^\/bytes\/(\d{1,13})$/.exec(path)?.[1]
  if (size !== undefined) {
    if (!reads) return notAllowed('GET, HEAD')
    if (Number(size) > MOST)
      return {
        kind: 'reply',
        response: problem({ name: 'too-much', status: 400, detail: `at most ${MOST} bytes` }),
      }
    return { kind: 'bytes', size: Number(size) }
  }
  if (path === '/echo')
    return method === 'POST' || method === 'PUT' ? { kind: 'echo' } : notAllowed('POST, PUT')
  if (path !== '/' && path !== '/tls') {
    const detail = 'this server has /, /bytes/N, /echo and /tls'
    return { kind: 'reply', response: problem({ name: 'no-such-page', status: 404, detail }) }
  }
  if (!reads) return notAllowed('GET, HEAD')
  if (path === '/') return text('text/plain', 'hello\n')
  return text('application/json', `${JSON.stringify({ ...handshake, early }, undefined, 2)}\n`)
}

function text(type: string, body: string): Page {
  return { kind: 'reply', response: { status: 200, headers: [['content-type', type]], body } }
}

function notAllowed(allow: string): Page {
  return {
    kind: 'reply',
    response: problem({ name: 'method-not-allowed', status: 405, headers: [['allow', allow]] }),
  }
}
