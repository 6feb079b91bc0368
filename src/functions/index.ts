/** What an author of functions needs to know: the shapes of a module, and what they are told. */
export type {
  BareHandler,
  ConnectionInfo,
  Context,
  Environment,
  FetchHandler,
  FieldSource,
  RawHandler,
  RawResponse,
  TrailerSource,
} from './contract.ts'
export type { Socket, SocketContext, SocketHandlers, WebSocketFunction } from './web-socket.ts'
