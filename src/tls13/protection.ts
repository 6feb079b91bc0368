import { concat, EMPTY } from '../wire/index.ts'
import { peerError, TlsError } from './alert.ts'
import { ContentType } from './codepoints.ts'
import type { Aead, CipherSuite } from './crypto/provider.ts'
import { type TrafficKeys, trafficKeys } from './key-schedule.ts'
import { MAXIMUM_PLAINTEXT, RECORD_HEADER_LENGTH } from './record.ts'
import { openedMemory } from './record-memory.ts'
import type { TrafficState } from './state.ts'

/** A key, its iv, the secret that they follow from, and the number of the next record. */
export interface TrafficView extends TrafficKeys {
  readonly trafficSecret: Uint8Array
  readonly sequenceNumber: number
}

/** What a protected record held. */
export interface Opened {
  readonly type: number
  readonly content: Uint8Array
  /** Bytes of the inner plaintext: content, content type and padding. */
  readonly length: number
}

// Filled for each record anew.
const header = Uint8Array.of(ContentType.application_data, 3, 3, 0, 0)
const typeAlone = new Uint8Array(1)
/** For a nonce of the usual length. */
const nonceMemory = new Uint8Array(12)

/** Bytes of a fragment from which on its plaintext gets memory that has been used before. */
const LARGE = 8192

/**
 * Seals or opens the records of one direction (RFC 8446 §5.2–5.5). Everything here follows from the
 * traffic state, and only the state's sequence number changes: throw it away and build it again at any time.
 */
export class Protection {
  readonly state: TrafficState
  readonly #suite: CipherSuite
  #iv: Uint8Array = EMPTY
  #aead: Aead | undefined
  #wiped = false

  constructor(suite: CipherSuite, state: TrafficState) {
    this.state = state
    this.#suite = suite
  }

  /** The keyed AEAD; made with the first record, because a session that is only handed on never has one. */
  get #keyed(): Aead {
    return this.#aead ?? this.#key()
  }

  #key(): Aead {
    // Another session may own the secret by now, or it is gone.
    if (this.#wiped) throw new Error('this key has been wiped')
    const { key, iv } = trafficKeys(this.#suite.hash, this.#suite.aead, this.state.trafficSecret)
    this.#aead = this.#suite.aead.withKey(key)
    this.#iv = iv
    key.fill(0)
    return this.#aead
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

  /**
   * The per-record nonce (RFC 8446 §5.3): the sequence number, padded on the left, XORed into the iv.
   */
  #nextNonce(): Uint8Array {
    const iv = this.#iv
    const nonce = iv.length === nonceMemory.length ? nonceMemory : new Uint8Array(iv.length)
    nonce.set(iv)
    let rest = this.state.sequenceNumber
    for (let i = nonce.length - 1; rest > 0; i--) {
      nonce[i] = nonce[i]! ^ (rest % 256)
      rest = Math.floor(rest / 256)
    }
    this.state.sequenceNumber++
    return nonce
  }

  /** Bytes of the record that {@link sealInto} makes. */
  sealedLength(contentLength: number, padding: number): number {
    return RECORD_HEADER_LENGTH + contentLength + 1 + padding + this.#suite.aead.tagLength
  }

  /** A whole protected record, as {@link sealInto} makes it. */
  seal(type: number, content: Uint8Array, padding = 0): Uint8Array {
    const record = new Uint8Array(this.sealedLength(content.length, padding))
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
    const start = at + RECORD_HEADER_LENGTH
    const end = at + this.sealedLength(content.length, padding)
    if (end > output.length) throw new RangeError(`a record to ${end} in a buffer of ${output.length}`)
    if (this.recordsLeft <= 0)
      throw new TlsError(
        'internal_error',
        'local',
        'write_key_exhausted',
        'the write key has sealed as many records as it may',
      )
    const length = end - start
    header[3] = length >> 8
    header[4] = length & 0xff
    output.set(header, at)
    const tail = padding === 0 ? typeAlone : new Uint8Array(1 + padding)
    tail[0] = type
    const aead = this.#keyed
    if (aead.sealInto !== undefined) {
      aead.sealInto(this.#nextNonce(), header, content, tail, output, start)
    } else {
      output.set(aead.seal(this.#nextNonce(), header, concat(content, tail)), start)
    }
    return end
  }

  /** Forgets the key. What is sealed or opened afterwards is an error where the provider can tell. */
  wipe(): void {
    this.#wiped = true
    this.#aead?.wipe?.()
  }

  /**
   * What a protected record held, its padding taken off.
   * @throws TlsError bad_record_mac, record_overflow, or unexpected_message for a record of padding alone
   * (§5.4)
   */
  open(header: Uint8Array, fragment: Uint8Array): Opened {
    const { tagLength } = this.#suite.aead
    // Only what is large is worth it: a piece is as large as the largest record.
    const memory = fragment.length > LARGE ? openedMemory.take(fragment.length - tagLength) : undefined
    const inner = this.#keyed.open(this.#nextNonce(), header, fragment, memory)
    if (memory !== undefined && inner !== memory) openedMemory.give(memory)
    if (inner === undefined)
      throw peerError('bad_record_mac', 'undecryptable_record', 'a record cannot be decrypted')
    let end = inner.length - 1
    while (end >= 0 && inner[end] === 0) end--
    if (end < 0)
      throw peerError(
        'unexpected_message',
        'missing_content_type',
        'a protected record without a content type',
      )
    if (end > MAXIMUM_PLAINTEXT)
      throw peerError('record_overflow', 'record_too_long', `${end} bytes of content`)
    if (inner.length > MAXIMUM_PLAINTEXT + 1)
      throw peerError('record_overflow', 'record_too_long', `${inner.length} bytes of inner plaintext`)
    return { type: inner[end]!, content: inner.subarray(0, end), length: inner.length }
  }
}
