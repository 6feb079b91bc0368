/** HTTP over any transport, for Node: servers, and what opens connections for clients. */
export { ALPN_PROTOCOLS, type ServingLimits } from '../http/alpn.ts'
export { MemoryBudget } from '../http/memory-budget.ts'
export type { Field, RequestHead, ResponseView } from '../http/message.ts'
export {
  type ContentSink,
  type HttpFault,
  type HttpHandlers,
  type HttpRequest,
  type HttpResponse,
  type HttpTunnel,
  wholeContent,
} from '../http/serving.ts'
export type { MinimumRate, TimerSettings } from '../http/timers.ts'
export {
  ConnectError,
  type Connected,
  type ConnectFault,
  type ConnectOptions,
  type Connector,
  type Target,
} from './connector.ts'
export { type Context, targetOf } from './context.ts'
export { type DialOptions, dial } from './dial.ts'
export type { Served } from './driver.ts'
export { overTransport } from './duplex.ts'
export { type Delays, HappyEyeballs } from './happy-eyeballs.ts'
export { keep } from './keep.ts'
export { type Introduction, introduced } from './kinds/introduced.ts'
export type { Attempt, Kind, ListeningKind } from './kinds/kind.ts'
export { MemoryHub, memory, pair } from './kinds/memory.ts'
export { nodeTls, nodeTlsServer } from './kinds/node-tls.ts'
export { tcp } from './kinds/tcp.ts'
export { tls, tlsServer } from './kinds/tls.ts'
export { unix } from './kinds/unix.ts'
export { WebSocketListener, type WebSocketWay, webSocket } from './kinds/web-socket.ts'
export { ourTls, type Protect, type Protected, type TlsLayer } from './layer.ts'
export type { Accepted, Address, Listener } from './listener.ts'
export { context, network } from './network.ts'
export type { ProxyHeader, ProxyProtocolOptions } from './proxy-protocol/index.ts'
export type { Resolver } from './resolve.ts'
export { type ServeConnectionOptions, serveConnection } from './serve.ts'
export type { ConnectionFailure, Server, ServerConnection, ServerHandlers } from './server.ts'
export { alpn, http, https, type ServeOptions, type ServiceOptions, serve } from './services.ts'
export { overDuplex, type Transport, type TransportHandlers } from './transport.ts'
