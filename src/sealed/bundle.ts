import {
  concat,
  DecodeError,
  decodeLent,
  encode,
  equal,
  fixed,
  opaque,
  rest,
  struct,
  type TypeOf,
  text,
  uint16,
  uint64,
  utf8,
} from '../wire/index.ts'
import { openChunks, sealChunks } from './chunks.ts'
import {
  DATA_KEY_LENGTH,
  DEFAULT_SUITE,
  deriveKey,
  HASH_LENGTH,
  type SealedCrypto,
  suiteOf,
} from './crypto.ts'
import { SealedError } from './error.ts'

/** The first bytes of every bundle; CR LF shows what a transfer as text has done to it. */
export const MAGIC = utf8('potato\r\n')

/** Of the layout below. */
export const BUNDLE_VERSION = 1

/** Most bytes of a bundle's clear content. */
export const MOST_CONTENT = 64 * 1024 * 1024

/** What can be read of a bundle without its data key, and be written only with it. */
export const BundleHeader = struct('BundleHeader', {
  /** A cipher suite of TLS 1.3 (RFC 8446 Appendix B.4) with a key of 32 bytes. */
  cipherSuite: uint16,
  name: text(1, 63),
  version: text(0, 255),
  /** Bytes of the clear content. */
  length: uint64,
  /** HMAC of the clear content: only who has the key can tell whether a guess is right. */
  digest: fixed(HASH_LENGTH),
  salt: fixed(HASH_LENGTH),
  /** Follows from the data key, so that no second key opens the bundle. */
  commitment: fixed(HASH_LENGTH),
})
export type BundleHeader = TypeOf<typeof BundleHeader>

/** A bundle, all of it. */
export const Bundle = struct('Bundle', {
  magic: fixed(MAGIC.length),
  formatVersion: uint16,
  header: BundleHeader,
  /** A file of age (age-encryption.org/v1), binary: the data key for each recipient; perhaps none. */
  wrappedKey: opaque(0, 2 ** 24 - 1),
  /** HMAC of all that stands before it. */
  headerTag: fixed(HASH_LENGTH),
  chunks: rest,
})
export type Bundle = TypeOf<typeof Bundle>

/** What a bundle is made of. */
export interface BundleParts {
  readonly name: string
  readonly version: string
  readonly content: Uint8Array
  readonly dataKey: Uint8Array
  /** As in {@link Bundle}. */
  readonly wrappedKey: Uint8Array
  /** As in {@link BundleHeader}. */
  readonly cipherSuite?: number
}

/** A fresh data key, in memory of its own. */
export function newDataKey({ random }: SealedCrypto): Uint8Array {
  return random(DATA_KEY_LENGTH)
}

/**
 * Seals content. A data key is for one bundle: the salt makes that certain even so.
 * @throws RangeError for a name, version or content that does not fit
 */
export function sealBundle(parts: BundleParts, crypto: SealedCrypto): Uint8Array {
  const { name, version, content, dataKey, wrappedKey, cipherSuite = DEFAULT_SUITE } = parts
  if (content.length > MOST_CONTENT) throw new RangeError(`a bundle holds at most ${MOST_CONTENT} bytes`)
  const suite = suiteOf(crypto, cipherSuite)
  const salt = crypto.random(HASH_LENGTH)
  const keyed = <T>(purpose: Parameters<typeof deriveKey>[3], use: (key: Uint8Array) => T): T => {
    const key = deriveKey(suite, dataKey, salt, purpose)
    const result = use(key)
    key.fill(0)
    return result
  }
  const header: BundleHeader = {
    cipherSuite,
    name,
    version,
    length: content.length,
    digest: keyed('digest', key => suite.hash.hmac(key, content, HASH_LENGTH)),
    salt,
    commitment: keyed('commitment', key => key.slice()),
  }
  const unsigned = { magic: MAGIC, formatVersion: BUNDLE_VERSION, header, wrappedKey }
  const nothing = new Uint8Array(HASH_LENGTH)
  const whole = encode(Bundle, { ...unsigned, headerTag: nothing, chunks: nothing.subarray(0, 0) })
  const front = whole.subarray(0, whole.length - HASH_LENGTH)
  const headerTag = keyed('header', key => suite.hash.hmac(key, front, HASH_LENGTH))
  return concat(
    front,
    headerTag,
    keyed('payload', key => sealChunks(suite.aead, key, content)),
  )
}

