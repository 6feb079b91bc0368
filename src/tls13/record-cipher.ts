import { concat } from '../wire/index.ts'
import { ContentType } from './codepoints.ts'
import type { Aead, Allocate, CipherSuite, Opened, RecordCipher } from './crypto/provider.ts'
import { trafficKeys } from './key-schedule.ts'
import { RECORD_HEADER_LENGTH } from './record.ts'

// Filled for each record anew.
const header = Uint8Array.of(ContentType.application_data, 3, 3, 0, 0)
const typeAlone = new Uint8Array(1)
/** For a nonce of the usual length. */
const nonceMemory = new Uint8Array(12)

/** The records of one direction, by any provider's hash and AEAD. */
export class KeyedRecords implements RecordCipher {
  readonly #iv: Uint8Array
  readonly #aead: Aead
  readonly #tagLength: number
  #wiped = false

  constructor(suite: CipherSuite, trafficSecret: Uint8Array) {
    const { key, iv } = trafficKeys(suite.hash, suite.aead, trafficSecret)
    this.#aead = suite.aead.withKey(key)
    this.#iv = iv
    this.#tagLength = suite.aead.tagLength
    key.fill(0)
  }

  seal(
    sequenceNumber: number,
    type: number,
    content: Uint8Array,
    padding: number,
    output: Uint8Array,
    at: number,
  ): void {
    this.#insist()
    const start = at + RECORD_HEADER_LENGTH
    const length = content.length + 1 + padding + this.#tagLength
    header[3] = length >> 8
    header[4] = length & 0xff
    output.set(header, at)
    const tail = padding === 0 ? typeAlone : new Uint8Array(1 + padding)
    tail[0] = type
    const aead = this.#aead
    const nonce = this.#nonce(sequenceNumber)
    if (aead.sealInto !== undefined) aead.sealInto(nonce, header, content, tail, output, start)
    else output.set(aead.seal(nonce, header, concat(content, tail)), start)
  }

  open(
    sequenceNumber: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    allocate: Allocate,
  ): Opened | undefined {
    this.#insist()
    const start = at + RECORD_HEADER_LENGTH
    const fragment = bytes.subarray(start, start + length)
    const additionalData = bytes.subarray(at, start)
    const memory = length > this.#tagLength ? allocate(length - this.#tagLength) : undefined
    const inner = this.#aead.open(this.#nonce(sequenceNumber), additionalData, fragment, memory)
    if (inner === undefined) return undefined
    const end = contentEnd(inner, 0, inner.length)
    return {
      type: end < 0 ? 0 : inner[end]!,
      content: inner.subarray(0, Math.max(0, end)),
      length: inner.length,
    }
  }

  wipe(): void {
    this.#wiped = true
    this.#aead.wipe?.()
  }

  #insist(): void {
    if (this.#wiped) throw new Error('this key has been wiped')
  }

  /** The per-record nonce (RFC 8446 §5.3): the sequence number, padded on the left, XORed into the iv. */
  #nonce(sequenceNumber: number): Uint8Array {
    const iv = this.#iv
    const nonce = iv.length === nonceMemory.length ? nonceMemory : new Uint8Array(iv.length)
    nonce.set(iv)
    countInto(nonce, 0, nonce.length, sequenceNumber)
    return nonce
  }
}

/** XORs a number, most significant byte first, into the end of what lies from `at`. @param length bytes */
export function countInto(bytes: Uint8Array, at: number, length: number, number: number): void {
  let rest = number
  for (let i = at + length - 1; rest > 0; i--) {
    bytes[i]! ^= rest % 256
    rest = Math.floor(rest / 256)
  }
}

/**
 * Where the content of an inner plaintext ends and its type stands (RFC 8446 §5.4), counted from `at`; -1 if
 * all of it is padding.
 */
export function contentEnd(bytes: Uint8Array, at: number, length: number): number {
  let end = length - 1
  while (end >= 0 && bytes[at + end] === 0) end--
  return end
}
