import { peerError, TlsError } from './alert.ts'
import type { Allocate, CipherSuite, Opened, RecordCipher } from './crypto/provider.ts'
import { type TrafficKeys, trafficKeys } from './key-schedule.ts'
import { MAXIMUM_PLAINTEXT, type RawRecord, RECORD_HEADER_LENGTH } from './record.ts'
import { KeyedRecords } from './record-cipher.ts'
import { ownMemory, smallOutput } from './record-memory.ts'
import type { TrafficState } from './state.ts'

/** A key, its iv, the secret that they follow from, and the number of the next record. */
export interface TrafficView extends TrafficKeys {
  readonly trafficSecret: Uint8Array
  readonly sequenceNumber: number
}

/**
 * Seals or opens the records of one direction (RFC 8446 §5.2–5.5). Everything here follows from the
 * traffic state, and only the state's sequence number changes: throw it away and build it again at any time.
 */
export class Protection {
  readonly state: TrafficState
  readonly #suite: CipherSuite
  readonly #allocate: Allocate
  #cipher: RecordCipher | undefined
  #wiped = false

  /** @param allocate memory for what is opened */
  constructor(suite: CipherSuite, state: TrafficState, allocate: Allocate = ownMemory) {
    this.state = state
    this.#suite = suite
    this.#allocate = allocate
  }

  /** Made with the first record, because a session that is only handed on never has one. */
  #keyed(): RecordCipher {
    // Another session may own the secret by now, or it is gone.
    if (this.#wiped) throw new Error('this key has been wiped')
    const { trafficSecret } = this.state
    this.#cipher = this.#suite.protect?.(trafficSecret) ?? new KeyedRecords(this.#suite, trafficSecret)
    return this.#cipher
  }

  /**
   * All there is to know of this direction, in copies; key and iv are derived anew (RFC 8446 §7.3).
   */
  view(): TrafficView {
    const { trafficSecret, sequenceNumber } = this.state
    const keys = trafficKeys(this.#suite.hash, this.#suite.aead, trafficSecret)
    return { trafficSecret: trafficSecret.slice(), sequenceNumber, ...keys }
  }

  /** Records that may still be sealed under this key (RFC 8446 §5.5). */
  get recordsLeft(): number {
    return this.#suite.aead.confidentialityLimit - this.state.sequenceNumber
  }

  /** Bytes of the record that {@link sealInto} makes. */
  sealedLength(contentLength: number, padding: number): number {
    return RECORD_HEADER_LENGTH + contentLength + 1 + padding + this.#suite.aead.tagLength
  }

  /** A whole protected record, as {@link sealInto} makes it, in memory that {@link recycle} takes back. */
  seal(type: number, content: Uint8Array, padding = 0): Uint8Array {
    const record = smallOutput.take(this.sealedLength(content.length, padding))
    this.sealInto(type, content, padding, record, 0)
    return record
  }

  /**
   * A whole protected record, written to `output` from `at`, which must not overlap `content`.
   * @param padding bytes of zeros behind the content (§5.4)
   * @returns where the record ends
   * @throws TlsError internal_error when the key may seal no more records; RangeError if it does not fit
   */
  sealInto(type: number, content: Uint8Array, padding: number, output: Uint8Array, at: number): number {
    const end = at + this.sealedLength(content.length, padding)
    if (end > output.length) throw new RangeError(`a record to ${end} in a buffer of ${output.length}`)
    if (this.recordsLeft <= 0)
      throw new TlsError(
        'internal_error',
        'local',
        'write_key_exhausted',
        'the write key has sealed as many records as it may',
      )
    const cipher = this.#cipher ?? this.#keyed()
    // Counted before it is used: whatever fails after this, the nonce is not used again.
    cipher.seal(this.state.sequenceNumber++, type, content, padding, output, at)
    return end
  }

  /** Forgets the key. What is sealed or opened afterwards is an error where the provider can tell. */
  wipe(): void {
    this.#wiped = true
    this.#cipher?.wipe()
  }

  /**
   * What a protected record held, its padding taken off.
   * @throws TlsError bad_record_mac, record_overflow, or unexpected_message for a record of padding alone
   * (§5.4)
   */
  open({ bytes, at, fragmentLength: length }: RawRecord): Opened {
    const cipher = this.#cipher ?? this.#keyed()
    const opened = cipher.open(this.state.sequenceNumber++, bytes, at, length, this.#allocate)
    if (opened === undefined)
      throw peerError('bad_record_mac', 'undecryptable_record', 'a record cannot be decrypted')
    if (opened.type === 0)
      throw peerError(
        'unexpected_message',
        'missing_content_type',
        'a protected record without a content type',
      )
    if (opened.content.length > MAXIMUM_PLAINTEXT)
      throw peerError('record_overflow', 'record_too_long', `${opened.content.length} bytes of content`)
    if (opened.length > MAXIMUM_PLAINTEXT + 1)
      throw peerError('record_overflow', 'record_too_long', `${opened.length} bytes of inner plaintext`)
    return opened
  }
}
