import type { Clock } from '../time/clock.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { type TcpPlace, tcp } from './kinds/tcp.ts'
import { type TlsServerOptions, tlsServer } from './kinds/tls.ts'
import type { TlsLayer } from './layer.ts'
import { runServer, type Server, type ServerOptions } from './server.ts'

export interface ServeOptions extends Omit<ServerOptions, 'tls' | 'clock'> {
  /** Our TLS with `cert` and `key`, or another layer such as `nodeTlsServer(…)`; without it: plain. */
  readonly tls?: TlsServerOptions | TlsLayer
  /** What timers go by; default: the machine's clock. */
  readonly clock?: Clock
}

/**
 * Serves HTTP/1.0, 1.1 and 2 over any transport, by ALPN where there is TLS, and by the first bytes where
 * there is none.
 * @returns when it takes connections
 * @throws (as rejection) Error with Node's `code` if the place cannot be had; TypeError for options that make
 * no sense
 */
export async function serve({ tls, clock = SYSTEM_CLOCK, ...options }: ServeOptions): Promise<Server> {
  if (tls === undefined) return runServer({ ...options, clock })
  const transport = await options.transport
  try {
    const layer = typeof tls === 'function' ? tls : tlsServer(tls)
    return await runServer({ ...options, clock, transport, tls: layer })
  } catch (error) {
    await transport.close()
    throw error
  }
}

/** What the services below take: a place on the network, and what {@link serve} takes. */
export type ServiceOptions = TcpPlace & Omit<ServeOptions, 'transport' | 'tls' | 'alpn'>

/** Plain HTTP on a port: HTTP/1.0, 1.1, and 2 with prior knowledge. @throws as {@link serve} */
export function http(options: ServiceOptions): Promise<Server> {
  return serve({ ...options, transport: tcp.listen(options) })
}

/** HTTPS on a port, HTTP/1.0 and 1.1 alone. @throws as {@link serve} */
export async function https(
  options: ServiceOptions & { readonly tls: NonNullable<ServeOptions['tls']> },
): Promise<Server> {
  needsTls(options)
  return serve({ ...options, transport: tcp.listen(options), alpn: ['http/1.1', 'http/1.0'] })
}

/** HTTPS on a port, whatever version of HTTP the client prefers. @throws as {@link serve} */
export async function alpn(
  options: ServiceOptions & { readonly tls: NonNullable<ServeOptions['tls']> },
): Promise<Server> {
  needsTls(options)
  return serve({ ...options, transport: tcp.listen(options) })
}

/** Without it they would serve in clear what was to be protected. */
function needsTls({ tls }: Partial<Pick<ServeOptions, 'tls'>>): void {
  if (tls === undefined || tls === null)
    throw new TypeError('tls: { cert, key } is missing; http() is what serves without TLS')
}
