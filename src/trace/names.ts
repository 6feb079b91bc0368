import { AlertDescription } from '../tls13/alert.ts'
import {
  CertificateCompressionAlgorithm,
  CipherSuiteId,
  ContentType,
  isGrease,
  NamedGroup,
  PskKeyExchangeMode,
  SignatureScheme,
} from '../tls13/codepoints.ts'
import { EXTENSIONS } from '../tls13/extensions.ts'
import { HandshakeType } from '../tls13/messages.ts'
import { hex } from '../wire/index.ts'

const VERSIONS = { 'TLS 1.0': 0x0301, 'TLS 1.1': 0x0302, 'TLS 1.2': 0x0303, 'TLS 1.3': 0x0304 }
/** Extensions of older versions that are seen still, beside those of TLS 1.3. */
const OLDER = { extended_master_secret: 23, session_ticket: 35, renegotiation_info: 0xff01 }
const EXTENSION_TYPES = {
  ...OLDER,
  ...Object.fromEntries(Object.entries(EXTENSIONS).map(([name, { type }]) => [name, type])),
}

/** What the numbers of a field stand for, by the name of the field. */
const TABLES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  msg_type: HandshakeType.members,
  legacy_version: VERSIONS,
  supported_versions: VERSIONS,
  cipher_suite: CipherSuiteId,
  cipher_suites: CipherSuiteId,
  extension_type: EXTENSION_TYPES,
  supported_groups: NamedGroup,
  group: NamedGroup,
  key_share: NamedGroup,
  algorithm: SignatureScheme,
  signature_algorithms: SignatureScheme,
  signature_algorithms_cert: SignatureScheme,
  delegated_credential: SignatureScheme,
  compress_certificate: CertificateCompressionAlgorithm,
  psk_key_exchange_modes: PskKeyExchangeMode,
}

/** A number in a field of that name, with the name that it has there. */
export function numberText(field: string, number: number): string {
  const table = TABLES[field]
  if (table === undefined) return String(number)
  const digits = number > 0xff ? `0x${number.toString(16).padStart(4, '0')}` : String(number)
  const known = Object.entries(table).find(([, value]) => value === number)?.[0]
  const name = number > 0xff && isGrease(number) ? 'GREASE' : known
  return name === undefined ? digits : `${name} (${digits})`
}

/** What has fields of its own, which follow. */
const STRUCT = ''

/** What stands in a field, in words; empty: other fields, which follow; undefined: bytes. */
export function valueText(name: string, value: unknown): string | undefined {
  if (typeof value === 'number') return numberText(name, value)
  if (value instanceof Uint8Array)
    return name === 'psk_key_exchange_modes' ? list(name, [...value]) : undefined
  if (!Array.isArray(value)) return typeof value === 'object' ? STRUCT : String(value)
  if (value.every(one => typeof one === 'number')) return list(name, value)
  if (value.every(one => one instanceof Uint8Array)) return value.map(asText).join(', ')
  return `${value.length} ${value.length === 1 ? 'item' : 'items'}`
}

function list(name: string, numbers: readonly number[]): string {
  return numbers.map(number => numberText(name, number)).join(', ')
}

/** A name of a protocol or host where it is one, else hexadecimal. */
function asText(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(0, 255))
  return bytes.length <= 255 && /^[\x21-\x7e]+$/.test(text) ? `"${text}"` : hex(bytes)
}

/** The name of a record's content type, or its number. */
export function contentTypeName(type: number): string {
  return Object.entries(ContentType).find(([, value]) => value === type)?.[0] ?? `type ${type}`
}

/** The number of an alert, with its name. */
export function alertWords(bytes: Uint8Array): string {
  const [level, description] = bytes
  const name = Object.entries(AlertDescription).find(([, value]) => value === description)?.[0]
  return `${name ?? 'an unknown alert'} (${description}), level ${level}`
}

/** Where each message stands. */
export const SECTIONS: Readonly<Record<string, string>> = {
  client_hello: 'RFC 8446 §4.1.2',
  server_hello: 'RFC 8446 §4.1.3',
  hello_retry_request: 'RFC 8446 §4.1.4',
  encrypted_extensions: 'RFC 8446 §4.3.1',
  certificate_request: 'RFC 8446 §4.3.2',
  certificate: 'RFC 8446 §4.4.2',
  certificate_verify: 'RFC 8446 §4.4.3',
  finished: 'RFC 8446 §4.4.4',
  end_of_early_data: 'RFC 8446 §4.5',
  new_session_ticket: 'RFC 8446 §4.6.1',
  key_update: 'RFC 8446 §4.6.3',
  compressed_certificate: 'RFC 8879 §4',
  extended_key_update: 'draft-ietf-tls-extended-key-update §4',
}
