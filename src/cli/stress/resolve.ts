import { familyOf } from '../../tls13/io/ip-address.ts'
import { type Resolver, systemResolver } from '../../transport/resolve.ts'
import { UsageError } from '../line/usage-error.ts'

/**
 * Looks names up as `--resolve` says, and others as the system does.
 * @param entries each `HOST:PORT:ADDRESS`; HOST may be `*`, and an address of IPv6 stand in brackets
 * @param port that is connected to: entries for others do not count
 * @throws UsageError an entry is none
 */
export function resolver(entries: readonly string[], port: number): Resolver {
  const own = new Map<string, string>()
  for (const entry of entries) {
    const [, host, at, address = ''] = /^([^:]+):(\d{1,5}):\[?([^\][]+)\]?$/.exec(entry) ?? []
    if (host === undefined || familyOf(address) === 0)
      throw new UsageError(`--resolve must be HOST:PORT:ADDRESS, not ${entry}`)
    if (Number(at) === port) own.set(host.toLowerCase(), address)
  }
  return (name, family) => {
    const address = own.get(name.toLowerCase()) ?? own.get('*')
    if (address === undefined) return systemResolver(name, family)
    return Promise.resolve(familyOf(address) === family ? [address] : [])
  }
}
