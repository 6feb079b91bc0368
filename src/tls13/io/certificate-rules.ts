import type { KeyObject, X509Certificate } from 'node:crypto'
import { reasonOf } from '../../wire/thrown.ts'
import { peerError, TlsError } from '../alert.ts'
import {
  alternativeNames,
  certificateFields,
  type Extension,
  SUBJECT_ALT_NAME,
} from './certificate-fields.ts'
import type { DistinguishedName, GeneralName } from './certificate-names.ts'
import { type PolicyExtensions, readPolicyConstraints } from './certificate-policies.ts'
import { contextTag, DerError, DerReader, only, Tag, toBoolean, toNumber, toObjectIdentifier } from './der.ts'
import { type NameConstraints, readNameConstraints } from './name-constraints.ts'

/*
 * What RFC 5280 wants to be looked at and the platform's X509Certificate does not tell: critical extensions,
 * path lengths, key usage, names and their constraints, policies, and the algorithm that a certificate is
 * signed with.
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
  /** Object identifiers of extKeyUsage; undefined: it is for any purpose. */
  readonly purposes: readonly string[] | undefined
  /** SubjectPublicKeyInfo as it stands in the certificate. */
  readonly publicKey: Uint8Array
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  /** The names of both, in a form in which equal ones are equal. */
  readonly issuer: string
  readonly subject: string
  /** Whether issuer and subject are one name: constraints and path lengths pass over it (RFC 5280 §6.1). */
  readonly selfIssued: boolean
  /** The subject, if it is not empty, its email addresses, and all of the subjectAltName. */
  readonly names: readonly GeneralName[]
  /** Common names that would pass for host names, of a certificate that gives no others. */
  readonly hostsInSubject: readonly GeneralName[]
  readonly nameConstraints: NameConstraints | undefined
  readonly policies: PolicyExtensions
}

const EXTENSION = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: SUBJECT_ALT_NAME,
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  authorityKeyId: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
  delegationUsage: '1.3.6.1.4.1.44363.44',
} as const

/** They may not be critical: RFC 5280 §4.2.1.1 and §4.2.1.2, RFC 9345 §4.2. */
const NEVER_CRITICAL: readonly string[] = [
  EXTENSION.subjectKeyId,
  EXTENSION.authorityKeyId,
  EXTENSION.delegationUsage,
]
const UNDERSTOOD = new Set<string>(Object.values(EXTENSION).filter(id => !NEVER_CRITICAL.includes(id)))

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
/** Bits of a curve: as strong as such an RSA key. */
const MINIMUM_CURVE = 224

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
    const fields = certificateFields(certificate.raw)
    const { extensions, publicKey, issuer, subject, notBefore, notAfter } = fields
    for (const [id, { critical }] of extensions) {
      if (critical && !UNDERSTOOD.has(id)) throw notUnderstood(id)
    }
    checkKey(certificate, publicKey)
    const value = (id: string): Uint8Array | undefined => extensions.get(id)?.value
    checkKeyIds(value(EXTENSION.subjectKeyId), value(EXTENSION.authorityKeyId))
    const purposes = value(EXTENSION.extKeyUsage)
    const [constraints, usage] = [value(EXTENSION.basicConstraints), value(EXTENSION.keyUsage)]
    const limits = value(EXTENSION.nameConstraints)
    const signs = usage !== undefined && hasDigitalSignature(usage)
    const selfIssued = issuer.key === subject.key
    const alternatives = alternativeNames(fields)
    return {
      pathLength: constraints && pathLengthOf(constraints),
      maySign: usage === undefined || signs,
      // Here the key usage has to be said.
      mayDelegate: extensions.has(EXTENSION.delegationUsage) && signs,
      stronglySigned: isStrong(fields.signatureAlgorithm),
      purposes: purposes && purposesOf(purposes),
      publicKey,
      notBefore,
      notAfter,
      issuer: issuer.key,
      subject: subject.key,
      selfIssued,
      names: [...namesOf(subject), ...alternatives],
      hostsInSubject: alternatives.some(({ form }) => form === 'dns') ? [] : hostsIn(subject),
      nameConstraints: limits && readNameConstraints(limits),
      policies: policiesOf(extensions, selfIssued),
    }
  } catch (error) {
    throw error instanceof TlsError ? error : malformed(error)
  }
}

