import { readFileSync } from 'node:fs'
import { createServer } from 'node:tls'
import { announce, argumentsOf, refuse } from './engine.ts'

/**
 * The smallest engine, to begin one's own with: `node:tls`, and both owners in this process, so that a move
 * is an assignment. What it measures is the bench's own part of every figure.
 */
function main(): void {
  const { certificate, key, suite } = argumentsOf(process.argv)
  const identity = { cert: readFileSync(certificate), key: readFileSync(key) }
  const options = { ...identity, minVersion: 'TLSv1.3', ciphers: suite, ALPNProtocols: ['http/1.1'] } as const
  const server = createServer(options, socket => {
    let [owner, hops] = ['a', 0]
    socket.setNoDelay(true).on('error', () => {})
    // The bench sends one request in one record, and waits for its answer.
    socket.on('data', (request: Buffer) => {
      const asked = request.toString('latin1', 6, 7)
      if (asked !== owner) {
        owner = asked
        hops++
      }
      const body = request.subarray(request.indexOf('\r\n\r\n') + 4)
      const head = [
        'HTTP/1.1 200 OK',
        `content-length: ${2 * body.length}`,
        `x-hotpotato-container: ${owner}`,
        `x-hotpotato-hops: ${Math.min(hops, 65_535)}`,
      ]
      socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body, body]))
    })
  })
  const owners = ['a', 'b'].map(name => ({ path: `/${name}`, name }))
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1', () =>
    announce(server, { engine: 'tiny', title: 'node:tls, nothing moves', owners }),
  )
}

try {
  main()
} catch (error) {
  refuse(error as Error)
}
