import { createSecureServer } from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'

/** The servers that all clients ask, in a process of their own: Node's, over HTTP/1.1 and HTTP/2. */
process.once('message', async ({ cert, key, bytes }: { cert: string; key: string; bytes: number }) => {
  const content = Buffer.alloc(bytes, 7)
  const servers = [
    createServer({ cert, key }, (_, response) => {
      response.setHeader('content-length', bytes)
      response.end(content)
    }),
    createSecureServer({ cert, key }, (_, response) => {
      response.setHeader('content-length', bytes)
      response.end(content)
    }),
  ]
  const ports = await Promise.all(servers.map(listening))
  process.send?.(ports)
})

function listening(one: unknown): Promise<number> {
  const server = one as Server
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
