import { createServer, type ServerResponse } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import { obey, report } from '../rig/child.ts'
import { type Kind, PERIOD, pieceOf } from './pieces.ts'

export type ServerOrder = { readonly do: 'retire'; readonly grace: number }
export type ServerReport = { readonly say: 'retiring' }

/** The same streams by a server of Node, behind a proxy. */
function main(): void {
  const server = createServer((request, response) => {
    const kind = request.url === '/events' ? 'events' : 'download'
    const type = kind === 'events' ? 'text/event-stream' : 'application/octet-stream'
    response.writeHead(200, { 'content-type': type })
    void stream(response, kind, Number(request.headers['last-event-id'] ?? 0) + 1)
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', socket => {
    let count = 0
    socket.on('message', () => socket.send(String(++count)))
  })
  obey<ServerOrder, ServerReport>(({ grace }) => {
    server.close(() => process.exit())
    void setTimeout(grace).then(() => process.exit())
    return { say: 'retiring' }
  })
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    report({ say: 'listening', port: typeof address === 'object' ? address?.port : undefined })
  })
}

async function stream(response: ServerResponse, kind: Exclude<Kind, 'socket'>, from: number): Promise<void> {
  const begun = Date.now()
  for (let n = from; !response.destroyed; n++) {
    response.write(pieceOf(kind, n))
    await setTimeout(Math.max(0, begun + (n - from + 1) * PERIOD - Date.now()))
  }
}

main()
