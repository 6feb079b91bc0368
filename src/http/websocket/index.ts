/** WebSockets (RFC 6455) without sockets and without a clock. */
export {
  DEFAULT_WEB_SOCKET_LIMITS,
  WebSocketClient,
  type WebSocketEvent,
  type WebSocketLimits,
  WebSocketServer,
  type WebSocketState,
  webSocketState,
} from './connection.ts'
export { CloseCode, Opcode, readFrame, WebSocketError, writeFrame } from './frame.ts'
export {
  acceptOf,
  askedProtocols,
  askingFields,
  asksForWebSocket,
  frameMask,
  type Handshake,
  handshakeKey,
  isAccepted,
  judgeHandshake,
} from './handshake.ts'
