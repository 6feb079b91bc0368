import {
  type AnyCodec,
  type Codec,
  concat,
  DecodeError,
  decode,
  encode,
  enumeration,
  fixed,
  hex,
  opaque,
  rest,
  type Struct,
  struct,
  type TypeOf,
  uint8,
  uint16,
  uint24,
  uint32,
  vector,
} from '../wire/index.ts'
import { peerError } from './alert.ts'

/** Every handshake message of RFC 8446 §4, as a struct. */

export const HandshakeType = enumeration('HandshakeType', uint8, {
  client_hello: 1,
  server_hello: 2,
  new_session_ticket: 4,
  end_of_early_data: 5,
  encrypted_extensions: 8,
  certificate: 11,
  certificate_request: 13,
  certificate_verify: 15,
  finished: 20,
  key_update: 24,
  compressed_certificate: 25,
  /** To be assigned (draft-ietf-tls-extended-key-update); there is no range for private use. */
  extended_key_update: 250,
  message_hash: 254,
})

/** RFC 8446 §4.2. The data is opened by `extensions.ts`. */
export const Extension = struct('Extension', { extensionType: uint16, extensionData: opaque(0, 2 ** 16 - 1) })
export type Extension = TypeOf<typeof Extension>

const extensions = vector(Extension, 0, 2 ** 16 - 1)
const { straight: _, ...withoutText } = extensions
/** A hello of an old version may end before the extensions; we read that as none. */
const helloExtensions: Codec<readonly Extension[]> = {
  ...withoutText,
  read: reader => (reader.remaining === 0 ? [] : extensions.read(reader)),
}

export const ClientHello = struct('ClientHello', {
  legacyVersion: uint16,
  random: fixed(32),
  legacySessionId: opaque(0, 32),
  cipherSuites: vector(uint16, 2, 2 ** 16 - 2),
  legacyCompressionMethods: opaque(1, 255),
  extensions: helloExtensions,
})
export type ClientHello = TypeOf<typeof ClientHello>

export const ServerHello = struct('ServerHello', {
  legacyVersion: uint16,
  random: fixed(32),
  legacySessionIdEcho: opaque(0, 32),
  cipherSuite: uint16,
  legacyCompressionMethod: uint8,
  extensions: helloExtensions,
})
export type ServerHello = TypeOf<typeof ServerHello>

export const EncryptedExtensions = struct('EncryptedExtensions', { extensions })

export const CertificateRequest = struct('CertificateRequest', {
  certificateRequestContext: opaque(0, 255),
  extensions: vector(Extension, 2, 2 ** 16 - 1),
})

export const CertificateEntry = struct('CertificateEntry', { certData: opaque(1, 2 ** 24 - 1), extensions })

export const Certificate = struct('Certificate', {
  certificateRequestContext: opaque(0, 255),
  certificateList: vector(CertificateEntry, 0, 2 ** 24 - 1),
})

/** RFC 8879 §4. */
export const CompressedCertificate = struct('CompressedCertificate', {
  algorithm: uint16,
  uncompressedLength: uint24,
  compressedCertificateMessage: opaque(1, 2 ** 24 - 1),
})

export const EndOfEarlyData = struct('EndOfEarlyData', {})

export const CertificateVerify = struct('CertificateVerify', {
  algorithm: uint16,
  signature: opaque(0, 2 ** 16 - 1),
})

export const Finished = struct('Finished', { verifyData: rest })

export const NewSessionTicket = struct('NewSessionTicket', {
  ticketLifetime: uint32,
  ticketAgeAdd: uint32,
  ticketNonce: opaque(0, 255),
  ticket: opaque(1, 2 ** 16 - 1),
  extensions: vector(Extension, 0, 2 ** 16 - 2),
})

export const KeyUpdate = struct('KeyUpdate', { requestUpdate: uint8 })
export const KeyUpdateRequest = { update_not_requested: 0, update_requested: 1 } as const

/**
 * draft-ietf-tls-extended-key-update: what stands behind the type hangs on it, and is opened where the type
 * is known.
 */
export const ExtendedKeyUpdate = struct('ExtendedKeyUpdate', { updateType: uint8, content: rest })
export const ExtendedKeyUpdateType = {
  key_update_request: 0,
  key_update_response: 1,
  key_update_finish: 2,
} as const

/** SSL 3.0 on the wire. */
const SSL3 = 0x0300

/**
 * A hello that says SSL 3.0 or less ends the handshake, whatever else it says (RFC 8446 Appendix D.5).
 * @throws TlsError protocol_version
 */
export function checkLegacyVersion({ legacyVersion }: { readonly legacyVersion: number }): void {
  if (legacyVersion > SSL3) return
  const version = `0x${legacyVersion.toString(16).padStart(4, '0')}`
  throw peerError('protocol_version', 'obsolete_version', `legacy_version is ${version}`)
}

/**
 * The random of a ServerHello that is a HelloRetryRequest: SHA-256 of those words (RFC 8446 §4.1.3).
 */
export const HELLO_RETRY_REQUEST = 'cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c'

/**
 * A handshake message, told apart by `type`. A HelloRetryRequest is a ServerHello on the wire and a type of
 * its own here, because no state expects both in the same way.
 */
