import { createPrivateKey, X509Certificate } from 'node:crypto'
import { equal } from '../../wire/index.ts'
import { certificateBlocks } from '../../wire/pem.ts'
import { type Certificate, certificateWithKey } from '../authentication.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { alternativeNames, certificateFields } from './certificate-fields.ts'

/**
 * The certificates of one or several texts in PEM (RFC 7468), or of DER as it is, in order. Bytes that are no
 * DER are read as a text.
 * @throws TypeError for a text without a certificate, or for something that is none: the block is named
 */
export function parseCertificates(
  given: string | Uint8Array | readonly (string | Uint8Array)[],
): X509Certificate[] {
  const parts = typeof given === 'string' || given instanceof Uint8Array ? [given] : given
  return parts.flatMap(part => {
    if (typeof part !== 'string' && part[0] === DER_SEQUENCE) return [certificateOf(part, 'this')]
    const text = typeof part === 'string' ? part : Buffer.from(part).toString('latin1')
    return attempt(() => certificateBlocks(text)).map(({ name, der }) => certificateOf(der, name))
  })
}

/** What a certificate in DER begins with. */
const DER_SEQUENCE = 0x30

/** @param what how the message calls it */
function certificateOf(der: Uint8Array, what: string): X509Certificate {
  const certificate = attempt(() => new X509Certificate(der), `${what} is not an X.509 certificate`)
  // OpenSSL reads BER and overlooks what follows.
  if (!equal(certificate.raw, der)) throw new TypeError(`${what} is not an X.509 certificate alone, in DER`)
  return certificate
}

/**
 * A server's certificate, ready to sign, out of what files hold.
 * @param chain PEM or DER, the end-entity certificate first
 * @param privateKey PEM, PKCS#8 or one of the older forms, not encrypted
 * @param names server names that it is for; `own`: the DNS names of its subjectAltName; none: for any name
 * @throws TypeError if something is no certificate or no key, or the two do not belong together
 */
export function certificateFromPem(
  provider: CryptoProvider,
  chain: string | Uint8Array | readonly (string | Uint8Array)[],
  privateKey: string,
  names?: readonly string[] | 'own',
): Certificate {
  const certificates = parseCertificates(chain)
  const key = attempt(() => createPrivateKey(privateKey), 'this is not an unencrypted private key in PEM')
  if (certificates[0]?.checkPrivateKey(key) !== true) {
    throw new TypeError('the private key is not the one of the first certificate')
  }
  const der = key.export({ type: 'pkcs8', format: 'der' })
  const chainBytes = certificates.map(one => Uint8Array.from(one.raw))
  const named = names === 'own' ? namesOf(chainBytes[0]!) : names
  return certificateWithKey(provider, chainBytes, Uint8Array.from(der), named)
}

function namesOf(leaf: Uint8Array): readonly string[] {
  const names = attempt(() => alternativeNames(certificateFields(leaf)))
  return names.flatMap(name => (name.form === 'dns' ? [name.text] : []))
}

/** @param message default: that of the error @throws TypeError */
function attempt<T>(work: () => T, message?: string): T {
  try {
    return work()
  } catch (cause) {
    throw new TypeError(message ?? (cause as Error).message, { cause })
  }
}
