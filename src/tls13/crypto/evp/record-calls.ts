import { EMPTY, Scratch } from '../../../wire/index.ts'
import { ContentType } from '../../codepoints.ts'
import { RECORD_HEADER_LENGTH } from '../../record.ts'
import { contentEnd, countInto } from '../../record-cipher.ts'
import type { Allocate, Opened } from '../provider.ts'
import type { Address, Bindings } from './bindings.ts'
import type { Libcrypto } from './libcrypto.ts'

/** What a suite's traffic keys are made of (RFC 8446 §7.3). Lengths in bytes. */
export interface TrafficAlgorithms {
  readonly digest: Address
  readonly hmacContext: Address
  readonly keyLength: number
  /** What HMAC is given to expand a secret to the key, and to the iv: the HkdfLabel and a byte 1. */
  readonly keyLabel: Address
  readonly keyLabelLength: number
  readonly ivLabel: Address
  readonly ivLabelLength: number
}

/** Bytes of an inner plaintext up to which a record goes through the block: to pass an array costs more. */
const SMALL = 4096
const TAG = 16
const NONCE = 12
const GET_TAG = 0x10
const SET_TAG = 0x11
const LONGEST_SECRET = 64
const LONGEST_KEY = 32

// The block: what stands where, in bytes.
const SECRET_AT = 0
const NONCE_AT = 64
const LENGTH_AT = 80
const DIGEST_AT = 96
const IV_DIGEST_AT = 160
const LABELS_AT = 224
const RECORD_AT = 1024
const INNER_AT = RECORD_AT + RECORD_HEADER_LENGTH
const BLOCK = INNER_AT + SMALL + TAG

const LABEL = 64

/**
 * Calls of OpenSSL that work on whole records, and on what stands at fixed addresses. Lengths are checked
 * here: a wrong one is overwritten memory.
 */
export type RecordCalls = ReturnType<typeof recordCalls>

