import { Context } from './context.ts'
import { tcp } from './kinds/tcp.ts'
import { type TlsGiven, tls } from './kinds/tls.ts'

/** The network as clients know it: `http` over TCP, `https` over our TLS. @param given whom to trust etc. */
export function network(given: TlsGiven = {}): Context {
  return new Context().over('http', tcp).over('https', tls(tcp), given)
}
