import { lookup as lookUp } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { Family } from './happy-eyeballs.ts'

/** Finds the addresses of a name, in the order in which they are to be tried; none: there is none. */
export type Resolver = (host: string, family: Family) => Promise<readonly string[]>

/**
 * Looks names up as the system does, but for `NAME.localhost`: it is this machine, as in browsers and curl
 * (RFC 6761 §6.3), which not every system's resolver knows.
 */
export const lookup: LookupFunction = (name, options, callback) =>
  lookUp(/\.localhost\.?$/i.test(name) ? 'localhost' : name, options, callback)

/** The system's. @throws Error (as rejection) with Node's `code`, but for a name without addresses */
export const systemResolver: Resolver = (host, family) =>
  new Promise((resolve, reject) => {
    lookup(host, { family, all: true }, (error, found) => {
      if (error === null) resolve((found as { address: string }[]).map(({ address }) => address))
      else if (['ENOTFOUND', 'ENODATA', 'EAI_ADDRFAMILY'].includes(error.code ?? '')) resolve([])
      else reject(error)
    })
  })
