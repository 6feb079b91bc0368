import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { H1Server } from '../../src/http/h1/index.ts'
import { loadProvider, type ProviderName } from '../../src/platform/membership.ts'
import {
  createReplayStore,
  createTicketKey,
  createTicketSealer,
  type ServerConfig,
  Session,
} from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { adopt } from '../../src/transfer/stream.ts'
import { concat } from '../../src/wire/index.ts'

const LIMITS = { headBytes: 16_384, headerFields: 100, bodyBytes: 1 << 22, requests: 1_000_000_000 }

/**
 * Our stack without the platform, as a container has it but alone: raw stream, session, HTTP. It takes early
 * data, which the platform does not. A process of its own: `node stack.js CERTIFICATE KEY PROVIDER`; it tells
 * its parent the port and ends with it.
 */
async function main(certificate: string, key: string, name: ProviderName): Promise<void> {
  const provider = await loadProvider(name)
  const config: ServerConfig = {
    provider,
    alpn: ['http/1.1'],
    certificates: [
      certificateFromPem(provider, readFileSync(certificate, 'utf8'), readFileSync(key, 'utf8')),
    ],
    tickets: { sealer: createTicketSealer(provider, [createTicketKey(provider)]), count: 2 },
    earlyData: { maximum: 4096, replay: createReplayStore() },
  }
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, socket => serve(socket, config))
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit())
}

/** One connection: gives every request's body back twice. */
function serve(socket: Socket, config: ServerConfig): void {
  const stream = adopt(socket)
  const session = Session.server(config)
  const http = new H1Server(LIMITS)
  let body: Uint8Array[] = []
  /** The answer to early data, which waits for the handshake's end. */
  let answer: Uint8Array | undefined
  const flush = (): void => {
    const output = session.takeOutput()
    if (output.length > 0) stream.write(output)
  }
  const respond = (): void => {
    for (let event = http.next(); event !== undefined; event = http.next()) {
      if (event.type === 'request') {
        http.accept()
        body = []
      } else if (event.type === 'body') body.push(event.data.slice())
      else if (event.type === 'end') {
        const headers = [
          ['content-type', 'application/octet-stream'],
          ['x-hotpotato-container', 'stack'],
          ['x-hotpotato-hops', '0'],
        ] as const
        answer = http.reply({ status: 200, headers, body: concat(...body, ...body) }, Date.now())
      } else stream.destroy()
    }
  }
  stream.read({
    bytes(view) {
      session.feed(view)
      for (let event = session.next(); event !== undefined; event = session.next()) {
        if (event.type === 'application_data') {
          http.receive(event.data)
          respond()
        }
      }
      session.settle()
      if (answer !== undefined && session.connected) {
        session.send(answer)
        answer = undefined
      }
      flush()
    },
    end: () => stream.destroy(),
    error: () => {},
  })
}

await main(process.argv[2]!, process.argv[3]!, process.argv[4] as ProviderName)
