import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type Certificate, certificateWithKey } from '../authentication.ts'
import type { CryptoProvider } from '../crypto/provider.ts'

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/**
 * The certificates of one or several texts in PEM (RFC 7468), or of DER as it is, in order.
 * @throws TypeError for a text without a certificate, or for something that is none
 */
export function parseCertificates(
  given: string | Uint8Array | readonly (string | Uint8Array)[],
): X509Certificate[] {
  const parts = typeof given === 'string' || given instanceof Uint8Array ? [given] : given
  return parts.flatMap(part => {
    if (typeof part !== 'string') return [parse(part)]
    const blocks = part.match(BLOCK)
    if (blocks === null) throw new TypeError('a text that contains no PEM certificate')
    return blocks.map(parse)
  })
}

/**
 * A server's certificate, ready to sign, out of what files hold.
 * @param chain PEM or DER, the end-entity certificate first
 * @param privateKey PEM, PKCS#8 or one of the older forms, not encrypted
 * @param names server names that it is for; none: for any name
 * @throws TypeError if something is no certificate or no key, or the two do not belong together
 */
export function certificateFromPem(
  provider: CryptoProvider,
  chain: string | Uint8Array | readonly (string | Uint8Array)[],
  privateKey: string,
  names?: readonly string[],
): Certificate {
  const certificates = parseCertificates(chain)
  const key = attempt('an unencrypted private key in PEM', () => createPrivateKey(privateKey))
  if (certificates[0]?.checkPrivateKey(key) !== true) {
    throw new TypeError('the private key is not the one of the first certificate')
  }
  const der = key.export({ type: 'pkcs8', format: 'der' })
  const chainBytes = certificates.map(one => Uint8Array.from(one.raw))
  return certificateWithKey(provider, chainBytes, Uint8Array.from(der), names)
}

function parse(certificate: string | Uint8Array): X509Certificate {
  return attempt('an X.509 certificate', () => new X509Certificate(certificate))
}

function attempt<T>(what: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw new TypeError(`this is not ${what}`, { cause })
  }
}
