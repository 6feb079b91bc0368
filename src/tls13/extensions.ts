import {
  type AnyCodec,
  type Codec,
  DecodeError,
  decode,
  encode,
  enumeration,
  opaque,
  rest,
  select,
  struct,
  type TypeOf,
  uint8,
  uint16,
  uint32,
  vector,
} from '../wire/index.ts'
import { peerError } from './alert.ts'
import { isGrease } from './codepoints.ts'
import { bareHostName } from './host-name.ts'
import type { Extension } from './messages.ts'

/** RFC 6066 §3. */
export const ServerName = struct('ServerName', { nameType: uint8, hostName: opaque(1, 2 ** 16 - 1) })
/** RFC 8446 §4.2.8. */
export const KeyShareEntry = struct('KeyShareEntry', { group: uint16, keyExchange: opaque(1, 2 ** 16 - 1) })
export type KeyShareEntry = TypeOf<typeof KeyShareEntry>
/** RFC 8446 §4.2.11. */
export const PskIdentity = struct('PskIdentity', {
  identity: opaque(1, 2 ** 16 - 1),
  obfuscatedTicketAge: uint32,
})
/** RFC 8446 §4.2.11. */
export const OfferedPsks = struct('OfferedPsks', {
  identities: vector(PskIdentity, 7, 2 ** 16 - 1),
  binders: vector(opaque(32, 255), 33, 2 ** 16 - 1),
})
export type OfferedPsks = TypeOf<typeof OfferedPsks>

/** RFC 6066 §8: what a client says to be given an OCSP response; or something else, which is passed over. */
export const CertificateStatusRequest = struct('CertificateStatusRequest', {
  statusType: uint8,
  request: rest,
})
/** The only status type there is: what stands behind another one has no form that is known. */
export const CertificateStatusType = enumeration('CertificateStatusType', uint8, { ocsp: 1 })
/** RFC 6066 §8. */
export const CertificateStatus = select('CertificateStatus', 'statusType', CertificateStatusType, {
  ocsp: struct('OcspStatus', { response: opaque(1, 2 ** 24 - 1) }),
})
/** RFC 6962 §3.3: none of it is empty. */
const SignedCertificateTimestampList = vector(opaque(1, 2 ** 16 - 1), 1, 2 ** 16 - 1)

/** Bytes that must have a form, and are kept as they are: to be judged elsewhere. */
function formed(form: AnyCodec): Codec<Uint8Array> {
  return {
    ...rest,
    read(reader) {
      const bytes = rest.read(reader)
      decode(form, bytes)
      return bytes
    },
  }
}

const empty = struct('Empty', {})
/** draft-ietf-tls-tlsflags: a bit for each flag, the first one the least significant of the first byte. */
const flags = opaque(1, 255)
const uint16List = vector(uint16, 2, 2 ** 16 - 2)

/** The messages that carry extensions, by the abbreviations of RFC 8446 §4.2. */
export type ExtensionMessage = 'CH' | 'SH' | 'EE' | 'CT' | 'CR' | 'NST' | 'HRR'

/**
 * One row per extension of the table in RFC 8446 §4.2: its number, and the messages it may appear in
 * with the form it has there. Those that we only check the place of have the form `rest`. The order is the
 * one in which a message of ours lists them; pre_shared_key stands last because a ClientHello must end with
 * it (§4.2.11).
 */
export const EXTENSIONS = {
  server_name: { type: 0, in: { CH: vector(ServerName, 1, 2 ** 16 - 1), EE: empty } },
  max_fragment_length: { type: 1, in: { CH: rest, EE: rest } },
  status_request: { type: 5, in: { CH: CertificateStatusRequest, CR: rest, CT: CertificateStatus } },
  supported_groups: { type: 10, in: { CH: uint16List, EE: uint16List } },
  signature_algorithms: { type: 13, in: { CH: uint16List, CR: uint16List } },
  use_srtp: { type: 14, in: { CH: rest, EE: rest } },
  heartbeat: { type: 15, in: { CH: rest, EE: rest } },
  application_layer_protocol_negotiation: {
    type: 16,
    in: { CH: vector(opaque(1, 255), 2, 2 ** 16 - 1), EE: vector(opaque(1, 255), 2, 2 ** 16 - 1) },
  },
  signed_certificate_timestamp: {
    type: 18,
    in: { CH: empty, CR: rest, CT: formed(SignedCertificateTimestampList) },
  },
  client_certificate_type: { type: 19, in: { CH: rest, EE: rest } },
  server_certificate_type: { type: 20, in: { CH: rest, EE: rest } },
  padding: { type: 21, in: { CH: rest } },
  compress_certificate: { type: 27, in: { CH: vector(uint16, 2, 254), CR: vector(uint16, 2, 254) } },
  record_size_limit: { type: 28, in: { CH: uint16, EE: uint16 } },
  delegated_credential: { type: 34, in: { CH: uint16List, CR: uint16List, CT: rest } },
  early_data: { type: 42, in: { CH: empty, EE: empty, NST: uint32 } },
  supported_versions: { type: 43, in: { CH: vector(uint16, 2, 254), SH: uint16, HRR: uint16 } },
  cookie: { type: 44, in: { CH: opaque(1, 2 ** 16 - 1), HRR: opaque(1, 2 ** 16 - 1) } },
  psk_key_exchange_modes: { type: 45, in: { CH: opaque(1, 255) } },
  certificate_authorities: {
    type: 47,
    in: {
      CH: vector(opaque(1, 2 ** 16 - 1), 3, 2 ** 16 - 1),
      CR: vector(opaque(1, 2 ** 16 - 1), 3, 2 ** 16 - 1),
    },
  },
  oid_filters: { type: 48, in: { CR: rest } },
  post_handshake_auth: { type: 49, in: { CH: empty } },
  signature_algorithms_cert: { type: 50, in: { CH: uint16List, CR: uint16List } },
  key_share: { type: 51, in: { CH: vector(KeyShareEntry, 0, 2 ** 16 - 1), SH: KeyShareEntry, HRR: uint16 } },
  tls_flags: {
    type: 62,
    in: { CH: flags, SH: rest, HRR: rest, EE: flags, CT: rest, CR: rest, NST: rest },
  },
  pre_shared_key: { type: 41, in: { CH: OfferedPsks, SH: uint16 } },
} as const satisfies Record<string, { type: number; in: Partial<Record<ExtensionMessage, AnyCodec>> }>

