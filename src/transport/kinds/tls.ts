import { X509Certificate } from 'node:crypto'
import { TlsError } from '../../tls13/index.ts'
import { type ClientOptions, type ServerOptions, toClientConfig, toServerConfig } from '../../tls13/io/net.ts'
import { errorOf } from '../../wire/thrown.ts'
import { ConnectError, type Connected, type HttpName, shown, type Target } from '../connector.ts'
import { ourTls, type TlsLayer } from '../layer.ts'
import { type SecureClientOptions, type SecureTransport, secureClient } from '../secure.ts'
import type { Tickets } from '../tickets.ts'
import type { Attempt, Kind } from './kind.ts'

/** What our TLS is given: whom to trust, certificates of our own and so on; ALPN is the client's to say. */
export type TlsOptions = Omit<ClientOptions, 'alpn' | 'serverName' | 'resume' | 'earlyData'>

/** What the kind may be given. */
export interface TlsGiven {
  readonly tls?: TlsOptions
  /** Kept for the next connection to the same server, which resumes. */
  readonly tickets?: Tickets
}

/** What clients of HTTP speak, in the order of preference. */
export const CLIENT_ALPN: readonly string[] = ['h2', 'http/1.1']

/** Our TLS 1.3 over any other kind. `tls.ca`: whom to trust; default: the roots that come with Node. */
export function tls<Needs extends object>(below: Kind<Needs>): Kind<Needs & TlsGiven> {
  return {
    name: `tls over ${below.name}`,
    async connect(target, attempt, given) {
      const carrier = await below.connect(target, attempt, given)
      return secured(carrier, target, attempt, given)
    },
  }
}

async function secured(
  carrier: Connected,
  target: Target,
  { alpn = CLIENT_ALPN, early, signal, clock, handshake }: Attempt,
  { tls, tickets }: TlsGiven,
): Promise<Connected> {
  const below = carrier.transport
  const done = handshake?.()
  try {
    const ticket = tickets?.take(target, clock.wall())
    const resumed = ticket === undefined ? {} : { resume: ticket, earlyData: early !== undefined }
    const config = toClientConfig({ ...tls, alpn, ...resumed }, target.serverName ?? target.host)
    const options = { signal, ...(early === undefined ? {} : { early }), ...keeping(tickets, target) }
    return described(await secureClient(below, config, options), carrier, isChecked(tls))
  } catch (cause) {
    below.destroy()
    throw signal.aborted ? signal.reason : noTls(target, errorOf(cause))
  } finally {
    done?.()
  }
}

function keeping(tickets: Tickets | undefined, target: Target): Pick<SecureClientOptions, 'onTicket'> {
  return tickets === undefined ? {} : { onTicket: ticket => tickets.put(target, ticket) }
}

/** A verifier of the caller's own may have let pass whatever there was. */
function isChecked({ verify, checkName = true }: TlsOptions = {}): boolean {
  return verify === undefined && checkName
}

function described(transport: SecureTransport, { stream }: Connected, secure: boolean): Connected {
  const { session } = transport
  return {
    transport,
    alpn: session.alpn as HttpName | undefined,
    secure,
    session,
    ...(stream === undefined ? {} : { stream }),
    get certificateNames() {
      const { peerCertificate } = session
      return peerCertificate === undefined ? [] : namesOf(peerCertificate)
    },
  }
}

/** DNS names and IP addresses of a certificate's subjectAltName, in lower case. @param der of a leaf */
export function namesOf(der: Uint8Array): readonly string[] {
  const { subjectAltName = '' } = new X509Certificate(der)
  // Node quotes what could be mistaken: such a name is none that a host could have.
  return subjectAltName.split(', ').flatMap(one => {
    const [, name] = /^(?:DNS|IP Address):([^"]+)$/.exec(one) ?? []
    return name === undefined ? [] : [name.toLowerCase()]
  })
}

/** What it means that TLS has failed. */
export function noTls(target: Target, cause: Error): ConnectError {
  const why = cause instanceof TlsError ? `${cause.message} (${cause.reason})` : cause.message
  return new ConnectError('tls', `no TLS with ${shown(target)}: ${why}`, cause)
}

/** What our TLS is given by a server: `cert` and `key`, PEM, and more; ALPN is the server's to say. */
export type TlsServerOptions = Omit<
  ServerOptions,
  'alpn' | 'allowHalfOpen' | 'handshakeTimeout' | 'keyLog' | 'clock'
>

/** Our TLS 1.3 for servers, over any transport. @throws TypeError for options that make no sense */
export function tlsServer(options: TlsServerOptions): TlsLayer {
  return ourTls(alpn => toServerConfig({ ...options, alpn }))
}
