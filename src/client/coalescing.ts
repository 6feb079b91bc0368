import { lookup } from 'node:dns/promises'
import type { Socket } from 'node:net'
import { familyOf } from '../tls13/io/ip-address.ts'
import type { Connection } from './connection.ts'
import type { Lookup } from './options.ts'

/** As the system says. */
export const systemLookup: Lookup = async host => {
  const found = await lookup(host, { all: true })
  return found.map(({ address }) => address)
}

/**
 * Connections to other hosts that may be used for this one, too, if it is at their address (RFC 9113 §9.1.1):
 * HTTP/2 over TLS whose certificate was checked and is for this host, and to the same port.
 */
export function candidatesFor(url: URL, connections: Iterable<Connection>): readonly Connection[] {
  const host = url.hostname
  if (url.protocol !== 'https:' || familyOf(host.replace(/^\[|\]$/g, '')) !== 0) return []
  const port = Number(url.port) || 443
  return [...connections].filter(one => isFor(one, host, port))
}

/** The one of them that goes to where this host is. @throws what `find` throws (as rejection) */
export async function sharedFor(
  url: URL,
  candidates: readonly Connection[],
  find: Lookup,
): Promise<Connection | undefined> {
  const addresses = await find(url.hostname)
  return candidates.find(one => one.room > 0 && addresses.includes(remoteOf(one).address))
}

function isFor(connection: Connection, host: string, port: number): boolean {
  const { protocol, connected, room } = connection
  if (protocol !== 'h2' || !connected.secure || room === 0 || remoteOf(connection).port !== port) return false
  return connected.certificateNames?.some(name => covers(name, host)) ?? false
}

/** Whether a name of a certificate is for a host (RFC 9525 §6.3). @param name in lower case */
export function covers(name: string, host: string): boolean {
  if (!name.startsWith('*.')) return name === host
  const dot = host.indexOf('.')
  return dot > 0 && host.slice(dot) === name.slice(1) && name.indexOf('.', 2) > 0
}

function remoteOf({ connected }: Connection): { readonly address: string; readonly port: number } {
  const { remoteAddress = '', remotePort = 0 } = (connected.stream ?? {}) as Partial<Socket>
  return { address: remoteAddress.replace(/^::ffff:/, ''), port: remotePort }
}
