import type { Field } from '../../http/message.ts'
import { addField, lowerName } from '../light/headers.ts'

/** What the head of a response says. */
export interface Head {
  readonly status: number
  /** Names in lower case, each once but for Set-Cookie, without those that are about a connection. */
  readonly fields: Field[]
  /** Bytes of content; undefined if that is not said. */
  readonly length: number | undefined
  /** Content comes in chunks. */
  readonly chunked: boolean
}

const VERSION = 'HTTP/1.1 '

/**
 * Reads the head of a response as `node:http` has written it, which has judged names and values by then.
 * @param text with the empty line at its end
 * @returns undefined if it is not one that is final
 */
export function readHead(text: string): Head | undefined {
  const status = Number(text.slice(VERSION.length, VERSION.length + 3))
  if (!text.startsWith(VERSION) || !(status >= 200)) return undefined
  const fields: Field[] = []
  let length: number | undefined
  let chunked = false
  let at = text.indexOf('\r\n') + 2
  for (;;) {
    const end = text.indexOf('\r\n', at)
    if (end <= at) break
    const colon = text.indexOf(':', at)
    const name = lowerName(text.slice(at, colon))
    const value = text.slice(colon + 1, end).trim()
    at = end + 2
    if (name === 'connection' || name === 'keep-alive') continue
    if (name === 'transfer-encoding') chunked = true
    else {
      if (name === 'content-length') length = Number(value)
      addField(fields, name, value)
    }
  }
  return { status, fields, length, chunked }
}
