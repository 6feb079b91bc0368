import type { Field } from '../http/message.ts'

/** A request's content: whole, or as it comes; undefined: it has none. */
export type Content = Uint8Array | ReadableStream<Uint8Array> | undefined

/** A request, apart from the connection that it takes. */
export interface Outgoing {
  readonly method: string
  /** Without credentials and fragment. */
  readonly url: URL
  /** Without Host, and without what frames content. */
  readonly fields: readonly Field[]
  readonly content: Content
  /** Bytes of a streamed content, where its Content-Length was given. */
  readonly length: number | undefined
}

/** Methods whose requests may be sent twice (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
/** Methods whose requests change nothing (RFC 9110 §9.2.1). */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method)
}

export function isSafe(method: string): boolean {
  return SAFE.has(method)
}

/** What the request line or `:path` says (RFC 9112 §3.2.1). */
export function pathOf({ pathname, search }: URL): string {
  return pathname + search
}
