import { X509Certificate } from 'node:crypto'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { TlsError } from '../../tls13/index.ts'
import { type ClientOptions, toClientConfig } from '../../tls13/io/net.ts'
import { attempt, onAbort } from '../attempt.ts'
import {
  ConnectError,
  type Connected,
  type ConnectOptions,
  type HttpName,
  shown,
  type Target,
} from '../connector.ts'
import { type SecureClientOptions, type SecureTransport, secureClient } from '../secure.ts'
import type { Tickets } from '../tickets.ts'
import type { Kind } from './kind.ts'

/** What our TLS is given: whom to trust, certificates of our own and so on; ALPN is the client's to say. */
export type TlsOptions = Omit<ClientOptions, 'alpn' | 'serverName' | 'resume' | 'earlyData'>

/** What the kind may be given. */
export interface TlsGiven {
  readonly tls?: TlsOptions
  /** Kept for the next connection to the same server, which resumes. */
  readonly tickets?: Tickets
}

/** What clients of HTTP speak, in the order of preference. */
const CLIENT_ALPN = ['h2', 'http/1.1'] as const

/** Our TLS 1.3 over any other kind. `tls.ca`: whom to trust; default: the roots that come with Node. */
export function tls<Needs extends object>(below: Kind<Needs>): Kind<Needs & TlsGiven> {
  return {
    name: `tls over ${below.name}`,
    connect: (target, options, given) =>
      attempt(target, options, SYSTEM_CLOCK, async signal => {
        const carrier = await below.connect(target, { signal }, given)
        return secured(carrier, target, options, signal, given)
      }),
  }
}

async function secured(
  carrier: Connected,
  target: Target,
  { alpn = CLIENT_ALPN, early }: ConnectOptions,
  signal: AbortSignal,
  { tls, tickets }: TlsGiven,
): Promise<Connected> {
  const below = carrier.transport
  const release = onAbort(signal, () => below.destroy())
  try {
    const ticket = tickets?.take(target, SYSTEM_CLOCK.wall())
    const resumed = ticket === undefined ? {} : { resume: ticket, earlyData: early !== undefined }
    const config = toClientConfig({ ...tls, alpn, ...resumed }, target.serverName ?? target.host)
    const more = {
      clock: SYSTEM_CLOCK,
      ...(early === undefined ? {} : { early }),
      ...keeping(tickets, target),
    }
    return described(await secureClient(below, config, more), carrier)
  } catch (cause) {
    below.destroy()
    throw signal.aborted ? signal.reason : failure(cause as Error, target)
  } finally {
    release()
  }
}

function keeping(tickets: Tickets | undefined, target: Target): Pick<SecureClientOptions, 'onTicket'> {
  return tickets === undefined ? {} : { onTicket: ticket => tickets.put(target, ticket) }
}

function described(transport: SecureTransport, { stream }: Connected): Connected {
  const { session } = transport
  return {
    transport,
    alpn: session.alpn as HttpName | undefined,
    secure: true,
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

function failure(cause: Error, target: Target): ConnectError {
  const why = cause instanceof TlsError ? `${cause.message} (${cause.reason})` : cause.message
  return new ConnectError('tls', `no TLS with ${shown(target)}: ${why}`, cause)
}
