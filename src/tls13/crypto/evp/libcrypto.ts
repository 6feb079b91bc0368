import { Scratch } from '../../../wire/index.ts'
import type { Address, Bindings } from './bindings.ts'

/**
 * OpenSSL's libcrypto as it is inside of this Node, by foreign calls. Lengths are checked here: a wrong one
 * is overwritten memory.
 *
 * Small arguments (keys, nonces, tags) go through one block of memory that never moves; large ones are passed
 * where they lie, which a synchronous call may do. Contexts and algorithms are addresses. No layout of any
 * struct is known here.
 */
export interface Libcrypto {
  /** The algorithm by OpenSSL's name, `AES-128-GCM` for instance. @throws Error if there is none */
  cipher(name: string): Address
  /** `SHA256` or `SHA384`. @throws Error if there is none */
  digest(name: string): Address

  /** A context for one cipher, without a key. @throws Error out of memory */
  newCipherContext(cipher: Address): Address
  /**
   * Begins a message. @param key given only to change it; as long as the cipher's are @param nonce 12 bytes
   */
  begin(context: Address, key: Uint8Array | undefined, nonce: Uint8Array, sealing: boolean): void
  /** Adds additional data. */
  authenticate(context: Address, data: Uint8Array): void
  /**
   * Ends a message that was begun for sealing: ciphertext and tag, `plaintext.length + tail.length + 16`
   * bytes, go to `output` at `at`, which overlaps neither.
   */
  seal(context: Address, plaintext: Uint8Array, tail: Uint8Array, output: Uint8Array, at: number): void
  /**
   * Ends a message that was begun for opening. @param sealed ciphertext and tag
   * @param memory for the plaintext, of just its length
   * @returns the plaintext in memory of its own, or undefined if the tag is wrong: all that was deciphered is
   * overwritten then
   */
  open(context: Address, sealed: Uint8Array, memory?: Uint8Array): Uint8Array | undefined

  /** @throws Error out of memory */
  newHmacContext(): Address
  /** HMAC (RFC 2104) with keys and data of any length. @param length bytes wanted of the digest */
  hmac(context: Address, digest: Address, key: Uint8Array, data: Uint8Array, length: number): Uint8Array
  /** @throws Error out of memory */
  newDigestContext(): Address
  /** @param length bytes of the digest */
  hash(context: Address, digest: Address, data: Uint8Array, length: number): Uint8Array
}

/** Bytes of a tag, and of a nonce, of all ciphers here. */
const TAG = 16
const NONCE = 12
const LONGEST_KEY = 64
const LONGEST_DIGEST = 64
/** What has up to so many bytes goes through the block: to copy it costs less than to pass an array. */
const SMALL = 512
/** OpenSSL takes an `int`; a round number below it. */
const LONGEST = 2 ** 30

// The block: what stands where, in bytes.
const KEY_AT = 0
const NONCE_AT = 64
const RESULT_LENGTH_AT = 80
const RESULT_AT = 96
const SMALL_AT = 256
const BLOCK = SMALL_AT + SMALL + TAG

const GET_TAG = 0x10
const SET_TAG = 0x11

/** Bytes up to which a loop is quicker than a call of `set()`. */
const FEW = 8

