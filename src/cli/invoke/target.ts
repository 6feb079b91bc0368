import type { Config, FunctionConfig } from '../../stack/config.ts'
import { CommandError } from '../line/usage-error.ts'

/** Addresses to listen on that none can be reached by, and where one does reach what listens there. */
const EVERYWHERE: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Where a function is reached. */
export interface Target {
  /** What the request names. */
  readonly host: string
  /** What stands before the path of the function. */
  readonly prefix: string
  /** The name of the certificate that is shown for that host. */
  readonly certificate: string
}

/**
 * By which host a function is asked for: one of its own, or, if it has none, that of another function with
 * its name as first part of the path.
 * @throws CommandError there is no such function, or no function has a host
 */
export function targetOf(name: string, { functions, gateway }: Config): Target {
  const one = functions.get(name)
  if (one === undefined) {
    const names = [...functions.keys()].join(', ')
    throw new CommandError(`there is no function ${name}; there are ${names}`)
  }
  const own = hostOf(one)
  if (own !== undefined) return { host: own, prefix: '', certificate: one.certificate }
  const preferred = functions.get(gateway.defaultFunction ?? '')
  for (const other of [...(preferred === undefined ? [] : [preferred]), ...functions.values()]) {
    const host = hostOf(other)
    if (host !== undefined) return { host, prefix: `/${name}`, certificate: other.certificate }
  }
  throw new CommandError(`no function has a host; call ${name} over the port without TLS: --clear`)
}

/** The address that reaches what listens on this one. */
export function reachable(host: string): string {
  return EVERYWHERE[host] ?? host
}

function hostOf({ hosts }: FunctionConfig): string | undefined {
  return hosts.find(host => !host.startsWith('*')) ?? hosts[0]?.replace('*', 'any')
}
