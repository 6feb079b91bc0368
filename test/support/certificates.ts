import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

/** 2030-01-01, the day on which all tests of certificates happen. */
export const TODAY = Date.UTC(2030, 0, 1)
export const DAY = 86_400_000

export interface Entity {
  readonly certificate: x509.X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
  readonly der: Uint8Array
  readonly pem: string
}

export interface EntityOptions {
  readonly subject: string
  /** Default: itself. */
  readonly issuer?: Entity
  /** Names for the subjectAltName, or none at all. */
  readonly names?: readonly { readonly type: 'dns' | 'ip'; readonly value: string }[]
  readonly from?: number
  readonly to?: number
  /**
   * basicConstraints: an authority, with or without a path length; false: says that it is none; undefined: no
   * word.
   */
  readonly authority?: boolean | number
  readonly keyUsage?: x509.KeyUsageFlags
  readonly purposes?: readonly string[]
  readonly extensions?: readonly x509.Extension[]
  /** For the key. */
  readonly algorithm?: webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams
  /** Keys that are there already. */
  readonly keys?: webcrypto.CryptoKeyPair
  readonly hash?: string
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const

/** Makes a certificate as the options say, right or wrong. */
export async function makeEntity(options: EntityOptions): Promise<Entity> {
  const { subject, issuer, algorithm = P256, hash = 'SHA-256', authority, names } = options
  const keys =
    options.keys ??
    ((await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair)
  const signer = issuer?.keys.privateKey ?? keys.privateKey
  const extensions: x509.Extension[] = [...(options.extensions ?? [])]
  if (authority !== undefined) {
    const length = typeof authority === 'number' ? authority : undefined
    extensions.push(new x509.BasicConstraintsExtension(authority !== false, length, true))
  }
  if (options.keyUsage !== undefined) extensions.push(new x509.KeyUsagesExtension(options.keyUsage, true))
  if (options.purposes !== undefined) {
    extensions.push(new x509.ExtendedKeyUsageExtension([...options.purposes]))
  }
  if (names !== undefined) extensions.push(new x509.SubjectAlternativeNameExtension([...names]))
  extensions.push(await x509.SubjectKeyIdentifierExtension.create(keys.publicKey))
  const issuerKey = issuer?.keys.publicKey ?? keys.publicKey
  extensions.push(await x509.AuthorityKeyIdentifierExtension.create(issuerKey))
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${subject}`,
    issuer: issuer?.certificate.subject ?? `CN=${subject}`,
    notBefore: new Date(options.from ?? TODAY - DAY),
    notAfter: new Date(options.to ?? TODAY + 30 * DAY),
    publicKey: keys.publicKey,
    signingKey: signer,
    signingAlgorithm: { name: signer.algorithm.name, hash },
    extensions,
  })
  return { certificate, keys, der: new Uint8Array(certificate.rawData), pem: certificate.toString('pem') }
}

/** The private key of an entity, PEM. */
export async function privateKeyPem(entity: Entity): Promise<string> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', entity.keys.privateKey)
  return x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')
}
