import { H1Error } from './h1/error.ts'
import { parseHost } from './h1/target.ts'
import { type Field, isNamed } from './message.ts'

/** What a connection speaks: `https` over TLS, `http` without. */
export type Scheme = 'http' | 'https'

/** What a request says of where it belongs, each version of HTTP in its own words. */
export interface Claims {
  /** Of the absolute-form or `:scheme`; undefined: it does not say. */
  readonly scheme: string | undefined
  /** Of the absolute-form or `:authority`; undefined: Host alone says. */
  readonly authority: string | undefined
  /** Of the Host field; undefined: there is none. */
  readonly host: string | undefined
  readonly fields: readonly Field[]
}

/** Where a request belongs. */
export interface Origin {
  /** The host in lower case, without port; undefined if it names none. */
  readonly host: string | undefined
  /** The fields with a Host that says the same. */
  readonly fields: readonly Field[]
}

/**
 * The one authority and the one scheme of a request, for every version of HTTP, for gateway and container.
 *
 * The target's authority goes before Host (RFC 9112 §3.2.2, RFC 9113 §8.3.1), and Host is made to say the
 * same: what routes a request is what its function sees. The scheme is that of the connection: a request that
 * names another one is misdirected (RFC 9110 §7.4).
 * @param connection what the connection speaks; undefined: whatever its requests say
 * @throws H1Error 400 for what is no host, and for schemes other than http and https; 421 for the wrong one
 */
export function originOf(
  { scheme, authority, host, fields }: Claims,
  connection: Scheme | undefined,
): Origin {
  if (scheme !== undefined && scheme !== connection) judgeScheme(scheme.toLowerCase(), connection)
  // A Host that is none is refused, whatever stands in the target (RFC 9112 §3.2).
  const named = host === undefined ? undefined : parseHost(host)
  if (authority === undefined || authority === host) return { host: named, fields }
  const others = host === undefined ? fields : fields.filter(([name]) => !isNamed(name, 'host'))
  return { host: parseHost(authority), fields: [['host', authority], ...others] }
}

function judgeScheme(scheme: string, connection: Scheme | undefined): void {
  if (scheme === connection) return
  if (scheme !== 'http' && scheme !== 'https')
    throw new H1Error(400, `the scheme ${scheme.slice(0, 32)} is not spoken here: http and https are`)
  if (connection !== undefined)
    throw new H1Error(421, `a request for ${scheme} on a connection that speaks ${connection}`)
}
