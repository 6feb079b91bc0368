import {
  AES_128_GCM,
  cipherControl,
  cipherFinal,
  cipherInit,
  cipherUpdate,
  HMAC,
  hmacFinal,
  hmacInit,
  hmacUpdate,
  newCipherContext,
  SHA_256,
} from './foreign.ts'
import { copy, slab } from './slab.ts'

/** Bytes of a traffic secret, of a tag and of a record's header. */
export const SECRET = 32
export const TAG = 16
export const HEADER = 5

// What stands where in a flow's slab; a hash is 32 bytes, of which key and iv are the beginning.
const SECRET_AT = 0
const KEY_AT = 32
const IV_AT = 64
const FLOW = 96

// The slab that all flows share: what OpenSSL writes beside the bytes, a nonce, two labels.
const LENGTH_AT = 0
const NONCE_AT = 16
const shared = slab(256)
const IV = 12
const lengthOut = shared.address + LENGTH_AT
const nonce = shared.address + NONCE_AT
const keyLabel = label(64, 'key', 16)
const ivLabel = label(128, 'iv', IV)

const GET_TAG = 0x10
const SET_TAG = 0x11

/**
 * One direction of traffic under TLS_AES_128_GCM_SHA256: a secret, the key and the iv that follow from it
 * (RFC 8446 §7.3), and the number of the next record (§5.3). All in one slab and one context of OpenSSL.
 */
export class Flow {
  /** The secret is its beginning. */
  readonly bytes: Uint8Array
  next = 0
  readonly #address: number
  readonly #context: number
  readonly #sealing: 0 | 1
  #keyed = false

  constructor(use: 'seal' | 'open') {
    const { address, bytes } = slab(FLOW)
    this.bytes = bytes
    this.#address = address
    this.#sealing = use === 'seal' ? 1 : 0
    this.#context = newCipherContext()
    cipherInit(this.#context, AES_128_GCM, 0, 0, 0, this.#sealing)
  }

  /** Takes a secret over and derives key and iv. @param next number of the next record */
  begin(from: Uint8Array, at: number, next: number): void {
    copy(from, at, this.bytes, SECRET_AT, SECRET)
    this.next = next
    this.#derive(keyLabel, KEY_AT)
    this.#derive(ivLabel, IV_AT)
    this.#keyed = false
  }

  /**
   * Seals in place. @param data address of what is authenticated alone @param at address of the plaintext;
   * behind it is room for a tag
   */
  seal(data: number, dataLength: number, at: number, length: number): void {
    this.#start()
    cipherUpdate(this.#context, 0, lengthOut, data, dataLength)
    cipherUpdate(this.#context, at, lengthOut, at, length)
    cipherFinal(this.#context, at + length, lengthOut)
    cipherControl(this.#context, GET_TAG, TAG, at + length)
  }

  /** Opens in place. @param length bytes without the tag @returns whether the tag is right */
  open(data: number, dataLength: number, at: number, length: number): boolean {
    this.#start()
    cipherUpdate(this.#context, 0, lengthOut, data, dataLength)
    cipherControl(this.#context, SET_TAG, TAG, at + length)
    cipherUpdate(this.#context, at, lengthOut, at, length)
    return cipherFinal(this.#context, lengthOut + 8, lengthOut) === 1
  }

  /** Secret, key and iv are gone; the context keeps its key until it is given the next one. */
  wipe(): void {
    this.bytes.fill(0)
  }

  /** The nonce is the iv with the record's number in its end (§5.3). */
  #start(): void {
    const { bytes } = shared
    copy(this.bytes, IV_AT, bytes, NONCE_AT, IV)
    let number = this.next++
    for (let at = NONCE_AT + IV - 1; number > 0; at--) {
      bytes[at]! ^= number & 0xff
      number = Math.floor(number / 256)
    }
    cipherInit(this.#context, 0, 0, this.#keyed ? 0 : this.#address + KEY_AT, nonce, this.#sealing)
    this.#keyed = true
  }

  /** HKDF-Expand-Label for at most one block: a single HMAC (RFC 5869 §2.3). */
  #derive(info: Label, to: number): void {
    hmacInit(HMAC, this.#address + SECRET_AT, SECRET, SHA_256, 0)
    hmacUpdate(HMAC, info.address, info.length)
    hmacFinal(HMAC, this.#address + to, lengthOut)
  }
}

interface Label {
  readonly address: number
  readonly length: number
}

/** Writes an HkdfLabel (§7.1) with an empty context, and the counter of the first block of HKDF behind it. */
function label(at: number, name: string, length: number): Label {
  const full = Buffer.from(`tls13 ${name}`, 'latin1')
  const info = [length >> 8, length & 0xff, full.length, ...full, 0, 1]
  shared.bytes.set(info, at)
  return { address: shared.address + at, length: info.length }
}
