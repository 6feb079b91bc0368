import type { X509Certificate } from 'node:crypto'
import { RsaSaPssParams } from '@peculiar/asn1-rsa'
import { AsnConvert } from '@peculiar/asn1-schema'
import {
  type AlgorithmIdentifier,
  BasicConstraints,
  Certificate,
  KeyUsage,
  KeyUsageFlags,
} from '@peculiar/asn1-x509'
import { peerError, type TlsError } from '../alert.ts'

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

/**
 * Reads the rules of a certificate.
 * @throws TlsError bad_certificate if it is malformed or holds a short key;
 * unsupported_certificate for a critical extension that is not understood here (RFC 5280 §4.2)
 */
export function rulesOf(certificate: X509Certificate): CertificateRules {
  const { tbsCertificate, signatureAlgorithm } = parse(certificate.raw, Certificate)
  const extensions = tbsCertificate.extensions ?? []
  const unknown = extensions.find(one => one.critical && !UNDERSTOOD.has(one.extnID))
  if (unknown !== undefined) {
    throw peerError(
      'unsupported_certificate',
      'unknown_critical_extension',
      `a critical extension ${unknown.extnID}, which is not understood`,
    )
  }
  const { modulusLength } = certificate.publicKey.asymmetricKeyDetails ?? {}
  if (modulusLength !== undefined && modulusLength < MINIMUM_RSA) {
    throw peerError('bad_certificate', 'weak_key', `an RSA key of ${modulusLength} bits`)
  }
  const value = (id: string) => extensions.find(one => one.extnID === id)?.extnValue.buffer
  const constraints = value(EXTENSION.basicConstraints)
  const usage = value(EXTENSION.keyUsage)
  const signs =
    usage !== undefined &&
    (parse(new Uint8Array(usage), KeyUsage).toNumber() & KeyUsageFlags.digitalSignature) !== 0
  return {
    pathLength:
      constraints === undefined
        ? undefined
        : parse(new Uint8Array(constraints), BasicConstraints).pathLenConstraint,
    maySign: usage === undefined || signs,
    // Here the key usage has to be said.
    mayDelegate: value(EXTENSION.delegationUsage) !== undefined && signs,
    stronglySigned: isStrong(signatureAlgorithm),
  }
}

function isStrong({ algorithm, parameters }: AlgorithmIdentifier): boolean {
  if (algorithm !== RSA_PSS) return SIGNATURES.has(algorithm)
  // RFC 4055 §3.1: parameters that say nothing mean SHA-1.
  if (!parameters) return false
  return SHA2.has(parse(new Uint8Array(parameters), RsaSaPssParams).hashAlgorithm.algorithm)
}

function parse<T>(der: Uint8Array, type: new () => T): T {
  try {
    return AsnConvert.parse(der, type)
  } catch (cause) {
    throw malformed(cause)
  }
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
