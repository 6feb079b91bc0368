import { once } from 'node:events'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { loadProvider } from '../../src/platform/membership.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import {
  createTicketKey,
  createTicketSealer,
  recycle,
  type ServerConfig,
  Session,
} from '../../src/tls13/index.ts'
import { createServer } from '../../src/tls13/io/net.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import type { ByteStream } from '../../src/transfer/byte-stream.ts'
import { adopt } from '../../src/transfer/stream.ts'
import { said } from '../tamper/lie.ts'
import type { Stack } from './rows.ts'

interface Pem {
  readonly certificate: string
  readonly key: string
}

/** A server that gives back what comes. @returns its port, and how many connections it has */
export async function listen(
  stack: Stack,
  pem: Pem,
): Promise<{ readonly port: number; readonly connections: () => number }> {
  const server = await make(stack, pem)
  let connections = 0
  server.on('connection', (socket: Socket) => {
    connections++
    socket.once('close', () => connections--)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A socket that was adopted is not Node's any more, and does not tell when it closes.
  const count = stack === 'raw stream' ? () => Echo.alive : () => connections
  return { port: (server.address() as AddressInfo).port, connections: count }
}

async function make(stack: Stack, { certificate, key }: Pem): Promise<Server> {
  if (stack === 'node:tls') {
    return createTlsServer({ cert: certificate, key, minVersion: 'TLSv1.3' }, socket => {
      socket.on('error', () => {})
      socket.pipe(socket)
    })
  }
  const provider = await loadProvider(probeEvp().available ? 'evp' : 'node')
  if (stack === 'createServer') {
    const server = createServer({ provider, cert: certificate, key }, connection => {
      connection.on('data', bytes => connection.write(bytes))
    })
    return server.on('tlsClientError', () => {})
  }
  const config: ServerConfig = {
    provider,
    certificates: [certificateFromPem(provider, certificate, key)],
    tickets: { sealer: createTicketSealer(provider, [createTicketKey(provider)]) },
  }
  return createTcpServer({ pauseOnConnect: true, allowHalfOpen: true }, socket => {
    new Echo(adopt(socket), Session.server(config)).start()
  })
}

/** What a container has of a connection between two requests, without HTTP. */
class Echo {
  static alive = 0
  readonly #stream: ByteStream
  readonly #session: Session

  constructor(stream: ByteStream, session: Session) {
    this.#stream = stream
    this.#session = session
    Echo.alive++
  }

  start(): void {
    this.#stream.read({
      bytes: view => this.#receive(view),
      end: () => this.#end(),
      error: () => this.#end(),
    })
  }

  #end(): void {
    if (this.#stream.state === 'open') Echo.alive--
    this.#stream.destroy()
  }

  #receive(view: Uint8Array): void {
    const session = this.#session
    session.feed(view)
    for (let event = session.next(); event !== undefined; event = session.next())
      if (event.type === 'application_data') session.send(said(event.data))
    const output = session.takeOutput()
    if (output.length > 0 && this.#stream.write(output) !== 'queued') recycle(output)
  }
}
