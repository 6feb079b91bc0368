import type { FetchHandler, RawHandler, ResumeFunction } from './contract.ts'
import type { SocketAdmitter, WebSocketFunction } from './web-socket.ts'

/** A function that is loaded: one of two shapes, told apart by `kind`. */
export type FunctionModule = (
  | ({ readonly kind: 'fetch' } & FetchHandler)
  | ({ readonly kind: 'raw' } & RawHandler)
) & {
  /** The module's file. */
  readonly file: string
  /** What it does with WebSockets; undefined if nothing. */
  readonly webSocket?: WebSocketFunction
  /** The subprotocols of WebSockets that it speaks, in order of preference. */
  readonly webSocketProtocols?: readonly string[]
  /** Goes on with responses that were begun in other containers; undefined: it cannot. */
  readonly resume?: ResumeFunction
  /** Asked before a WebSocket is granted; undefined: each one is. */
  readonly admitWebSocket?: SocketAdmitter
  /** What it counts itself, for the status of its container; undefined: nothing. */
  readonly counters?: () => Readonly<Record<string, number>>
  /** Whether it can answer now; undefined: always. */
  readonly ready?: () => boolean
  /** It is a bundle, and gets the keys that requests bring. */
  readonly sealed?: boolean
}

/**
 * A loaded function in which all of that has its place, also what is not there: the engine compiles what
 * calls functions for modules of one shape.
 */
export function functionModule(given: FunctionModule): FunctionModule {
  const { kind, file, webSocket, webSocketProtocols, admitWebSocket, resume } = given
  const { counters, ready, sealed } = given
  const { fetch } = given as Partial<FetchHandler>
  const { handle } = given as Partial<RawHandler>
  const sockets = { webSocket, webSocketProtocols, admitWebSocket }
  return { kind, file, fetch, handle, ...sockets, resume, counters, ready, sealed } as FunctionModule
}
