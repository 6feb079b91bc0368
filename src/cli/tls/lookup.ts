import { lookup as lookUp } from 'node:dns'
import type { LookupFunction } from 'node:net'

/**
 * Looks names up as the system does, but for `NAME.localhost`: it is this machine, as in browsers and curl
 * (RFC 6761 §6.3), which not every system's resolver knows.
 */
export const lookup: LookupFunction = (name, options, callback) =>
  lookUp(/\.localhost\.?$/i.test(name) ? 'localhost' : name, options, callback)
