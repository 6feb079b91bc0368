import { type DistinguishedName, type GeneralName, readGeneralNames, readName } from './certificate-names.ts'
import {
  contextTag,
  DerError,
  DerReader,
  only,
  Tag,
  toBoolean,
  toNumber,
  toObjectIdentifier,
  toTime,
} from './der.ts'

/** What stands in a certificate (RFC 5280 §4.1), as far as the platform does not tell it. */
export interface CertificateFields {
  readonly issuer: DistinguishedName
  readonly subject: DistinguishedName
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
  /** The contents of the AlgorithmIdentifier that it is signed with. */
  readonly signatureAlgorithm: Uint8Array
  /** By their object identifiers. */
  readonly extensions: ReadonlyMap<string, Extension>
}

export interface Extension {
  readonly critical: boolean
  /** DER. */
  readonly value: Uint8Array
}

export const SUBJECT_ALT_NAME = '2.5.29.17'

/** `[1]` and `[2]`, implicit and primitive. */
const ISSUER_UNIQUE_ID = 0x81
const SUBJECT_UNIQUE_ID = 0x82

/** @param der a whole certificate @throws DerError if it is malformed */
export function certificateFields(der: Uint8Array): CertificateFields {
  const certificate = new DerReader(only(der, Tag.sequence))
  const toBeSigned = new DerReader(certificate.take(Tag.sequence))
  const signatureAlgorithm = certificate.take(Tag.sequence)
  certificate.take(Tag.bitString)
  certificate.end()
  const version = readVersion(toBeSigned.takeIf(contextTag(0)))
  toBeSigned.take(Tag.integer) // serialNumber
  toBeSigned.take(Tag.sequence) // signature
  const issuer = readName(toBeSigned.take(Tag.sequence))
  const validity = new DerReader(toBeSigned.take(Tag.sequence))
  const [notBefore, notAfter] = [readTime(validity), readTime(validity)]
  validity.end()
  const subject = readName(toBeSigned.take(Tag.sequence))
  const publicKey = toBeSigned.whole(Tag.sequence)
  const issuerUniqueId = toBeSigned.takeIf(ISSUER_UNIQUE_ID)
  const subjectUniqueId = toBeSigned.takeIf(SUBJECT_UNIQUE_ID)
  const list = toBeSigned.takeIf(contextTag(3))
  toBeSigned.end()
  if ((issuerUniqueId !== undefined || subjectUniqueId !== undefined) && version < 2)
    throw new DerError('unique identifiers in a certificate of version 1')
  if (list !== undefined && version < 3)
    throw new DerError(`extensions in a certificate of version ${version}`)
  const extensions = readExtensions(list)
  return { issuer, subject, notBefore, notAfter, publicKey, signatureAlgorithm, extensions }
}

/** The names of the subjectAltName; none if there is no such extension. @throws DerError */
export function alternativeNames({
  extensions,
}: Pick<CertificateFields, 'extensions'>): readonly GeneralName[] {
  const extension = extensions.get(SUBJECT_ALT_NAME)
  return extension === undefined ? [] : readGeneralNames(extension.value)
}

/** The subject alone. @param der a whole certificate @throws DerError */
export function subjectOf(der: Uint8Array): DistinguishedName {
  const toBeSigned = new DerReader(new DerReader(only(der, Tag.sequence)).take(Tag.sequence))
  toBeSigned.takeIf(contextTag(0)) // version
  toBeSigned.take(Tag.integer) // serialNumber
  for (let i = 0; i < 3; i++) toBeSigned.take(Tag.sequence) // signature, issuer, validity
  return readName(toBeSigned.take(Tag.sequence))
}

/** @param content of `[0]`; undefined: version 1, which is not written (X.690 §11.5) */
function readVersion(content: Uint8Array | undefined): number {
  if (content === undefined) return 1
  const version = toNumber(only(content, Tag.integer)) + 1
  if (version < 2 || version > 3) throw new DerError(`a certificate that says it is of version ${version}`)
  return version
}

function readTime(validity: DerReader): number {
  const tag = validity.next === Tag.utcTime ? Tag.utcTime : Tag.generalizedTime
  return toTime(tag, validity.take(tag))
}

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
