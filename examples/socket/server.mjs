// A server on a Unix socket: HTTP, and a WebSocket on which each says what all others hear.
import { createServer } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'

const server = createServer((request, response) => {
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end(`${sockets.clients.size} are here, and you asked for ${request.url}\n`)
})
const sockets = new WebSocketServer({
  server,
  verifyClient: ({ req }) => !req.url.startsWith('/private'),
  handleProtocols: offered => (offered.has('chat') ? 'chat' : false),
})
sockets.on('connection', (socket, request) => {
  const name = new URL(request.url, 'http://chat').searchParams.get('name') ?? 'guest'
  socket.on('message', (data, binary) => {
    for (const other of sockets.clients) {
      if (other.readyState === WebSocket.OPEN) other.send(binary ? data : `${name}: ${data}`, { binary })
    }
  })
  // biome-ignore lint/suspicious/noConsole: what a program prints stands in the log
  socket.on('close', code => console.log(`${name} left with ${code}`))
})
// It ends when all have left: the platform says goodbye to them first.
process.on('SIGTERM', () => server.close())
server.listen(process.env.SOCKET)
