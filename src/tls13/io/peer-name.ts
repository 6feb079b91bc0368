import { domainToASCII } from 'node:url'
import { bareHostName } from '../host-name.ts'
import { familyOf } from './ip-address.ts'

/** What a client calls the server that it connects to. */
export interface PeerName {
  /** What the certificate is held against: a host name in ASCII, or an IP address. */
  readonly name: string
  /** What is asked for; left out for an IP address, which is no server name (RFC 6066 §3). */
  readonly serverName?: string
}

/**
 * A host as users write it, as TLS has it: without the dot at its end, and U-labels as A-labels (RFC 5890
 * §2.3.2.1). @throws TypeError for what is neither a host name nor an IP address
 */
export function peerName(host: string): PeerName {
  if (familyOf(host) !== 0) return { name: host }
  const inAscii = [...host].every(one => one < '\u0080')
  const name = bareHostName(inAscii ? host : domainToASCII(host))
  if (name === undefined) throw new TypeError(`${JSON.stringify(host)} is not a host name`)
  return { name, serverName: name }
}
