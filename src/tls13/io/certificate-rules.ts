import type { KeyObject, X509Certificate } from 'node:crypto'
import { peerError, TlsError } from '../alert.ts'
import { contextTag, DerError, DerReader, only, Tag, toBoolean, toNumber, toObjectIdentifier } from './der.ts'

/*
 * What RFC 5280 wants to be looked at and the platform's X509Certificate does not tell: critical extensions,
 * path lengths, key usage, and the algorithm that a certificate is signed with.
 */

/** What a certificate says about its own use. */
export interface CertificateRules {
  /** Intermediate certificates that may stand between this one and the end-entity; undefined: any number. */
  readonly pathLength: number | undefined
  /** Whether the key may sign a CertificateVerify (RFC 8446 §4.4.2.2). */
  readonly maySign: boolean
  /** Whether the key may let another sign for it (RFC 9345 §4.2). */
  readonly mayDelegate: boolean
  /**
   * Whether it is itself signed with an algorithm that is good enough; no matter for one that is trusted
   * anyway.
   */
  readonly stronglySigned: boolean
  /** SubjectPublicKeyInfo as it stands in the certificate. */
  readonly publicKey: Uint8Array
}

const EXTENSION = {
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  delegationUsage: '1.3.6.1.4.1.44363.44',
} as const

/**
 * Extensions that are understood here, by the platform, or (policies) that ask nothing of who wants no
 * policy.
 */
const UNDERSTOOD = new Set<string>([
  EXTENSION.keyUsage,
  EXTENSION.basicConstraints,
  '2.5.29.14', // subjectKeyIdentifier
  '2.5.29.17', // subjectAltName
  '2.5.29.32', // certificatePolicies
  '2.5.29.35', // authorityKeyIdentifier
  '2.5.29.37', // extKeyUsage
])

/** With SHA-2, or with a hash of its own. SHA-1 and MD5 are refused (RFC 8446 §4.4.2.4). */
const SIGNATURES = new Set<string>([
  '1.2.840.113549.1.1.11', // sha256WithRSAEncryption
  '1.2.840.113549.1.1.12', // sha384WithRSAEncryption
  '1.2.840.113549.1.1.13', // sha512WithRSAEncryption
  '1.2.840.10045.4.3.2', // ecdsa-with-SHA256
  '1.2.840.10045.4.3.3', // ecdsa-with-SHA384
  '1.2.840.10045.4.3.4', // ecdsa-with-SHA512
  '1.3.101.112', // Ed25519
  '1.3.101.113', // Ed448
])
const RSA_PSS = '1.2.840.113549.1.1.10'
const SHA2 = new Set<string>(['2.16.840.1.101.3.4.2.1', '2.16.840.1.101.3.4.2.2', '2.16.840.1.101.3.4.2.3'])

/** Bits; RFC 8446 gives no bound, this is the one of the Web's authorities. */
const MINIMUM_RSA = 2048

/** What was read of a certificate that is still in use: anchors are, for as long as they are trusted. */
const known = new WeakMap<X509Certificate, CertificateRules>()

/**
 * Reads the rules of a certificate.
 * @throws TlsError bad_certificate if it is malformed or holds a short key;
 * unsupported_certificate for a critical extension that is not understood here (RFC 5280 §4.2)
 */
export function rulesOf(certificate: X509Certificate): CertificateRules {
  const before = known.get(certificate)
  if (before !== undefined) return before
  const rules = readRules(certificate)
  known.set(certificate, rules)
  return rules
}

function readRules(certificate: X509Certificate): CertificateRules {
  try {
    const { extensions, publicKey, stronglySigned } = readCertificate(certificate.raw)
    for (const [id, { critical }] of extensions) {
      if (critical && !UNDERSTOOD.has(id)) throw notUnderstood(id)
    }
    checkKey(certificate)
    const constraints = extensions.get(EXTENSION.basicConstraints)?.value
    const usage = extensions.get(EXTENSION.keyUsage)?.value
    const signs = usage !== undefined && hasDigitalSignature(usage)
    return {
      pathLength: constraints && pathLengthOf(constraints),
      maySign: usage === undefined || signs,
      // Here the key usage has to be said.
      mayDelegate: extensions.has(EXTENSION.delegationUsage) && signs,
      stronglySigned,
      publicKey,
    }
  } catch (error) {
    throw error instanceof TlsError ? error : malformed(error)
  }
}

function notUnderstood(id: string): TlsError {
  return peerError(
    'unsupported_certificate',
    'unknown_critical_extension',
    `a critical extension ${id}, which is not understood`,
  )
}

