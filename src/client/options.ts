import type { Clock } from '../time/clock.ts'
import { checkMilliseconds } from '../transport/checks.ts'
import type { Connector } from '../transport/connector.ts'
import type { TlsOptions } from '../transport/kinds/tls.ts'

/** Milliseconds; 0: no matter how long. */
export interface Timeouts {
  /** For name, TCP connection and a proxy's answer, together; default: 10 000. */
  readonly connect: number
  /** For the handshake of TLS with the server; default: 10 000. */
  readonly tls: number
  /**
   * From a request to its place on a connection, one that is opened for it included; default: 0. Others may
   * hold all places.
   */
  readonly pool: number
  /** From a request to the head of its response; default: 300 000. */
  readonly headers: number
  /** Between two pieces of a response's content; default: 300 000. */
  readonly body: number
  /** That an unused connection is kept; default: 4000, or less if the server says so (Keep-Alive). */
  readonly idle: number
  /** For all of a request, with redirects, retries and content; default: 0. */
  readonly total: number
}

export const DEFAULT_TIMEOUTS: Timeouts = {
  connect: 10_000,
  tls: 10_000,
  pool: 0,
  headers: 300_000,
  body: 300_000,
  idle: 4000,
  total: 0,
}

/**
 * Timeouts with their defaults; one that is undefined counts as left out.
 * @throws TypeError that names what is no number of milliseconds, or no timeout
 */
export function timeoutsOf(given: Partial<Timeouts> = {}): Timeouts {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULT_TIMEOUTS, name))
      throw new TypeError(`timeouts.${name}: there are ${Object.keys(DEFAULT_TIMEOUTS).join(', ')}`)
    checkMilliseconds(`timeouts.${name}`, value)
  }
  return { ...DEFAULT_TIMEOUTS, ...said(given) }
}

/** What was given, without what is undefined. */
function said<T extends object>(given: T): Partial<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T>
}

/** How much a client holds open. */
export interface PoolLimits {
  /** Connections to one origin; default: 100. */
  readonly connectionsPerOrigin: number
}

export const DEFAULT_POOL_LIMITS: PoolLimits = { connectionsPerOrigin: 100 }

/** Where a host is: addresses as text. */
export type Lookup = (host: string) => Promise<readonly string[]>

/** A proxy of HTTP (RFC 9110 §3.7). */
export interface ProxyOptions {
  /** `http://` or `https://`, with name and password in it where it wants them (RFC 7617). */
  readonly url: string
  /** For TLS with the proxy itself. */
  readonly tls?: TlsOptions
}

/** What {@link Client} takes. Everything has a default. */
export interface ClientOptions {
  /** What opens connections; default: TCP, and our TLS over it, which `tls` is for. */
  readonly connector?: Connector
  /** Whom to trust (`ca`), certificates of our own (`cert`, `key`) and so on. */
  readonly tls?: TlsOptions
  /** What all requests go through. */
  readonly proxy?: ProxyOptions
  /**
   * Whether requests with safe methods and no content go out with the first flight of a TLS handshake that
   * resumes: one round trip less, and the server may get them twice (RFC 8470). Default: false.
   */
  readonly earlyData?: boolean
  /** Where a host is, for connections that serve several; default: as the system says. */
  readonly lookup?: Lookup
  readonly timeouts?: Partial<Timeouts>
  readonly limits?: Partial<PoolLimits>
  /** Redirects that are followed; default: 20. */
  readonly redirects?: number
  /** Whether content is asked for in codings, and decoded; default: true. */
  readonly decode?: boolean
  /**
   * Whether each request has a connection for itself as long as its response lasts, over HTTP/2 as well.
   * Default: false.
   */
  readonly exclusive?: boolean
  /** Fields of every request that does not have them. */
  readonly headers?: Readonly<Record<string, string>>
  /** What timers go by; default: the machine's clock. */
  readonly clock?: Clock
}