/**
 * Reads what can be read without a key. Nothing of it is verified yet. @throws SealedError `malformed`
 */
export function readBundle(bytes: Uint8Array): Bundle {
  if (!equal(bytes.subarray(0, MAGIC.length), MAGIC)) throw new SealedError('malformed', 'this is no bundle')
  const version = ((bytes[MAGIC.length] ?? 0) << 8) | (bytes[MAGIC.length + 1] ?? 0)
  if (version !== BUNDLE_VERSION) {
    const known = `this program reads version ${BUNDLE_VERSION}`
    throw new SealedError('malformed', `the bundle has version ${version} of the format; ${known}`)
  }
  try {
    return decodeLent(Bundle, bytes)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new SealedError('malformed', `the bundle breaks off or is garbled at byte ${error.offset}`)
  }
}

/** Whether that is the bundle's data key, in a time that does not depend on how wrong it is. */
export function fits({ header }: Bundle, dataKey: Uint8Array, crypto: SealedCrypto): boolean {
  if (dataKey.length !== DATA_KEY_LENGTH) return false
  const commitment = deriveKey(suiteOf(crypto, header.cipherSuite), dataKey, header.salt, 'commitment')
  return equal(commitment, header.commitment)
}

/**
 * For a key that an identity has unwrapped: the identity is right, so that another key is damage.
 * @throws SealedError `damaged`
 */
export function mustBeOf(bundle: Bundle, unwrapped: Uint8Array, crypto: SealedCrypto): void {
  if (fits(bundle, unwrapped, crypto)) return
  throw new SealedError('damaged', 'the bundle is damaged: its wrapped key is that of another bundle')
}

/**
 * Opens a bundle and verifies all of it.
 * @param bytes of the bundle
 * @returns its header, and its clear content in memory that no other thing shares, to be wiped
 * @throws SealedError
 */
export function openBundle(
  bytes: Uint8Array,
  dataKey: Uint8Array,
  crypto: SealedCrypto,
): { readonly header: BundleHeader; readonly content: Uint8Array } {
  const bundle = readBundle(bytes)
  const { header, headerTag, chunks } = bundle
  const suite = suiteOf(crypto, header.cipherSuite)
  if (!fits(bundle, dataKey, crypto)) throw new SealedError('wrong_key', 'this is not the key of the bundle')
  const front = bytes.subarray(0, bytes.length - chunks.length - HASH_LENGTH)
  const keys: Uint8Array[] = []
  const keyFor = (purpose: Parameters<typeof deriveKey>[3]): Uint8Array => {
    const key = deriveKey(suite, dataKey, header.salt, purpose)
    keys.push(key)
    return key
  }
  try {
    if (!equal(suite.hash.hmac(keyFor('header'), front, HASH_LENGTH), headerTag))
      throw new SealedError('damaged', 'the bundle is damaged: its header has been changed')
    if (header.length > MOST_CONTENT)
      throw new SealedError('malformed', `the bundle has more than ${MOST_CONTENT} bytes of content`)
    const content = openChunks(suite.aead, keyFor('payload'), chunks, header.length)
    if (equal(suite.hash.hmac(keyFor('digest'), content, HASH_LENGTH), header.digest))
      return { header, content }
    content.fill(0)
    throw new SealedError('damaged', 'the bundle is damaged: its content is not what was sealed')
  } finally {
    for (const key of keys) key.fill(0)
  }
}