/** @param libcrypto for what does not fit into the block */
export function recordCalls(bindings: Bindings, libcrypto: Libcrypto) {
  const { check, cipherInit, update, final, control, hmacInit, hmacUpdate, hmacFinal, clearErrors } = bindings
  const { address, bytes: block } = bindings.block(BLOCK)
  const record = new Scratch(block.subarray(RECORD_AT))
  const inner = new Scratch(block.subarray(INNER_AT))
  const [secretAt, nonceAt, lengthAt] = [address + SECRET_AT, address + NONCE_AT, address + LENGTH_AT]
  const [digestAt, ivDigestAt] = [address + DIGEST_AT, address + IV_DIGEST_AT]
  const [recordAt, innerAt] = [address + RECORD_AT, address + INNER_AT]
  let labels = 0

  // Pieces of keys are copied and wiped by calls: a loop takes 3 ns for a byte, and a call 30 in all.
  const wipe = (at: number, length: number): void => {
    block.fill(0, at, at + length)
  }
  const derived = new Scratch(block.subarray(DIGEST_AT, IV_DIGEST_AT))
  // For records that do not fit.
  const header = Uint8Array.of(ContentType.application_data, 3, 3, 0, 0)

  const openLarge = (
    context: Address,
    bytes: Uint8Array,
    at: number,
    length: number,
    allocate: Allocate,
  ): Opened | undefined => {
    const start = at + RECORD_HEADER_LENGTH
    libcrypto.authenticate(context, bytes.subarray(at, start))
    const fragment = bytes.subarray(start, start + length)
    const plaintext = libcrypto.open(context, fragment, allocate(length - TAG))
    if (plaintext === undefined) return undefined
    const end = contentEnd(plaintext, 0, plaintext.length)
    const content = plaintext.subarray(0, Math.max(0, end))
    return { type: end < 0 ? 0 : plaintext[end]!, content, length: plaintext.length }
  }

  return {
    /** Keeps a label for HMAC in the block. @param text as HMAC takes it */
    label(text: Uint8Array): Address {
      const at = LABELS_AT + LABEL * labels
      if (text.length > LABEL || at + LABEL > RECORD_AT) throw new RangeError('no room for this label')
      labels++
      block.set(text, at)
      return address + at
    },

    /** Derives key and iv of a secret (RFC 8446 §7.3): to the front of `keys`, and to `ivAt`. */
    deriveKeys(algorithms: TrafficAlgorithms, secret: Uint8Array, keys: Uint8Array, ivAt: number): void {
      const { hmacContext, digest, keyLength } = algorithms
      if (secret.length > LONGEST_SECRET) throw new RangeError(`a secret of ${secret.length} bytes`)
      if (keyLength > LONGEST_KEY || ivAt < keyLength || ivAt + NONCE > keys.length)
        throw new RangeError('no room for these keys')
      block.set(secret, SECRET_AT)
      check('HMAC_Init_ex', hmacInit(hmacContext, secretAt, secret.length, digest, 0))
      check('HMAC_Update', hmacUpdate(hmacContext, algorithms.keyLabel, algorithms.keyLabelLength))
      check('HMAC_Final', hmacFinal(hmacContext, digestAt, lengthAt))
      // Without a key: the one that it has.
      check('HMAC_Init_ex', hmacInit(hmacContext, 0, 0, 0, 0))
      check('HMAC_Update', hmacUpdate(hmacContext, algorithms.ivLabel, algorithms.ivLabelLength))
      check('HMAC_Final', hmacFinal(hmacContext, ivDigestAt, lengthAt))
      keys.set(derived.first(keyLength))
      for (let i = 0; i < NONCE; i++) keys[ivAt + i] = block[IV_DIGEST_AT + i]!
      // The context must not keep a secret that its session has given away; the next one is set over this.
      wipe(SECRET_AT, LONGEST_SECRET)
      wipe(DIGEST_AT, LABELS_AT - DIGEST_AT)
      check('HMAC_Init_ex', hmacInit(hmacContext, secretAt, 1, digest, 0))
    },

    /**
     * Begins a record. @param keyLength bytes of the key at the front of `keys`; 0: the context has it
     * @param ivAt where the iv stands in `keys`
     */
    begin(
      context: Address,
      keyLength: number,
      keys: Uint8Array,
      ivAt: number,
      sequenceNumber: number,
      sealing: boolean,
    ): void {
      if (keyLength > LONGEST_KEY) throw new RangeError(`a key of ${keyLength} bytes`)
      for (let i = 0; i < NONCE; i++) block[NONCE_AT + i] = keys[ivAt + i]!
      countInto(block, NONCE_AT, NONCE, sequenceNumber)
      for (let i = 0; i < keyLength; i++) block[SECRET_AT + i] = keys[i]!
      const keyAt = keyLength === 0 ? 0 : secretAt
      const status = cipherInit(context, 0, 0, keyAt, nonceAt, sealing ? 1 : 0)
      if (keyLength > 0) wipe(SECRET_AT, LONGEST_KEY)
      check('EVP_CipherInit_ex', status)
    },

    /** Overwrites the key of a context. */
    forget(context: Address, keyLength: number): void {
      if (keyLength > LONGEST_KEY) throw new RangeError(`a key of ${keyLength} bytes`)
      wipe(SECRET_AT, LONGEST_KEY)
      check('EVP_CipherInit_ex', cipherInit(context, 0, 0, secretAt, nonceAt, 1))
    },

    /** Ends a record that was begun for sealing, as {@link RecordCipher.seal}. */
    seal(
      context: Address,
      type: number,
      content: Uint8Array,
      padding: number,
      output: Uint8Array,
      at: number,
    ): void {
      const length = content.length + 1 + padding
      const whole = RECORD_HEADER_LENGTH + length + TAG
      if (!(at >= 0 && at + whole <= output.length)) throw new RangeError(`${whole} bytes do not fit`)
      if (length > SMALL) {
        header[3] = (length + TAG) >> 8
        header[4] = (length + TAG) & 0xff
        output.set(header, at)
        const tail = new Uint8Array(1 + padding)
        tail[0] = type
        libcrypto.authenticate(context, header)
        libcrypto.seal(context, content, tail, output, at + RECORD_HEADER_LENGTH)
        return
      }
      block[RECORD_AT] = ContentType.application_data
      block[RECORD_AT + 1] = block[RECORD_AT + 2] = 3
      block[RECORD_AT + 3] = (length + TAG) >> 8
      block[RECORD_AT + 4] = (length + TAG) & 0xff
      block.set(content, INNER_AT)
      block[INNER_AT + content.length] = type
      if (padding > 0) block.fill(0, INNER_AT + content.length + 1, INNER_AT + length)
      check('EVP_CipherUpdate', update(context, 0, lengthAt, recordAt, RECORD_HEADER_LENGTH))
      check('EVP_CipherUpdate', update(context, innerAt, lengthAt, innerAt, length))
      check('EVP_CipherFinal_ex', final(context, innerAt + length, lengthAt))
      check('EVP_CIPHER_CTX_ctrl', control(context, GET_TAG, TAG, innerAt + length))
      output.set(record.first(whole), at)
    },

    /** Ends a record that was begun for opening, as {@link RecordCipher.open}. */
    open(
      context: Address,
      bytes: Uint8Array,
      at: number,
      length: number,
      allocate: Allocate,
    ): Opened | undefined {
      const whole = RECORD_HEADER_LENGTH + length
      if (!(at >= 0 && at + whole <= bytes.length)) throw new RangeError(`no ${whole} bytes at ${at}`)
      const plain = length - TAG
      if (plain < 0) return undefined
      if (plain > SMALL) return openLarge(context, bytes, at, length, allocate)
      block.set(at === 0 && bytes.length === whole ? bytes : bytes.subarray(at, at + whole), RECORD_AT)
      let verified = false
      try {
        check('EVP_CipherUpdate', update(context, 0, lengthAt, recordAt, RECORD_HEADER_LENGTH))
        check('EVP_CIPHER_CTX_ctrl', control(context, SET_TAG, TAG, innerAt + plain))
        if (plain > 0) check('EVP_CipherUpdate', update(context, innerAt, lengthAt, innerAt, plain))
        verified = final(context, innerAt + plain, lengthAt) === 1
        if (!verified) return undefined
        const end = contentEnd(block, INNER_AT, plain)
        const content = end > 0 ? allocate(end) : EMPTY
        if (end > 0) content.set(inner.first(end))
        return { type: end < 0 ? 0 : block[INNER_AT + end]!, content, length: plain }
      } finally {
        block.fill(0, INNER_AT, INNER_AT + plain)
        if (!verified) clearErrors()
      }
    },
  }
}
