import { createHmac } from 'node:crypto'
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
  if (!equal(utf8(given), utf8(right))) return undefined
  return { tls: scheme === 'https' ? 1 : 0, address: address === UNKNOWN ? '' : address }
}

/** HMAC-SHA-256 (RFC 2104) over what is told of that call. */
function proof(mark: string, callId: string, told: string): string {
  return createHmac('sha256', mark).update(`${callId} ${told}`).digest('base64url')
}