/** Whether it is a key of either kind of RSA. */
export function isRsa({ asymmetricKeyType }: KeyObject): boolean {
  return asymmetricKeyType === 'rsa' || asymmetricKeyType === 'rsa-pss'
}

function checkKey({ publicKey }: X509Certificate): void {
  if (!isRsa(publicKey)) return
  const { modulusLength } = publicKey.asymmetricKeyDetails ?? {}
  if (modulusLength !== undefined && modulusLength < MINIMUM_RSA)
    throw peerError('bad_certificate', 'weak_key', `an RSA key of ${modulusLength} bits`)
}

interface Extension {
  readonly critical: boolean
  readonly value: Uint8Array
}

/** Certificate (RFC 5280 §4.1): what of it the platform does not tell. @throws DerError */
function readCertificate(der: Uint8Array) {
  const certificate = new DerReader(only(der, Tag.sequence))
  const toBeSigned = new DerReader(certificate.take(Tag.sequence))
  const stronglySigned = isStrong(certificate.take(Tag.sequence))
  certificate.take(Tag.bitString)
  certificate.end()
  toBeSigned.takeIf(contextTag(0)) // version
  toBeSigned.take(Tag.integer) // serialNumber
  for (let i = 0; i < 4; i++) toBeSigned.take(Tag.sequence) // signature, issuer, validity, subject
  const publicKey = toBeSigned.whole(Tag.sequence)
  toBeSigned.takeIf(ISSUER_UNIQUE_ID)
  toBeSigned.takeIf(SUBJECT_UNIQUE_ID)
  const list = toBeSigned.takeIf(contextTag(3))
  toBeSigned.end()
  return { stronglySigned, publicKey, extensions: readExtensions(list) }
}

/** `[1]` and `[2]`, implicit and primitive. */
const ISSUER_UNIQUE_ID = 0x81
const SUBJECT_UNIQUE_ID = 0x82

/** @param list the contents of `[3]`; undefined if there are no extensions */
function readExtensions(list: Uint8Array | undefined): ReadonlyMap<string, Extension> {
  const extensions = new Map<string, Extension>()
  if (list === undefined) return extensions
  const reader = new DerReader(only(list, Tag.sequence))
  while (reader.next !== undefined) {
    const extension = new DerReader(reader.take(Tag.sequence))
    const id = toObjectIdentifier(extension.take(Tag.objectIdentifier))
    const critical = extension.takeIf(Tag.boolean)
    const value = extension.take(Tag.octetString)
    extension.end()
    // RFC 5280 §4.2: at most one of a kind. Of two, the platform and we might each look at another.
    if (extensions.has(id)) throw new DerError(`the extension ${id} twice`)
    extensions.set(id, { critical: critical !== undefined && toBoolean(critical), value })
  }
  return extensions
}

/** BasicConstraints (RFC 5280 §4.2.1.9). */
function pathLengthOf(value: Uint8Array): number | undefined {
  const constraints = new DerReader(only(value, Tag.sequence))
  const authority = constraints.takeIf(Tag.boolean)
  if (authority !== undefined) toBoolean(authority)
  const length = constraints.takeIf(Tag.integer)
  constraints.end()
  return length && toNumber(length)
}

/** KeyUsage (RFC 5280 §4.2.1.3): the first bit is digitalSignature. */
function hasDigitalSignature(value: Uint8Array): boolean {
  const [unused, first = 0] = only(value, Tag.bitString)
  if (unused === undefined || unused > 7) throw new DerError('a BIT STRING that is none')
  return (first & 0x80) !== 0
}

/** @param identifier the contents of an AlgorithmIdentifier */
function isStrong(identifier: Uint8Array): boolean {
  const reader = new DerReader(identifier)
  const algorithm = toObjectIdentifier(reader.take(Tag.objectIdentifier))
  if (algorithm !== RSA_PSS) return SIGNATURES.has(algorithm)
  // RFC 4055 §3.1: parameters that say nothing mean SHA-1.
  const parameters = reader.takeIf(Tag.sequence)
  const hash = parameters && new DerReader(parameters).takeIf(contextTag(0))
  if (!hash) return false
  const hashAlgorithm = new DerReader(only(hash, Tag.sequence))
  return SHA2.has(toObjectIdentifier(hashAlgorithm.take(Tag.objectIdentifier)))
}

/** The error for a certificate that cannot be read. */
export function malformed(cause: unknown): TlsError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return peerError(
    'bad_certificate',
    'malformed_certificate',
    `a certificate that cannot be read (${reason})`,
  )
}
