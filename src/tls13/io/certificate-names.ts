import { domainToASCII } from 'node:url'
import { contextTag, DerError, DerReader, only, Tag, toObjectIdentifier } from './der.ts'

/*
 * Names of certificates in the form in which they can be compared: distinguished names (RFC 5280 §7.1) and
 * general names (§4.2.1.6).
 */

/** A distinguished name. */
export interface DistinguishedName {
  /** Each RDN in one form for all that are equal: case, blanks and the type of a string do not count. */
  readonly rdns: readonly string[]
  /** All of them: two names are equal if their keys are. */
  readonly key: string
  /** What stands in attributes of type commonName. */
  readonly commonNames: readonly string[]
  /** What stands in attributes of type emailAddress; undefined for one that is no IA5String. */
  readonly emailAddresses: readonly (string | undefined)[]
}

/**
 * One name of a subjectAltName, or the base of a subtree. `text` is as it stands there, a character for each
 * byte, and may be anything. The other forms are those without a rule here.
 */
export type GeneralName =
  | { readonly form: 'dns' | 'email' | 'uri'; readonly text: string }
  | { readonly form: 'ip'; readonly bytes: Uint8Array }
  | { readonly form: 'directory'; readonly name: DistinguishedName }
  | { readonly form: 'x400' | 'ediParty' | 'registeredId' | `other ${string}` }

const COMMON_NAME = '2.5.4.3'
const EMAIL_ADDRESS = '1.2.840.113549.1.9.1'
const SMTP_UTF8_MAILBOX = '1.3.6.1.5.5.7.8.9'

const IA5_STRING = 0x16
const UTF8_STRING = 0x0c

/** How the types of strings that names are made of are read. */
const STRINGS: Readonly<Record<number, (bytes: Uint8Array) => string>> = {
  [UTF8_STRING]: utf8Text,
  19: latin1, // PrintableString
  20: latin1, // TeletexString, as it is used
  [IA5_STRING]: latin1,
  26: latin1, // VisibleString
  28: bytes => wide(bytes, 4), // UniversalString
  30: bytes => wide(bytes, 2), // BMPString
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function utf8Text(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes)
  } catch {
    throw new DerError('a UTF8String that is none')
  }
}

function wide(bytes: Uint8Array, size: 2 | 4): string {
  if (bytes.length % size !== 0) throw new DerError('a string that ends in the middle of a character')
  let text = ''
  for (let at = 0; at < bytes.length; at += size) {
    let point = 0
    for (let i = at; i < at + size; i++) point = point * 256 + bytes[i]!
    if (point > 0x10ffff) throw new DerError('a character that there is not')
    text += String.fromCodePoint(point)
  }
  return text
}

/** Capitals of ASCII are the only ones that all agree on. */
export function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, capitals => capitals.toLowerCase())
}

/** RFC 5280 §7.1, as OpenSSL has it: blanks at the ends do not count, several inside count as one. */
function canonical(text: string): string {
  return lowerCase(text.replace(/[ \t-\r]+/g, ' ').replace(/^ | $/g, ''))
}

/** @param content of the SEQUENCE that a Name is @throws DerError */
export function readName(content: Uint8Array): DistinguishedName {
  const rdns: string[] = []
  const commonNames: string[] = []
  const emailAddresses: (string | undefined)[] = []
  const reader = new DerReader(content)
  while (reader.next !== undefined) {
    const set = new DerReader(reader.take(Tag.set))
    const attributes: string[] = []
    while (set.next !== undefined) {
      const attribute = new DerReader(set.take(Tag.sequence))
      const id = toObjectIdentifier(attribute.take(Tag.objectIdentifier))
      const tag = attribute.next
      if (tag === undefined) throw new DerError('an attribute without a value')
      const bytes = attribute.take(tag)
      attribute.end()
      const text = STRINGS[tag]?.(bytes)
      const value = text === undefined ? `${tag}#${latin1(bytes)}` : `=${canonical(text)}`
      // Its length, so that no value can pass for two.
      attributes.push(`${id}:${value.length}:${value}`)
      if (id === COMMON_NAME && text !== undefined) commonNames.push(text)
      if (id === EMAIL_ADDRESS) emailAddresses.push(tag === IA5_STRING ? text : undefined)
    }
    if (attributes.length === 0) throw new DerError('an RDN without an attribute')
    rdns.push(attributes.sort().join('+'))
  }
  return { rdns, key: rdns.join(','), commonNames, emailAddresses }
}

/** @param value of a subjectAltName: a SEQUENCE of names @throws DerError if it is malformed or empty */
export function readGeneralNames(value: Uint8Array): readonly GeneralName[] {
  const reader = new DerReader(only(value, Tag.sequence))
  const names: GeneralName[] = []
  while (reader.next !== undefined) names.push(...readGeneralName(reader))
  if (names.length === 0) throw new DerError('a list of names without a name')
  return names
}

/**
 * The next name. One of type SmtpUTF8Mailbox is an email address too (RFC 9598 §6), which is why there may be
 * two. @throws DerError
 */
export function readGeneralName(reader: DerReader): readonly GeneralName[] {
  const tag = reader.next
  if (tag === undefined) throw new DerError('a name that is missing')
  const content = reader.take(tag)
  switch (tag) {
    case 0x81:
      return [{ form: 'email', text: latin1(content) }]
    case 0x82:
      return [{ form: 'dns', text: latin1(content) }]
    case 0x86:
      return [{ form: 'uri', text: latin1(content) }]
    case 0x87:
      return [{ form: 'ip', bytes: content }]
    case contextTag(4):
      return [{ form: 'directory', name: readName(only(content, Tag.sequence)) }]
    case contextTag(0):
      return otherName(content)
    case contextTag(3):
      return [{ form: 'x400' }]
    case contextTag(5):
      return [{ form: 'ediParty' }]
    case 0x88:
      return [{ form: 'registeredId' }]
    default:
      throw new DerError(`a name of tag 0x${tag.toString(16)}`)
  }
}

function otherName(content: Uint8Array): readonly GeneralName[] {
  const reader = new DerReader(content)
  const id = toObjectIdentifier(reader.take(Tag.objectIdentifier))
  const value = reader.take(contextTag(0))
  reader.end()
  const itself = { form: `other ${id}` } as const
  if (id !== SMTP_UTF8_MAILBOX) return [itself]
  const mailbox = utf8Text(only(value, UTF8_STRING))
  const at = mailbox.lastIndexOf('@')
  const text = `${mailbox.slice(0, at + 1)}${domainToASCII(mailbox.slice(at + 1))}`
  return [itself, { form: 'email', text }]
}
