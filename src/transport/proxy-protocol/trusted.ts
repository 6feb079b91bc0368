import type { Address } from '../listener.ts'
import { parseDecimal, parseIp } from './ip.ts'

/** Whether a peer may say who its client is. */
export type Trusts = (peer: Address) => boolean

/**
 * @param entries addresses, networks (`10.0.0.0/8`, `fd00::/8`), or `local`: peers without an address, as
 * they come by Unix sockets
 * @throws TypeError for an entry that is none
 */
export function trusting(entries: readonly string[]): Trusts {
  if (!Array.isArray(entries)) throw new TypeError('trusted: a list of addresses, networks or "local"')
  const networks = entries.filter(entry => entry !== 'local').map(networkOf)
  const local = entries.includes('local')
  return ({ address }) => {
    if (address === undefined) return local
    const bytes = parseIp(address)
    return bytes !== undefined && networks.some(network => contains(network, bytes))
  }
}

interface Network {
  readonly bytes: Uint8Array
  readonly bits: number
}

function networkOf(entry: string): Network {
  const [address = '', length, ...others] = entry.split('/')
  const bytes = parseIp(address)
  const most = (bytes?.length ?? 0) * 8
  const bits = length === undefined ? most : parseDecimal(length, most)
  if (bytes === undefined || bits === undefined || others.length > 0)
    throw new TypeError(`trusted: an address, a network or "local", not ${JSON.stringify(entry)}`)
  return { bytes, bits }
}

function contains({ bytes, bits }: Network, address: Uint8Array): boolean {
  if (bytes.length !== address.length) return false
  for (let bit = 0; bit < bits; bit += 8) {
    const mask = (0xff00 >> Math.min(8, bits - bit)) & 0xff
    if (((bytes[bit >> 3]! ^ address[bit >> 3]!) & mask) !== 0) return false
  }
  return true
}