/** RFC 5280 §4.2.1.10: the subject counts if it is not empty, and so do the email addresses in it. */
function namesOf(subject: DistinguishedName): GeneralName[] {
  if (subject.rdns.length === 0) return []
  const emails = subject.emailAddresses.map(text => ({ form: 'email', text: text ?? '' }) as const)
  return [{ form: 'directory', name: subject }, ...emails]
}

/** What other verifiers, if not this one, would take for the name of a host. */
function hostsIn({ commonNames }: DistinguishedName): GeneralName[] {
  return commonNames
    .map(text => text.replace(/\0+$/, ''))
    .filter(text => /^(\*\.)?[\w-]+(\.[\w-]+)+$/.test(text))
    .map(text => ({ form: 'dns', text }))
}

function policiesOf(extensions: ReadonlyMap<string, Extension>, selfIssued: boolean): PolicyExtensions {
  const constraints = extensions.get(EXTENSION.policyConstraints)?.value
  return {
    policies: extensions.get(EXTENSION.certificatePolicies)?.value,
    mappings: extensions.get(EXTENSION.policyMappings)?.value,
    inhibitAny: extensions.get(EXTENSION.inhibitAnyPolicy)?.value,
    constraints: constraints && readPolicyConstraints(constraints),
    selfIssued,
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

/** Kinds of keys that sign in TLS 1.3 (RFC 8446 §4.2.3), by the platform's names. */
const SIGN = new Set<string | undefined>(['rsa', 'rsa-pss', 'ec', 'ed25519', 'ed448'])
const EC_PUBLIC_KEY = '1.2.840.10045.2.1'

/** @param info its SubjectPublicKeyInfo */
function checkKey({ publicKey }: X509Certificate, info: Uint8Array): void {
  const algorithm = new DerReader(new DerReader(only(info, Tag.sequence)).take(Tag.sequence))
  // RFC 5480 §2.1.1: a curve has a name. The platform takes one that is written out, too.
  if (toObjectIdentifier(algorithm.take(Tag.objectIdentifier)) === EC_PUBLIC_KEY)
    algorithm.take(Tag.objectIdentifier)
  const { asymmetricKeyType } = publicKey
  if (!SIGN.has(asymmetricKeyType)) {
    throw peerError(
      'unsupported_certificate',
      'unsupported_key',
      `a key of type ${asymmetricKeyType}, which signs nothing in TLS 1.3`,
    )
  }
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {}
  if (isRsa(publicKey) && modulusLength !== undefined && modulusLength < MINIMUM_RSA)
    throw peerError('bad_certificate', 'weak_key', `an RSA key of ${modulusLength} bits`)
  // The names of curves tell their bits.
  const bits = /\d{3}/.exec(namedCurve ?? '')?.[0]
  if (publicKey.asymmetricKeyType === 'ec' && !(Number(bits) >= MINIMUM_CURVE))
    throw peerError('bad_certificate', 'weak_key', `a key on the curve ${namedCurve ?? 'of its own'}`)
}

/** ExtKeyUsageSyntax (RFC 5280 §4.2.1.12): at least one. */
function purposesOf(value: Uint8Array): readonly string[] {
  const list = new DerReader(only(value, Tag.sequence))
  const purposes: string[] = []
  do purposes.push(toObjectIdentifier(list.take(Tag.objectIdentifier)))
  while (list.next !== undefined)
  return purposes
}

/** RFC 5280 §4.2.1.1 and §4.2.1.2. The platform compares the two, and says nothing of what it cannot read. */
function checkKeyIds(subject: Uint8Array | undefined, authority: Uint8Array | undefined): void {
  if (subject !== undefined) only(subject, Tag.octetString)
  if (authority !== undefined) only(authority, Tag.sequence)
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
  const reason = reasonOf(cause)
  return peerError(
    'bad_certificate',
    'malformed_certificate',
    `a certificate that cannot be read (${reason})`,
  )
}
