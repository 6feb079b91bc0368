import type { FetchHandler, RawHandler } from './contract.ts'
import type { WebSocketFunction } from './web-socket.ts'

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
}