type Table = typeof EXTENSIONS
export type ExtensionName = keyof Table
/** What the extensions of one kind of message say, by name. */
export type ExtensionValues<M extends ExtensionMessage> = {
  [N in ExtensionName as M extends keyof Table[N]['in'] ? N : never]?: M extends keyof Table[N]['in']
    ? TypeOf<Table[N]['in'][M]>
    : never
}

interface Row {
  readonly name: ExtensionName
  readonly type: number
  readonly in: Partial<Record<ExtensionMessage, Codec<unknown>>>
}
const ROWS = (Object.entries(EXTENSIONS) as [ExtensionName, Omit<Row, 'name'>][]).map(
  ([name, row]): Row => ({ name, ...row }),
)
const BY_TYPE = new Map(ROWS.map(row => [row.type, row]))

/** An extension as one kind of message has it: its name, and the form of what it says if that is known. */
export function extensionForm(
  message: ExtensionMessage,
  type: number,
): { readonly name: ExtensionName; readonly form: AnyCodec | undefined } | undefined {
  const row = BY_TYPE.get(type)
  return row && { name: row.name, form: row.in[message] }
}

/**
 * Opens the extensions of a message and holds them against the table (RFC 8446 §4.2).
 * @param offered in a response, the numbers of the extensions that the request had; undefined in a request
 * @throws TlsError illegal_parameter for a repeated or misplaced one, unsupported_extension for a response to
 * nothing, decode_error for a malformed one
 */
export function readExtensions<M extends ExtensionMessage>(
  message: M,
  extensions: readonly Extension[],
  offered?: ReadonlySet<number>,
): ExtensionValues<M> {
  const values: Record<string, unknown> = {}
  const seen = new Set<number>()
  extensions.forEach(({ extensionType, extensionData }, index) => {
    if (seen.has(extensionType))
      throw peerError('illegal_parameter', 'duplicate_extension', `extension ${extensionType} twice`)
    seen.add(extensionType)
    const row = BY_TYPE.get(extensionType)
    const codec = row?.in[message]
    if (row !== undefined && codec === undefined) {
      throw peerError('illegal_parameter', 'misplaced_extension', `${row.name} does not belong in ${message}`)
    }
    // A HelloRetryRequest may bring a cookie unasked (§4.2).
    if (
      offered !== undefined &&
      !offered.has(extensionType) &&
      !(message === 'HRR' && row?.name === 'cookie')
    ) {
      throw peerError(
        'unsupported_extension',
        'unrequested_extension',
        `${row?.name ?? extensionType} in ${message} was not asked for`,
      )
    }
    if (row === undefined || codec === undefined) return
    if (message === 'CH' && row.name === 'pre_shared_key' && index !== extensions.length - 1) {
      throw peerError('illegal_parameter', 'psk_not_last', 'pre_shared_key is not the last extension')
    }
    values[row.name] = open(row.name, codec, extensionData)
  })
  return values as ExtensionValues<M>
}

function open(name: string, codec: Codec<unknown>, data: Uint8Array): unknown {
  try {
    return decode(codec, data)
  } catch (error) {
    if (error instanceof DecodeError)
      throw peerError('decode_error', 'malformed_extension', `${name}: ${error.message}`)
    throw error
  }
}

/** Lists extensions for a message of ours, in the order of the table. */
export function writeExtensions<M extends ExtensionMessage>(
  message: M,
  values: ExtensionValues<M>,
): Extension[] {
  const record = values as Record<string, unknown>
  const list: Extension[] = []
  for (const row of ROWS) {
    const value = record[row.name]
    const codec = row.in[message]
    if (value === undefined || codec === undefined) continue
    list.push({ extensionType: row.type, extensionData: encode(codec, value) })
  }
  return list
}

/** The numbers of the extensions in a message, without the ones that RFC 8701 reserves. */
export function extensionTypes(extensions: readonly Extension[]): Set<number> {
  return new Set(extensions.map(extension => extension.extensionType).filter(type => !isGrease(type)))
}

const HOST_NAME = 0
/** Bytes that are looked at, of up to 2^16: a host name with a dot at its end. */
const LONGEST_HOST_NAME = 254

/** Whether server_name asks for a host, be it by what is no host name. */
export function asksForHost(list: readonly TypeOf<typeof ServerName>[] | undefined): boolean {
  return list?.some(({ nameType }) => nameType === HOST_NAME) === true
}

/**
 * The host name of a server_name extension (RFC 6066 §3), without a dot at its end.
 * @returns undefined if it has none, or one that names no host: a client that asks for `host:port` means what
 * one means that does not ask
 * @throws TlsError illegal_parameter if there are two
 */
export function hostName(list: readonly TypeOf<typeof ServerName>[] | undefined): string | undefined {
  const names = list?.filter(entry => entry.nameType === HOST_NAME) ?? []
  if (names.length > 1)
    throw peerError('illegal_parameter', 'several_host_names', 'two host names in server_name')
  const [name] = names
  if (name === undefined || name.hostName.length > LONGEST_HOST_NAME) return undefined
  return bareHostName(String.fromCharCode(...name.hostName))
}