/** Calls of OpenSSL through one block of memory. */
export function libcryptoOf(bindings: Bindings): Libcrypto {
  const {
    check,
    failed,
    there,
    cipherFetch,
    cipherContextNew,
    cipherContextFree,
    cipherInit,
    update,
    updateFrom,
    updateBytes,
    final,
    control,
    digestFetch,
    digestContextNew,
    digestInit,
    digestUpdate,
    digestFinal,
    hmacContextNew,
    hmacInit,
    hmacInitFrom,
    hmacUpdate,
    hmacUpdateFrom,
    hmacFinal,
    clearErrors,
  } = bindings

  const { address: base, bytes: block } = bindings.block(BLOCK)
  const written = new Int32Array(block.buffer, RESULT_LENGTH_AT, 1)
  const key = base + KEY_AT
  const nonceAt = base + NONCE_AT
  const resultLength = base + RESULT_LENGTH_AT
  const result = base + RESULT_AT
  const small = base + SMALL_AT
  const smallViews = new Scratch(block.subarray(SMALL_AT))

  const put = (bytes: Uint8Array, at: number): void => {
    if (bytes.length > FEW) block.set(bytes, at)
    else for (let i = 0; i < bytes.length; i++) block[at + i] = bytes[i]!
  }
  const wipe = (at: number, length: number): void => {
    block.fill(0, at, at + length)
  }

  /** `output` has room for all of `input`. */
  const updateWhole = (context: Address, input: Uint8Array, output: Uint8Array): void => {
    if (input.length === 0) return
    if (output.length < input.length) throw new RangeError(`${input.length} bytes into ${output.length}`)
    check('EVP_CipherUpdate', updateBytes(context, output, resultLength, input, input.length))
    // A part that was not written would be zeros on the wire, or plaintext that the peer did not send.
    if (written[0] !== input.length) throw failed('EVP_CipherUpdate')
  }
  /** Opens a message that fits into the block, whose tag has been set. @param length bytes of plaintext */
  const openInBlock = (
    context: Address,
    sealed: Uint8Array,
    length: number,
    memory: Uint8Array | undefined,
  ): Uint8Array | undefined => {
    let verified = false
    try {
      // Its tag, too: a view without it costs more than to copy it.
      block.set(sealed, SMALL_AT)
      if (length > 0) check('EVP_CipherUpdate', update(context, small, resultLength, small, length))
      verified = final(context, result, resultLength) === 1
      if (!verified) return undefined
      if (memory === undefined) return block.slice(SMALL_AT, SMALL_AT + length)
      memory.set(smallViews.first(length))
      return memory
    } finally {
      block.fill(0, SMALL_AT, SMALL_AT + length)
      if (!verified) clearErrors()
    }
  }
  /** Ends a sealed message. @param tag an address with room for 16 bytes */
  const finish = (context: Address, tag: Address): void => {
    check('EVP_CipherFinal_ex', final(context, tag, resultLength))
    check('EVP_CIPHER_CTX_ctrl', control(context, GET_TAG, TAG, tag))
  }

  return {
    cipher: name => there(`EVP_CIPHER_fetch ${name}`, cipherFetch(0, name, 0)),
    digest: name => there(`EVP_MD_fetch ${name}`, digestFetch(0, name, 0)),

    newCipherContext(cipher) {
      const context = there('EVP_CIPHER_CTX_new', cipherContextNew())
      if (cipherInit(context, cipher, 0, 0, 0, 1) === 1) return context
      cipherContextFree(context)
      throw failed('EVP_CipherInit_ex')
    },

    begin(context, newKey, nonce, sealing) {
      if (checked(nonce) !== NONCE) throw new RangeError(`a nonce of ${nonce.length} bytes`)
      put(nonce, NONCE_AT)
      let keyAt = 0
      if (newKey !== undefined) {
        if (checked(newKey) > LONGEST_KEY) throw new RangeError(`a key of ${newKey.length} bytes`)
        put(newKey, KEY_AT)
        keyAt = key
      }
      const status = cipherInit(context, 0, 0, keyAt, nonceAt, sealing ? 1 : 0)
      if (keyAt !== 0) wipe(KEY_AT, LONGEST_KEY)
      check('EVP_CipherInit_ex', status)
    },

    authenticate(context, data) {
      const length = checked(data)
      if (length === 0) return
      if (length > SMALL) check('EVP_CipherUpdate', updateFrom(context, 0, resultLength, data, length))
      else {
        put(data, SMALL_AT)
        check('EVP_CipherUpdate', update(context, 0, resultLength, small, length))
      }
    },

    seal(context, plaintext, tail, output, at) {
      const length = checked(plaintext) + checked(tail)
      insistOnRoom(output, at, length + TAG)
      if (length <= SMALL) {
        put(plaintext, SMALL_AT)
        put(tail, SMALL_AT + plaintext.length)
        if (length > 0) check('EVP_CipherUpdate', update(context, small, resultLength, small, length))
        finish(context, small + length)
        output.set(smallViews.first(length + TAG), at)
        return
      }
      const room = at === 0 ? output : output.subarray(at)
      updateWhole(context, plaintext, room)
      if (tail.length > 0 && tail.length <= SMALL) {
        put(tail, SMALL_AT)
        check('EVP_CipherUpdate', update(context, small, resultLength, small, tail.length))
        const end = at + plaintext.length
        for (let i = 0; i < tail.length; i++) output[end + i] = block[SMALL_AT + i]!
      } else updateWhole(context, tail, room.subarray(plaintext.length))
      finish(context, result)
      for (let i = 0; i < TAG; i++) output[at + length + i] = block[RESULT_AT + i]!
    },

    open(context, sealed, memory) {
      const length = checked(sealed) - TAG
      if (length < 0) return undefined
      for (let i = 0; i < TAG; i++) block[RESULT_AT + i] = sealed[length + i]!
      check('EVP_CIPHER_CTX_ctrl', control(context, SET_TAG, TAG, result))
      if (memory !== undefined && checked(memory) !== length)
        throw new RangeError(`${length} bytes into ${memory.length}`)
      if (length <= SMALL) return openInBlock(context, sealed, length, memory)
      const plaintext = memory ?? new Uint8Array(length)
      let verified = false
      try {
        updateWhole(context, sealed.subarray(0, length), plaintext)
        verified = final(context, result, resultLength) === 1
        return verified ? plaintext : undefined
      } finally {
        if (!verified) {
          plaintext.fill(0)
          clearErrors()
        }
      }
    },

    newHmacContext: () => there('HMAC_CTX_new', hmacContextNew()),

    hmac(context, digest, secret, data, length) {
      if (length > LONGEST_DIGEST) throw new RangeError(`a digest of ${length} bytes`)
      if (checked(secret) > LONGEST_KEY) {
        check('HMAC_Init_ex', hmacInitFrom(context, secret, secret.length, digest, 0))
      } else {
        put(secret, KEY_AT)
        check('HMAC_Init_ex', hmacInit(context, key, secret.length, digest, 0))
      }
      if (checked(data) > SMALL) check('HMAC_Update', hmacUpdateFrom(context, data, data.length))
      else if (data.length > 0) {
        put(data, SMALL_AT)
        check('HMAC_Update', hmacUpdate(context, small, data.length))
      }
      check('HMAC_Final', hmacFinal(context, result, resultLength))
      const mac = block.slice(RESULT_AT, RESULT_AT + length)
      // The context must not keep a secret that its session has given away; the next one is set over this.
      wipe(KEY_AT, LONGEST_KEY)
      check('HMAC_Init_ex', hmacInit(context, key, 1, digest, 0))
      wipe(RESULT_AT, LONGEST_DIGEST)
      return mac
    },

    newDigestContext: () => there('EVP_MD_CTX_new', digestContextNew()),

    hash(context, digest, data, length) {
      if (length > LONGEST_DIGEST) throw new RangeError(`a digest of ${length} bytes`)
      check('EVP_DigestInit_ex', digestInit(context, digest, 0))
      if (checked(data) > 0) check('EVP_DigestUpdate', digestUpdate(context, data, data.length))
      check('EVP_DigestFinal_ex', digestFinal(context, result, resultLength))
      return block.slice(RESULT_AT, RESULT_AT + length)
    },
  }
}

/** The length of what will be passed by address: koffi takes numbers for addresses, too. */
function checked(bytes: Uint8Array): number {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('bytes must be a Uint8Array')
  const { length } = bytes
  if (length > LONGEST) throw new RangeError(`${length} bytes at once`)
  return length
}

/** The part of `output` that begins at `at`. @throws RangeError unless `length` bytes fit */
function insistOnRoom(output: Uint8Array, at: number, length: number): void {
  if (!Number.isInteger(at) || at < 0 || at + length > checked(output)) {
    throw new RangeError(`${length} bytes at ${at} do not fit into ${output.length}`)
  }
}
