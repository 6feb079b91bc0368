/**
 * HTTP over any transport where there is no Node: in a browser's page, a worker, a service worker. Servers
 * and clients find each other in memory, or over a transport of the program's own; TLS takes a provider such
 * as `noble`.
 */
import { WEB_CLOCK } from '../time/web-clock.ts'
import { Context } from './context.ts'
import { runServer, type Server, type ServerOptions } from './server.ts'

export { H1Client } from '../http/h1/index.ts'
export type { HttpRequest, HttpResponse } from '../http/serving.ts'
export type { Connected, ConnectOptions, Target } from './connector.ts'
export { targetOf } from './context.ts'
export { keep } from './keep.ts'
export type { Kind } from './kinds/kind.ts'
export { MemoryHub, memory, pair } from './kinds/memory.ts'
export { WebSocketListener, webSocket } from './kinds/web-socket.ts'
export { ourTls } from './layer.ts'
export type { Accepted, Listener } from './listener.ts'
export { secure, secureClient } from './secure.ts'
export type { Server, ServerConnection } from './server.ts'
export type { Transport, TransportHandlers } from './transport.ts'

/** A context that leads nowhere yet. */
export function context(): Context {
  return new Context(WEB_CLOCK)
}

/** As `serve` elsewhere. @returns when it takes connections @throws as {@link runServer} */
export function serve(options: Omit<ServerOptions, 'clock'>): Promise<Server> {
  return runServer({ ...options, clock: WEB_CLOCK })
}
