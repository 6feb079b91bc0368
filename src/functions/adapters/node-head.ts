import type { Field } from '../../http/message.ts'
import { addField, lowerName } from '../../web/headers.ts'

/** What the head of a response says. */
export interface Head {
  readonly status: number
  /** Names in lower case, each once but for Set-Cookie, without those that are about a connection. */
  readonly fields: Field[]
  /** Bytes of content; undefined if that is not said. */
  readonly length: number | undefined
  /** Content comes in chunks. */
  readonly chunked: boolean
  /** Characters of it, with the empty line at its end. */
  readonly end: number
}

const VERSION = 'HTTP/1.1 '
const LINE_END = '\r\n'

/**
 * Reads the head of a response at the front of what `node:http` has written, which has judged names and
 * values by then.
 * @returns undefined if there is none that is whole and final
 */
export function readHead(text: string): Head | undefined {
  const status = Number(text.slice(VERSION.length, VERSION.length + 3))
  if (!text.startsWith(VERSION) || !(status >= 200)) return undefined
  const fields: Field[] = []
  let length: number | undefined
  let chunked = false
  let at = text.indexOf(LINE_END) + LINE_END.length
  for (;;) {
    const end = text.indexOf(LINE_END, at)
    if (end < 0) return undefined
    if (end === at) break
    const colon = text.indexOf(':', at)
    const name = lowerName(text.slice(at, colon))
    const value = text.slice(colon + 1, end).trim()
    at = end + LINE_END.length
    if (name === 'connection' || name === 'keep-alive') continue
    if (name === 'transfer-encoding') chunked = true
    else {
      if (name === 'content-length') length = Number(value)
      addField(fields, name, value)
    }
  }
  return { status, fields, length, chunked, end: at + LINE_END.length }
}
