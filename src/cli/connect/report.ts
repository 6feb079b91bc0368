import { X509Certificate } from 'node:crypto'
import type { ExposedSecret } from '../../tls13/index.ts'
import type { TlsDuplex } from '../../tls13/io/duplex.ts'
import { hex } from '../../wire/index.ts'
import type { HelloReader } from './hello.ts'

/** What was negotiated, a line each. */
export function handshakeLines(connection: TlsDuplex, { group, retried }: HelloReader): string[] {
  const { session, cipher, alpnProtocol, servername } = connection
  const { resumed, recordSizeLimits } = session.inspect()
  const lines: (readonly [string, string | undefined])[] = [
    ['protocol', 'TLSv1.3'],
    ['cipher suite', cipher],
    ['group', `${group ?? 'none: the PSK alone'}${retried ? ' (after a HelloRetryRequest)' : ''}`],
    ['server name', servername],
    ['alpn', alpnProtocol ?? 'none'],
    ['resumed', resumed ? 'yes' : 'no'],
    ['key updates', session.extendedKeyUpdates && 'extended'],
    ['record limits', recordSizeLimits && `${recordSizeLimits.write} bytes out, ${recordSizeLimits.read} in`],
  ]
  return lines.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(13)} ${value}`]))
}

/** The chain as the server sent it. @param chain DER; malformed ones are shown as such */
export function certificateLines(chain: readonly Uint8Array[]): string[] {
  return chain.flatMap((der, index) => {
    let certificate: X509Certificate
    try {
      certificate = new X509Certificate(der)
    } catch {
      return [`certificate ${index} of ${der.length} bytes: not X.509`]
    }
    const { subject, issuer, subjectAltName, validFrom, validTo } = certificate
    return [
      `certificate ${index} ${oneLine(subject)}`,
      ...(subjectAltName === undefined ? [] : [`  names       ${subjectAltName}`]),
      `  issuer      ${oneLine(issuer)}`,
      `  valid       ${validFrom} to ${validTo}`,
    ]
  })
}

/** Undefined, as Node has it for a name without parts: the names of such a certificate say whose it is. */
function oneLine(name: string | undefined): string {
  return name === undefined ? 'without a name' : name.replaceAll('\n', ', ')
}

/** A secret by the name that RFC 8446 §7.1 has for it. */
export function secretLine({ name, secret }: ExposedSecret): string {
  return `${name.padEnd(35)} ${hex(secret)}`
}

/** A certificate's SubjectPublicKeyInfo, DER. */
export function publicKeyOf(certificate: Uint8Array): Uint8Array {
  return new Uint8Array(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }))
}
