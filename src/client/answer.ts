import { hasNoContent } from '../http/status.ts'
import { canDecode, codingsOf, decoded } from './decoding.ts'
import { ClientError } from './error.ts'
import type { Answer } from './exchange.ts'

/** Statuses that a Response may have. */
const FIRST = 200
const LAST = 599

/** What a response says of itself besides its own fields. */
export interface About {
  readonly url: string
  readonly redirected: boolean
  /** Whether codings are to be taken off. */
  readonly decode: boolean
}

/** An answer as the web's Response. @throws ClientError protocol: one that it cannot be */
export function responseOf(
  { status, fields, content }: Answer,
  { url, redirected, decode }: About,
): Response {
  if (status < FIRST || status > LAST) throw new ClientError('protocol', `a response with status ${status}`)
  const codings = decode && content !== null ? codingsOf(fields) : []
  const plain = codings.length > 0 && canDecode(codings) ? decoded(content!, codings) : content
  const body = hasNoContent(status) ? null : plain
  const response = new Response(body as ConstructorParameters<typeof Response>[0], {
    status,
    headers: fields as [string, string][],
  })
  Object.defineProperties(response, {
    url: { value: url, configurable: true },
    redirected: { value: redirected, configurable: true },
  })
  return response
}

/** Frees the connection of a response whose content is not wanted. */
export function discard({ content }: Answer): void {
  if (content instanceof ReadableStream) content.cancel().catch(() => {})
}
