import type { TcpState } from './state.ts'

/* `struct sockaddr_in` and `sockaddr_in6`: the family as this machine orders it, all else as the network. */

export const AF_INET = 2
export const AF_INET6 = 10
/** ::ffff:0:0/96: IPv4 through a socket of IPv6 (RFC 4291 §2.5.5.2). */
const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)

/** One end of a connection. */
export interface End {
  readonly family: TcpState['ends']['family']
  readonly address: Uint8Array
  readonly port: number
}

/** @returns undefined for a name of another family */
export function readName(name: Uint8Array): End | undefined {
  const family = name.length < 2 ? 0 : name[0]! | (name[1]! << 8)
  const port = (name[2]! << 8) | name[3]!
  if (family === AF_INET && name.length >= 8) return { family: 'ipv4', address: name.slice(4, 8), port }
  if (family !== AF_INET6 || name.length < 24) return undefined
  const address = name.slice(8, 24)
  // On the wire it is IPv4, whatever the listener was.
  return MAPPED.every((byte, i) => byte === address[i])
    ? { family: 'ipv4', address: address.slice(12), port }
    : { family: 'ipv6', address, port }
}

export function writeName({ family, address, port }: End): Uint8Array {
  const name = new Uint8Array(family === 'ipv4' ? 16 : 28)
  name[0] = family === 'ipv4' ? AF_INET : AF_INET6
  name[2] = port >> 8
  name[3] = port & 0xff
  name.set(address, family === 'ipv4' ? 4 : 8)
  return name
}

/** fe80::/10: such an address means nothing without an interface of its host. */
export function isLinkLocal({ family, address }: End): boolean {
  return family === 'ipv6' && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80
}
