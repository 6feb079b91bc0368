import type { SocketHandlers, WebSocketFunction } from '../../src/functions/web-socket.ts'

/** Counts the messages of a WebSocket, wherever that is. */
export const webSocket: WebSocketFunction = (socket, _context, state): SocketHandlers => {
  const counted = (state as { count: number } | undefined) ?? { count: 0 }
  return {
    message: () => socket.send(String(++counted.count)),
    freeze: () => counted,
  }
}

export default { fetch: () => new Response('a WebSocket is served here') }
