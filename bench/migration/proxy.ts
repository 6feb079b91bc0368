import { readFileSync } from 'node:fs'
import {
  Agent,
  createServer as createHttpServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/**
 * What people do today instead of moving connections: a proxy that ends TLS, answers for one function itself
 * and forwards what is for another one over kept-alive HTTP on loopback. Node's own https and http at both
 * ends. A process of its own: `node proxy.js proxy CERTIFICATE KEY SUITE PORT` or `node proxy.js function`;
 * it tells its parent the port and ends with it.
 */
function main(role: string, others: readonly string[]): void {
  const server =
    role === 'proxy'
      ? proxy(others)
      : createHttpServer((incoming, response) => twice(incoming, response, 'function'))
  server.keepAliveTimeout = 0
  server.on('connection', socket => socket.setNoDelay(true))
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit())
}

function proxy([certificate, key, suite, port]: readonly string[]) {
  const agent = new Agent({ keepAlive: true, noDelay: true, scheduling: 'lifo' })
  const options = {
    cert: readFileSync(certificate!),
    key: readFileSync(key!),
    minVersion: 'TLSv1.3',
    ciphers: suite!,
    ecdhCurve: 'X25519',
    ALPNProtocols: ['http/1.1'],
  } as const
  return createServer(options, (incoming, response) => {
    if (incoming.url === '/here') return twice(incoming, response, 'proxy')
    const { method, url, headers } = incoming
    const outgoing = request(
      { agent, host: '127.0.0.1', port: Number(port), method, path: url, headers },
      answer => {
        response.writeHead(answer.statusCode!, answer.rawHeaders)
        answer.pipe(response)
      },
    )
    outgoing.on('error', () => response.destroy())
    incoming.pipe(outgoing)
  })
}

function twice(incoming: IncomingMessage, response: ServerResponse, name: string): void {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    const body = Buffer.concat([...chunks, ...chunks])
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': body.length,
      'x-hotpotato-container': name,
      'x-hotpotato-hops': '0',
    })
    response.end(body)
  })
  incoming.on('error', () => {})
}

main(process.argv[2]!, process.argv.slice(3))
