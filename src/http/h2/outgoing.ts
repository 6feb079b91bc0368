import { checkTrailers, type Field } from '../message.ts'
import { CONNECTION_FIELDS, checkOutgoing } from './fields.ts'

/** Names as an application spells them, and how they are sent: undefined for what has no place in HTTP/2. */
const names = new Map<string, string | undefined>()
/** Applications use few names; one that uses many gets no cache. */
const NAMES_KEPT = 512

const VALUE = /^(?![\t ])[\t\x20-\x7e\x80-\xff]*$/

/**
 * Fields of an application as they may be sent: names in lower case, without the fields of HTTP/1
 * connections.
 * @throws TypeError for a name or value that must not be sent
 */
export function prepare(fields: readonly Field[]): readonly Field[] {
  let prepared: Field[] | undefined
  for (let i = 0; i < fields.length; i++) {
    const [name, given] = fields[i]!
    // Handlers without types give numbers, which HTTP/1 writes down as they are.
    const value = typeof given === 'string' ? given : String(given)
    const sent = names.get(name) ?? learn(name)
    // A plain value is judged here; whatever is unusual gets the whole judgement.
    if (sent !== undefined && (!VALUE.test(value) || sent === 'te' || value.endsWith(' '))) {
      checkOutgoing(sent, value)
    }
    if (sent === name && value === given) prepared?.push(fields[i]!)
    else {
      prepared ??= fields.slice(0, i)
      if (sent !== undefined) prepared.push([sent, value])
    }
  }
  return prepared ?? fields
}

/** The same for trailers. @throws TypeError also for one that has no place behind the content */
export function prepareTrailers(trailers: readonly Field[]): readonly Field[] {
  checkTrailers(trailers)
  return prepare(trailers)
}

function learn(name: string): string | undefined {
  const lower = name.toLowerCase()
  if (CONNECTION_FIELDS.has(lower)) return undefined
  checkOutgoing(lower, lower === 'te' ? 'trailers' : '')
  if (names.size < NAMES_KEPT) names.set(name, lower)
  return lower
}
