import type { Field, RequestHead, ResponseView } from '../http/message.ts'
import type { Context } from './contract.ts'

/** One WebSocket, as its function sees it. */
export interface Socket {
  /** The subprotocol that was agreed on; undefined if there is none. */
  readonly protocol: string | undefined
  /**
   * Sends a message. @returns undefined, or a promise of the moment when the client has taken enough for more
   */
  send(data: string | Uint8Array): Promise<void> | undefined
  /**
   * Says that it is over. @param code one that a server may send (RFC 6455 §7.4): 1000 to 1014 but for 1004
   * to 1006 and 1010, or 3000 to 4999 @throws RangeError for another one
   */
  close(code?: number, reason?: string): void
}

/**
 * What a function is told besides. The signal is aborted when the socket is over, and when it lives in
 * another container.
 */
export interface SocketContext extends Context {
  /** The request that asked for the WebSocket. */
  readonly request: RequestHead
}

/**
 * What a function does with one WebSocket. One message after the other: the next one is given when this has
 * been settled.
 */
export interface SocketHandlers {
  message?(data: string | Uint8Array): void | Promise<void>
  /** It is over, with the client's code, or 1006 if it broke off. Not called when it moves. */
  closed?(code: number, reason: string): void
  /**
   * What another container has to know to go on: a value that JSON can say, at most 1 MiB of it. It is asked
   * between messages, perhaps often, and must change nothing. Without it the socket cannot move: it is closed
   * with 1001 when its container has to go.
   */
  freeze?(): unknown
}

/**
 * The export `webSocket` of a function's module.
 * @param state what `freeze` gave in the container where the socket was before; undefined for a new one
 */
export type WebSocketFunction = (socket: Socket, context: SocketContext, state: unknown) => SocketHandlers

/** What a function says that is asked whether it takes a WebSocket. */
export type SocketAdmission =
  | {
      /** Among those that were asked for; undefined: none. */
      readonly protocol: string | undefined
      /** Of the answer, besides those of the handshake. */
      readonly fields: readonly Field[]
      /** Given to the {@link WebSocketFunction}; it does not move. */
      readonly state: unknown
      /** The client has gone meanwhile. */
      abandon(): void
    }
  /** The answer that the client gets instead. */
  | { readonly refused: ResponseView }

/** Asked before a WebSocket is granted. @param protocols the subprotocols that the client asks for */
export type SocketAdmitter = (
  context: SocketContext,
  protocols: readonly string[],
) => Promise<SocketAdmission>
