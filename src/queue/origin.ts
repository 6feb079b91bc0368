import { createHash } from 'node:crypto'
import { equal, utf8 } from '../wire/index.ts'
import type { Client } from './record.ts'

/** The field by which the queue says for whom it calls. What a client says in it is not believed. */
export const CLIENT_FIELD = 'x-hotpotato-client'

/** Between what is known and what is not. */
const UNKNOWN = '-'

/**
 * The value of that field: a proof, the scheme, and the address.
 * @param mark what only the platform's own processes know @param callId of that call alone
 */
export function tellClient(mark: string, callId: string, { tls, address }: Client): string {
  const told = `${tls === 1 ? 'https' : 'http'} ${address === '' ? UNKNOWN : address}`
  return `${proof(mark, callId, told)} ${told}`
}

/** For whom a call is made. @returns undefined: it is not the queue that says so */
export function clientTold(mark: string, callId: string, value: string): Client | undefined {
  const [given = '', scheme = '', address = ''] = value.split(' ')
  const right = proof(mark, callId, `${scheme} ${address}`)
  // What is compared are digests: how long that takes tells nothing of use.
  if (!equal(digest(given), digest(right))) return undefined
  return { tls: scheme === 'https' ? 1 : 0, address: address === UNKNOWN ? '' : address }
}

/** Two digests, one within the other: that of a longer text does not follow from it. */
function proof(mark: string, callId: string, told: string): string {
  const inner = createHash('sha256').update(`${callId} ${told}`).digest('hex')
  return createHash('sha256').update(`${mark} ${inner}`).digest('base64url')
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(utf8(text)).digest()
}
