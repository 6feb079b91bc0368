import { createServer, type Server, type Socket } from 'node:net'
import { challengeCertificate } from '../certificates/request.ts'
import type { Clock } from '../time/clock.ts'
import type { Certificate } from '../tls13/authentication.ts'
import type { CryptoProvider } from '../tls13/crypto/provider.ts'
import { TlsDuplex } from '../tls13/io/duplex.ts'
import { certificateFromPem } from '../tls13/io/pem.ts'
import { portTaken } from './http01.ts'
import type { Proof, Responder } from './issue.ts'

/** What the handshake is for (RFC 8737 §6.2). */
export const ACME_TLS = 'acme-tls/1'

/** Milliseconds of a handshake, and connections at once. */
const PATIENCE = 5000
const MOST = 32

/**
 * Shows proofs of TLS-ALPN-01 (RFC 8737): a handshake by our own stack, with a certificate that signs itself
 * and says what the authority wants to see, and then the end. Names without a proof are refused.
 */
export class TlsAlpnServer implements Responder {
  readonly #provider: CryptoProvider
  readonly #clock: Clock
  readonly #server: Server
  readonly #certificates = new Map<string, Certificate>()

  private constructor(provider: CryptoProvider, clock: Clock) {
    this.#provider = provider
    this.#clock = clock
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, socket => this.#serve(socket))
    this.#server.maxConnections = MOST
  }

  /** @param place a port, or the path of a Unix socket @throws AcmeError the port cannot be had */
  static async listen(
    provider: CryptoProvider,
    clock: Clock,
    place: { readonly port: number; readonly host?: string } | { readonly path: string },
  ): Promise<TlsAlpnServer> {
    const one = new TlsAlpnServer(provider, clock)
    await new Promise<void>((resolve, reject) => {
      one.#server.once('error', (error: NodeJS.ErrnoException) =>
        reject('port' in place ? portTaken(place.port, error) : error),
      )
      one.#server.listen(place, resolve)
    })
    return one
  }

  async show({ name, keyAuthorization }: Proof): Promise<void> {
    const made = await challengeCertificate(name, keyAuthorization, this.#clock.wall())
    const certificate = certificateFromPem(this.#provider, made.certificate, made.privateKey, [name])
    this.#certificates.set(name, certificate)
  }

  async withdraw({ name }: Proof): Promise<void> {
    this.#certificates.delete(name)
  }

  close(): void {
    this.#server.close()
  }

  #serve(socket: Socket): void {
    socket.on('error', () => {})
    const certificates = [...this.#certificates.values()]
    if (certificates.length === 0) {
      socket.destroy()
      return
    }
    const config = {
      provider: this.#provider,
      certificates,
      recognizes: (name: string) => this.#certificates.has(name),
      alpn: [ACME_TLS],
    }
    const connection = TlsDuplex.server(socket, config, { handshakeTimeout: PATIENCE })
    connection.on('error', () => socket.destroy())
    connection.on('secureConnect', () => connection.end())
    connection.resume()
  }
}
