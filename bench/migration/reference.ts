import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'

/**
 * What a Node user has today: a bare `node:tls` server, without even `node:http`, that gives the body back
 * twice. A process of its own: `node reference.js CERTIFICATE KEY SUITE`; it tells its parent the port and
 * ends with it.
 */
function main(certificate: string, key: string, suite: string): void {
  const server = createServer(
    {
      cert: readFileSync(certificate),
      key: readFileSync(key),
      minVersion: 'TLSv1.3',
      ciphers: suite,
      ecdhCurve: 'X25519',
      ALPNProtocols: ['http/1.1'],
    },
    serve,
  )
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit())
}

const END_OF_HEAD = Buffer.from('\r\n\r\n')
const HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 200\r\n' +
    'X-Hotpotato-Container: node-tls\r\nX-Hotpotato-Hops: 0\r\n\r\n',
)

/**
 * Just enough of HTTP for the one client that comes here: requests with 100 bytes of content, one at a time.
 */
function serve(socket: TLSSocket): void {
  socket.setNoDelay(true)
  socket.on('error', () => {})
  let received: Buffer | undefined
  socket.on('data', (chunk: Buffer) => {
    received = received === undefined ? chunk : Buffer.concat([received, chunk])
    const end = received.indexOf(END_OF_HEAD)
    if (end < 0 || received.length < end + 4 + 100) return
    const body = received.subarray(end + 4, end + 4 + 100)
    received = undefined
    socket.write(Buffer.concat([HEAD, body, body]))
  })
}

main(process.argv[2]!, process.argv[3]!, process.argv[4]!)
