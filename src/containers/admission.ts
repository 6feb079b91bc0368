import type { ServerConfig } from '../tls13/index.ts'
import { TlsError } from '../tls13/index.ts'
import type { Envelope } from '../transfer/envelope.ts'

/**
 * Whether a container's own rules hold for a connection whose handshake was made elsewhere, under the rules of another function.
 * @returns why not: its requests belong on a connection of their own (RFC 9110, Section 15.5.20)
 */
export function objection(
  { tls }: Pick<Envelope, 'tls'>,
  { clientCertificates, earlyData }: ServerConfig,
  now: number,
): string | undefined {
  const demanding = clientCertificates?.required === true && clientCertificates.postHandshake !== true
  if (tls === undefined) return demanding ? NO_CERTIFICATE : undefined
  const { handshake, peerCertificate } = tls
  if (handshake.state === 'WAIT_EOED' && earlyData === undefined) return 'early data is not taken here'
  // Before that, the handshake goes on under our own rules.
  if (!demanding || handshake.state !== 'CONNECTED') return undefined
  if (peerCertificate === undefined) return NO_CERTIFICATE
  const { verify } = clientCertificates
  if (verify === 'ask') return 'who decides about certificates is asked in handshakes alone'
  try {
    verify([peerCertificate], { serverName: tls.serverName, now })
    return undefined
  } catch (error) {
    if (error instanceof TlsError) return `the client's certificate is not taken here: ${error.message}`
    throw error
  }
}

/** For what comes without a session, too. */
export const NO_CERTIFICATE = 'the client has shown no certificate'
