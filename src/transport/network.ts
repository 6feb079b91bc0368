import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { Context } from './context.ts'
import { tcp } from './kinds/tcp.ts'
import { type TlsGiven, tls } from './kinds/tls.ts'

/** A context that leads nowhere yet. */
export function context(): Context {
  return new Context(SYSTEM_CLOCK)
}

/** The network as clients know it: `http` over TCP, `https` over our TLS. @param given whom to trust etc. */
export function network(given: TlsGiven = {}): Context {
  return context().over('http', tcp).over('https', tls(tcp), given)
}
