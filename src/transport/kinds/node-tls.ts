import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, createSecureContext, TLSSocket, type TlsOptions } from 'node:tls'
import { familyOf } from '../../tls13/io/ip-address.ts'
import { onAbort } from '../attempt.ts'
import type { Connected, HttpName } from '../connector.ts'
import { overTransport } from '../duplex.ts'
import type { Protected, TlsLayer } from '../layer.ts'
import { overDuplex, type Transport } from '../transport.ts'
import type { Kind } from './kind.ts'
import { CLIENT_ALPN, namesOf, noTls } from './tls.ts'

/** What `node:tls` is given by a client; name and ALPN are known otherwise. */
export type NodeTlsOptions = Omit<ConnectionOptions, 'host' | 'port' | 'path' | 'socket' | 'ALPNProtocols'>

/** TLS 1.2 and 1.3 of `node:tls` (OpenSSL) over any other kind. */
export function nodeTls<Needs extends object>(
  below: Kind<Needs>,
): Kind<Needs & { readonly tls?: NodeTlsOptions }> {
  return {
    name: `node:tls over ${below.name}`,
    async connect(target, attempt, given) {
      const carrier = await below.connect(target, attempt, given)
      const { alpn = CLIENT_ALPN, early, signal } = attempt
      const done = attempt.handshake?.()
      const name = target.serverName ?? target.host
      const socket = connect({
        ...given.tls,
        socket: streamOf(carrier),
        // RFC 6066 §3: an address is no server name. Node holds the certificate against `host` then.
        ...(familyOf(name) === 0 ? { servername: name } : { host: name }),
        ALPNProtocols: [...alpn],
      })
      return new Promise<Connected>((resolve, reject) => {
        const fail = (error: unknown): void => {
          release()
          done?.()
          socket.on('error', () => {}).destroy()
          carrier.transport.destroy()
          reject(error)
        }
        const failed = (error: Error): void => fail(noTls(target, error))
        const release = onAbort(signal, fail)
        socket.once('error', failed).once('secureConnect', () => {
          release()
          done?.()
          socket.off('error', failed)
          const transport = overDuplex(socket)
          if (early !== undefined) transport.write([early])
          resolve(described(socket, transport, carrier))
        })
      })
    },
  }
}

function described(socket: TLSSocket, transport: Transport, { stream }: Connected): Connected {
  return {
    transport,
    alpn: (socket.alpnProtocol || undefined) as HttpName | undefined,
    secure: socket.authorized,
    ...(stream === undefined ? {} : { stream }),
    get certificateNames() {
      const { raw } = socket.getPeerCertificate()
      return raw === undefined ? [] : namesOf(new Uint8Array(raw))
    },
  }
}

/** TLS of `node:tls` for servers, over any transport: `cert`, `key` and all that `tls.createServer` takes. */
export function nodeTlsServer(options: Omit<TlsOptions, 'ALPNProtocols'>): TlsLayer {
  const secureContext = createSecureContext(options)
  return alpn =>
    (accepted, { patienceMs, clock, signal }) => {
      const socket = new TLSSocket(streamOf(accepted), {
        ...options,
        secureContext,
        isServer: true,
        ALPNProtocols: [...alpn],
      })
      return new Promise<Protected>((resolve, reject) => {
        const failed = (error: Error): void => {
          late.stop()
          release()
          socket.on('error', () => {}).destroy()
          accepted.transport.destroy()
          reject(error)
        }
        const late = clock.after(patienceMs, () => failed(new Error('no handshake in time')))
        const release = onAbort(signal, reason => failed(reason as Error))
        const closed = (): void => failed(new Error('the stream ended during the handshake'))
        // A client that is gone in the middle says so by its end alone.
        socket.once('close', closed).once('end', closed)
        // What Node says of a handshake that has failed, which is no error of the socket.
        socket.once('_tlsError', failed).once('error', failed)
        socket.once('secure', () => {
          late.stop()
          release()
          socket.off('close', closed).off('end', closed).off('error', failed).off('_tlsError', failed)
          const { alpnProtocol } = socket
          resolve(Object.assign(overDuplex(socket), { alpnProtocol, encrypted: true as const }))
        })
      })
    }
}

/** Node takes a stream: that below, or one made for it. */
function streamOf({
  stream,
  transport,
}: {
  readonly stream?: Duplex
  readonly transport: Transport
}): Duplex {
  return stream ?? overTransport(transport)
}
