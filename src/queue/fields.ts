import { type Field, HOP_FIELDS, namedByConnection } from '../http/message.ts'
import type { CallRecord } from './record.ts'

/** Fields that are about one connection, or that are written anew. */
const OWN: ReadonlySet<string> = new Set([
  ...HOP_FIELDS,
  'date',
  'expect',
  'host',
  'proxy-authorization',
  'x-call-id',
  'x-callback-url',
  'x-duration-seconds',
  'x-start-time',
])

/** Of a request or an answer, the fields that go along with its call: none of its hop (RFC 9110 §7.6.1). */
export function fieldsAlong(fields: readonly Field[]): CallRecord['headers'] {
  const named = namedByConnection(fields)
  return fields.flatMap(([name, value]) => {
    const lower = name.toLowerCase()
    return OWN.has(lower) || named.has(lower) ? [] : { name, value }
  })
}
