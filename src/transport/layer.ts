import type { Clock } from '../time/clock.ts'
import type { ServerConfig } from '../tls13/index.ts'
import type { Accepted } from './listener.ts'
import { secure } from './secure.ts'
import type { Transport } from './transport.ts'

/** A transport whose bytes are protected, whatever library does it. */
export interface Protected extends Transport {
  /** What ALPN chose; nothing if the client asked for none. */
  readonly alpnProtocol: string | undefined | null | false
  /** Bytes, in front of all others, that came as early data. */
  readonly earlyBytes?: number
}

/** TLS for a server, of any library: what it speaks → what it makes of each connection. */
export type TlsLayer = (alpn: readonly string[]) => Protect

/**
 * Does a handshake. @param options milliseconds that the client has, and a signal that gives it up
 * @throws Error (as rejection) what ended it; nothing is left open then
 */
export type Protect = (
  accepted: Accepted,
  options: { readonly patienceMs: number; readonly clock: Clock; readonly signal: AbortSignal },
) => Promise<Protected>

/** Our TLS. @param configFor for what is spoken; its `alpn` is what {@link TlsLayer} is given */
export function ourTls(configFor: (alpn: readonly string[]) => ServerConfig): TlsLayer {
  return alpn => {
    const config = configFor(alpn)
    return ({ transport }, options) => secure(transport, config, options)
  }
}