export type HandshakeMessage =
  | ({ type: 'client_hello' } & TypeOf<typeof ClientHello>)
  | ({ type: 'server_hello' } & TypeOf<typeof ServerHello>)
  | ({ type: 'hello_retry_request' } & TypeOf<typeof ServerHello>)
  | ({ type: 'encrypted_extensions' } & TypeOf<typeof EncryptedExtensions>)
  | ({ type: 'certificate_request' } & TypeOf<typeof CertificateRequest>)
  | ({ type: 'certificate' } & TypeOf<typeof Certificate>)
  | ({ type: 'compressed_certificate' } & TypeOf<typeof CompressedCertificate>)
  | ({ type: 'end_of_early_data' } & TypeOf<typeof EndOfEarlyData>)
  | ({ type: 'certificate_verify' } & TypeOf<typeof CertificateVerify>)
  | ({ type: 'finished' } & TypeOf<typeof Finished>)
  | ({ type: 'new_session_ticket' } & TypeOf<typeof NewSessionTicket>)
  | ({ type: 'key_update' } & TypeOf<typeof KeyUpdate>)
  | ({ type: 'extended_key_update' } & TypeOf<typeof ExtendedKeyUpdate>)

export type MessageType = HandshakeMessage['type']
export type MessageOf<T extends MessageType> = Extract<HandshakeMessage, { type: T }>

const BODIES: Readonly<Record<MessageType, Struct<never>>> = {
  client_hello: ClientHello,
  server_hello: ServerHello,
  hello_retry_request: ServerHello,
  encrypted_extensions: EncryptedExtensions,
  certificate_request: CertificateRequest,
  certificate: Certificate,
  compressed_certificate: CompressedCertificate,
  end_of_early_data: EndOfEarlyData,
  certificate_verify: CertificateVerify,
  finished: Finished,
  new_session_ticket: NewSessionTicket,
  key_update: KeyUpdate,
  extended_key_update: ExtendedKeyUpdate,
} as unknown as Readonly<Record<MessageType, Struct<never>>>

/** The form of a message's body, to annotate it by. */
export function messageForm(type: MessageType): AnyCodec {
  return BODIES[type] as AnyCodec
}

/** Bytes of the header of a handshake message: a type and a 24-bit length. */
export const HANDSHAKE_HEADER_LENGTH = 4

/** Puts type and length in front of a message's body (RFC 8446 §4). */
export function frameHandshake(type: keyof typeof HandshakeType.members, body: Uint8Array): Uint8Array {
  const { length } = body
  const header = Uint8Array.of(HandshakeType.members[type], length >> 16, (length >> 8) & 0xff, length & 0xff)
  return concat(header, body)
}

/** The number that a message of that type begins with. */
export function handshakeType(type: MessageType): number {
  return HandshakeType.members[wireType(type)]
}

function wireType(type: MessageType): keyof typeof HandshakeType.members {
  return type === 'hello_retry_request' ? 'server_hello' : type
}

/** A message with its header, as it goes into the transcript. */
export function encodeHandshake(message: HandshakeMessage): Uint8Array {
  return frameHandshake(wireType(message.type), encode(BODIES[message.type] as Codec<unknown>, message))
}

/**
 * Bytes of the message at the front of `bytes`, header included; undefined if its length is not yet known.
 */
export function handshakeLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < HANDSHAKE_HEADER_LENGTH) return undefined
  return HANDSHAKE_HEADER_LENGTH + (bytes[1]! << 16) + (bytes[2]! << 8) + bytes[3]!
}

/**
 * Bytes of the message at the front of `bytes` if all of it is there.
 * @param limit bytes of the largest message taken; 64 KiB by default @throws TlsError decode_error for a
 * larger one, as soon as its length is known
 */
export function wholeHandshake(bytes: Uint8Array, limit = 2 ** 16): number | undefined {
  const length = handshakeLength(bytes)
  if (length === undefined) return undefined
  if (length > limit)
    throw peerError('decode_error', 'message_too_long', `a handshake message of ${length} bytes`)
  return bytes.length < length ? undefined : length
}

const TYPES = new Map<number, MessageType>(
  (Object.keys(BODIES) as MessageType[])
    .filter(type => type !== 'hello_retry_request')
    .map(type => [HandshakeType.members[type as keyof typeof HandshakeType.members], type]),
)

/**
 * Opens one whole message, header included.
 * @throws TlsError decode_error for a malformed one, unexpected_message for a type that TLS 1.3 does not have
 */
export function decodeHandshake(bytes: Uint8Array): HandshakeMessage {
  const type = TYPES.get(bytes[0]!)
  if (type === undefined)
    throw peerError('unexpected_message', 'unknown_message_type', `handshake type ${bytes[0]}`)
  try {
    const body = decode(BODIES[type] as Codec<unknown>, bytes.subarray(HANDSHAKE_HEADER_LENGTH))
    const message = { type, ...(body as object) } as HandshakeMessage
    if (message.type === 'server_hello' && hex(message.random) === HELLO_RETRY_REQUEST) {
      return { ...message, type: 'hello_retry_request' }
    }
    return message
  } catch (error) {
    if (error instanceof DecodeError)
      throw peerError('decode_error', 'malformed_message', `${type}: ${error.message}`)
    throw error
  }
}
