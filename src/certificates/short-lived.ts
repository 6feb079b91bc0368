import { generateKeyPairSync } from 'node:crypto'

/** The OBJECT IDENTIFIER of DelegationUsage (RFC 9345 §4.2), 1.3.6.1.4.1.44363.44, in DER. */
const DELEGATION_USAGE = Buffer.from('06092b0601040182da4b2c', 'hex')

/** A key that is used for hours. */
export interface ShortLivedKey {
  /** PKCS#8, DER. */
  readonly privateKey: Uint8Array
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
}

/** Makes a key on P-256. */
export function shortLivedKey(): ShortLivedKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { format: 'der', type: 'pkcs8' },
    publicKeyEncoding: { format: 'der', type: 'spki' },
  })
  return { privateKey: Uint8Array.from(privateKey), publicKey: Uint8Array.from(publicKey) }
}

/** Whether a certificate (DER) says that its key may sign delegated credentials (RFC 9345 §4.2). */
export function mayDelegate(certificate: Uint8Array): boolean {
  return Buffer.from(certificate.buffer, certificate.byteOffset, certificate.length).includes(
    DELEGATION_USAGE,
  )
}
