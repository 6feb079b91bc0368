import type { LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { lookup } from '../../transport/resolve.ts'
import { UsageError } from '../line/usage-error.ts'

/**
 * Looks names up as `--resolve` says, and others as {@link lookup} does.
 * @param entries each `HOST:PORT:ADDRESS`; HOST may be `*`, and an address of IPv6 stand in brackets
 * @param port that is connected to: entries for others do not count
 * @throws UsageError an entry is none
 */
export function resolver(entries: readonly string[], port: number): LookupFunction {
  const own = new Map<string, LookupAddress>()
  for (const entry of entries) {
    const [, host, at, address = ''] = /^([^:]+):(\d{1,5}):\[?([^\][]+)\]?$/.exec(entry) ?? []
    const family = isIP(address)
    if (host === undefined || family === 0)
      throw new UsageError(`--resolve must be HOST:PORT:ADDRESS, not ${entry}`)
    if (Number(at) === port) own.set(host.toLowerCase(), { address, family })
  }
  return (name, options, callback) => {
    const found = own.get(name.toLowerCase()) ?? own.get('*')
    if (found === undefined) lookup(name, options, callback)
    else if (options.all) callback(null, [found])
    else callback(null, found.address, found.family)
  }
}
