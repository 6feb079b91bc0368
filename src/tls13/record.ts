import { EMPTY } from '../wire/index.ts'
import { peerError } from './alert.ts'
import { ContentType, LEGACY_VERSION } from './codepoints.ts'

/** Bytes ↔ records: the framing and the limits of RFC 8446 §5.1 and §5.2. */

/** Bytes of a record header. */
export const RECORD_HEADER_LENGTH = 5
/** Bytes of content that a record may carry (§5.1). */
export const MAXIMUM_PLAINTEXT = 2 ** 14
/**
 * Bytes of content that a peer must be allowed to put into a record; RFC 8449 §4 counts the content
 * type too.
 */
export const MINIMUM_LIMIT = 63
/** Bytes that a protected record's fragment may have (§5.2). */
export const MAXIMUM_CIPHERTEXT = MAXIMUM_PLAINTEXT + 256

/** A record as it lies in a buffer. */
export class RawRecord {
  readonly type: number
  readonly bytes: Uint8Array
  /** Where it begins in them. */
  readonly at: number
  /** Bytes from its start to the start of the next. */
  readonly length: number

  constructor(bytes: Uint8Array, at: number, length: number) {
    this.type = bytes[at]!
    this.bytes = bytes
    this.at = at
    this.length = length
  }

  /** Bytes of its fragment. */
  get fragmentLength(): number {
    return this.length - RECORD_HEADER_LENGTH
  }

  /** The five bytes of the header, a view. */
  get header(): Uint8Array {
    return this.bytes.subarray(this.at, this.at + RECORD_HEADER_LENGTH)
  }

  /** A view. */
  get fragment(): Uint8Array {
    return this.bytes.subarray(this.at + RECORD_HEADER_LENGTH, this.at + this.length)
  }
}

/** What a record held, opened if it was protected. */
export interface Content {
  readonly type: number
  readonly content: Uint8Array
}

/** What an unprotected ChangeCipherSpec says, which means nothing (§5). */
export const COMPATIBILITY: Content = { type: ContentType.change_cipher_spec, content: EMPTY }

/**
 * The record that starts at `offset`; undefined if it is not whole yet. Views, not copies.
 * @param protectedRecords whether read keys are in place, so that the fragment may be as long as a protected
 * one
 * @throws TlsError record_overflow for a fragment that is too long, unexpected_message for a type that does
 * not exist
 */
export function readRecord(
  bytes: Uint8Array,
  offset: number,
  protectedRecords: boolean,
): RawRecord | undefined {
  const left = bytes.length - offset
  if (left < 1) return undefined
  const type = bytes[offset]!
  // The first byte is enough to know a peer that does not speak TLS.
  if (type < ContentType.change_cipher_spec || type > ContentType.application_data) {
    throw peerError('unexpected_message', 'unknown_record_type', `record type ${type}`)
  }
  if (left < RECORD_HEADER_LENGTH) return undefined
  // legacy_record_version is ignored for all purposes (§5.1).
  const length = (bytes[offset + 3]! << 8) | bytes[offset + 4]!
  const maximum =
    protectedRecords && type === ContentType.application_data ? MAXIMUM_CIPHERTEXT : MAXIMUM_PLAINTEXT
  if (length > maximum)
    throw peerError(
      'record_overflow',
      'record_too_long',
      `a record of ${length} bytes where ${maximum} are allowed`,
    )
  if (left < RECORD_HEADER_LENGTH + length) return undefined
  return new RawRecord(bytes, offset, RECORD_HEADER_LENGTH + length)
}

/**
 * An unprotected record. @param version legacy_record_version: 0x0301 for a first ClientHello, else 0x0303
 */
export function plaintextRecord(type: number, fragment: Uint8Array, version = LEGACY_VERSION): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_LENGTH + fragment.length)
  record.set([type, version >> 8, version & 0xff, fragment.length >> 8, fragment.length & 0xff])
  record.set(fragment, RECORD_HEADER_LENGTH)
  return record
}

/** The record that middleboxes want to see (RFC 8446 Appendix D.4). */
export const CHANGE_CIPHER_SPEC: Uint8Array = plaintextRecord(
  ContentType.change_cipher_spec,
  Uint8Array.of(1),
)
