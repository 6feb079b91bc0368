import type { Field } from '../http/message.ts'
import { hasNoContent } from '../http/status.ts'
import { prepare } from '../web/globals.ts'
import { addField, lowerName } from '../web/headers.ts'
import { LightResponse } from '../web/response.ts'
import { canDecode, codingsOf, decoded } from './decoding.ts'
import type { Answer } from './exchange.ts'

/** What a response says of itself besides its own fields. */
export interface About {
  readonly url: string
  readonly redirected: boolean
  /** Whether codings are to be taken off. */
  readonly decode: boolean
}

/** An answer as its caller gets it. */
export interface Delivered {
  readonly response: Response
  /** Its content goes through a decoder. */
  readonly decoding: boolean
}

/**
 * An answer as the web's Response. A status above 599 stays what it is, and is a failure (RFC 9110 §15).
 * @throws ClientError protocol: too many codings
 */
export function responseOf({ status, fields, content }: Answer, about: About): Delivered {
  const source = hasNoContent(status) ? null : content
  const codings = about.decode && source !== null ? codingsOf(fields) : []
  const decoding = codings.length > 0 && canDecode(codings)
  const body = decoding ? decoded(source!, codings) : source
  prepare()
  const light = LightResponse.from(status, headersOf(fields), body, about)
  return { response: light as unknown as Response, decoding }
}

function headersOf(fields: readonly Field[]): Field[] {
  const headers: Field[] = []
  for (const [name, value] of fields) addField(headers, lowerName(name), value)
  return headers
}

/** Frees the connection of a response whose content is not wanted. */
export function discard({ content }: Answer): void {
  if (content instanceof ReadableStream) content.cancel().catch(() => {})
}
