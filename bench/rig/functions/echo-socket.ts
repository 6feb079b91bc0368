import type { FetchHandler } from '../../../src/functions/contract.ts'
import type { WebSocketFunction } from '../../../src/functions/web-socket.ts'

/** Gives back what it gets while that still comes, and what it is told on a WebSocket. */
const echo: FetchHandler = {
  fetch: request => new Response(request.body, { headers: { 'content-type': 'application/octet-stream' } }),
}

export default echo

export const webSocket: WebSocketFunction = socket => ({
  message: data => void socket.send(data),
})
