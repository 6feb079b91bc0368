import { loadCertificate } from '../../certificates/load.ts'
import type { WorkerSettings } from '../../platform/worker-settings.ts'
import type { Clock } from '../../time/clock.ts'
import type { Certificate } from '../../tls13/authentication.ts'
import { select } from '../../tls13/crypto/selection.ts'
import { certificateWithKey, type ServerConfig } from '../../tls13/index.ts'
import { keyLogFile } from '../../tls13/io/key-log-file.ts'
import type { ControlMessage } from '../../transfer/control.ts'
import type { Courier } from '../../transfer/courier.ts'
import type { Demand } from './client-rules.ts'
import type { KeyRing } from './key-ring.ts'
import { containerTls } from './shapes.ts'
import { Signing } from './signing.ts'

/**
 * Waits for the certificates that the signer signs for, or loads that of the function, with its key, into the
 * list of its configuration. Without any, no new client can be served.
 * @throws CertificateError
 */
export async function fillCertificates(
  list: Certificate[],
  { certificate, queue }: WorkerSettings,
  given: ServerConfig['provider'],
  signing: Signing | undefined,
): Promise<void> {
  if (queue !== undefined) return
  if (certificate === undefined) {
    // A start has its time.
    await signing!.ready
    return
  }
  const { directory, name, inherited } = certificate
  const { chain, privateKey } = loadCertificate(directory, name, inherited)
  list.push(certificateWithKey(given, chain, privateKey))
}

/** Undefined if the container has the key of its certificate itself. */
export function signingOf(
  { certificate, queue, tls }: WorkerSettings,
  provider: ServerConfig['provider'],
  clock: Clock,
  courier: Courier,
): Signing | undefined {
  if (certificate !== undefined || queue !== undefined) return undefined
  const tell = (signer: number, message: ControlMessage): boolean => courier.tell(signer, message)
  return new Signing(provider, clock, tls.signatureSeconds * 1000, tell)
}

/**
 * The TLS configuration of a container: its own certificate, and tickets under keys that its function's
 * replicas share.
 */
export function tlsConfig(
  { tls, http2 }: WorkerSettings,
  given: ServerConfig['provider'],
  certificates: ServerConfig['certificates'],
  keyRing: KeyRing,
  { clientCertificates }: Demand,
  warn: (text: string) => void,
): ServerConfig {
  const provider = select(given, tls.groups === undefined ? {} : { groups: tls.groups })
  const keyLog = process.env.SSLKEYLOGFILE
  return containerTls({
    provider,
    certificates,
    alpn: [...(http2 ? ['h2'] : []), 'http/1.1', 'http/1.0'],
    sharesMemory: true,
    extendedKeyUpdate: tls.extendedKeyUpdate,
    ...(clientCertificates === undefined ? {} : { clientCertificates }),
    ...(tls.tickets.count === 0
      ? {}
      : {
          tickets: {
            sealer: keyRing.tickets,
            count: tls.tickets.count,
            lifetimeSeconds: Math.floor(tls.tickets.lifetimeSeconds),
          },
        }),
    ...(keyLog === undefined || keyLog === '' ? {} : { onSecret: keyLogFile(keyLog, warn) }),
  })
}
