import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { loadProvider, type ProviderName } from '../../src/platform/membership.ts'
import { recycle, Session } from '../../src/tls13/index.ts'
import { certificateFromPem } from '../../src/tls13/io/pem.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import type { ByteStream } from '../../src/transfer/byte-stream.ts'
import { adopt } from '../../src/transfer/stream.ts'
import { SERVER_NAME, type Stack } from './rows.ts'

/** One TLS connection of any stack, as simple as the fastest use of each allows. */
export interface Line {
  readonly cipherSuite: string
  /** Called with what came; the bytes are valid until it returns. */
  onBytes: (bytes: Uint8Array) => void
  /** Called when more may be written after a `write` that returned false. */
  onDrain: () => void
  /** @returns whether there is room for more */
  write(bytes: Uint8Array): boolean
  close(): void
}

/** What is offered and taken, so that all do the same work. */
const SUITE = 'TLS_AES_128_GCM_SHA256'

/**
 * Listens on a port of its own. @param accepted called with each line once its handshake is over @returns the
 * port
 */
export async function listen(
  stack: Stack,
  pem: { readonly certificate: string; readonly key: string },
  accepted: (line: Line) => void,
): Promise<number> {
  const server =
    stack === 'node:tls'
      ? createTlsServer({ ...NODE_OPTIONS, cert: pem.certificate, key: pem.key }, socket =>
          accepted(new NodeLine(socket)),
        )
      : await ourServer(stack, pem, accepted)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Connects; the certificate must be signed by `authority`, in PEM. */
export async function dial(stack: Stack, port: number, authority: string): Promise<Line> {
  if (stack === 'node:tls') {
    const socket = connectTls({
      ...NODE_OPTIONS,
      port,
      host: '127.0.0.1',
      servername: SERVER_NAME,
      ca: authority,
    })
    await once(socket, 'secureConnect')
    return new NodeLine(socket)
  }
  const provider = await loadProvider(stack as ProviderName)
  const session = Session.client({ provider, serverName: SERVER_NAME, verify: verifier({ ca: authority }) })
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return new Promise(resolve => {
    const line = new OurLine(adopt(socket), session, () => resolve(line))
  })
}

const NODE_OPTIONS = { minVersion: 'TLSv1.3', ciphers: SUITE, ecdhCurve: 'X25519' } as const

async function ourServer(
  stack: Stack,
  pem: { readonly certificate: string; readonly key: string },
  accepted: (line: Line) => void,
) {
  const provider = await loadProvider(stack as ProviderName)
  const config = { provider, certificates: [certificateFromPem(provider, pem.certificate, pem.key)] }
  return createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket: Socket) => {
    const line = new OurLine(adopt(socket), Session.server(config), () => accepted(line))
  })
}

/** As a container does it: a raw stream, a session, and nothing in between. */
class OurLine implements Line {
  onBytes: Line['onBytes'] = () => {}
  onDrain: Line['onDrain'] = () => {}
  readonly #stream: ByteStream
  readonly #session: Session
  readonly #secured: () => void

  constructor(stream: ByteStream, session: Session, secured: () => void) {
    this.#stream = stream
    this.#session = session
    this.#secured = secured
    stream.onDrain = () => this.onDrain()
    stream.read({
      bytes: view => this.#receive(view),
      end: () => stream.destroy(),
      error: error => {
        throw error
      },
    })
    this.#flush()
  }

  get cipherSuite(): string {
    return this.#session.cipherSuite ?? ''
  }

  #receive(view: Uint8Array): void {
    const session = this.#session
    session.feed(view)
    for (let event = session.next(); event !== undefined; event = session.next()) {
      if (event.type === 'application_data') {
        this.onBytes(event.data)
        recycle([event.data])
      }
      if (event.type === 'handshake_complete') this.#secured()
      if (event.type === 'alert') throw event.error
    }
    this.#flush()
  }

  write(bytes: Uint8Array): boolean {
    this.#session.send(bytes)
    return this.#flush()
  }

  #flush(): boolean {
    const output = this.#session.takeOutput()
    if (output.length === 0) return true
    if (this.#stream.write(output) === 'queued') return false
    recycle(output)
    return true
  }

  close(): void {
    this.#session.close()
    this.#flush()
    this.#stream.end()
  }
}

class NodeLine implements Line {
  onBytes: Line['onBytes'] = () => {}
  onDrain: Line['onDrain'] = () => {}
  readonly #socket: TLSSocket

  constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes: Uint8Array) => this.onBytes(bytes))
    socket.on('drain', () => this.onDrain())
  }

  get cipherSuite(): string {
    return this.#socket.getCipher().standardName
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes)
  }

  close(): void {
    this.#socket.end()
  }
}
