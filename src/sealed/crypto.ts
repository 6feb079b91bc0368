import { CipherSuiteId } from '../tls13/codepoints.ts'
import type { CipherSuite, CryptoProvider } from '../tls13/crypto/provider.ts'
import { hkdfExpand, hkdfExtract } from '../tls13/key-schedule.ts'
import { utf8 } from '../wire/index.ts'
import { SealedError } from './error.ts'

/** What sealing takes of a provider: an AEAD and a hash under one number, and chance. */
export type SealedCrypto = Pick<CryptoProvider, 'cipherSuites' | 'random'>

/** Bytes of a data key. */
export const DATA_KEY_LENGTH = 32

/** Bytes of a salt, a commitment, a digest and a tag over a header. */
export const HASH_LENGTH = 32

/** What new bundles are sealed with. */
export const DEFAULT_SUITE = CipherSuiteId.TLS_AES_256_GCM_SHA384

/** @throws SealedError the provider has no such suite, or its key has another length */
export function suiteOf(crypto: SealedCrypto, id: number): CipherSuite {
  const suite = crypto.cipherSuites.find(one => one.id === id && one.aead.keyLength === DATA_KEY_LENGTH)
  if (suite !== undefined) return suite
  const number = `0x${id.toString(16).padStart(4, '0')}`
  throw new SealedError('malformed', `the bundle is sealed with the cipher suite ${number}, not known here`)
}

/** What a data key gives: one key for each purpose, 32 bytes each. */
export type Purpose = 'commitment' | 'header' | 'digest' | 'payload' | 'store' | 'names'

/**
 * Derives a key from a data key (HKDF, RFC 5869). @param salt of the bundle
 * @returns memory of the caller's, to be wiped
 */
export function deriveKey(
  { hash }: CipherSuite,
  dataKey: Uint8Array,
  salt: Uint8Array,
  purpose: Purpose,
): Uint8Array {
  const main = hkdfExtract(hash, salt, dataKey)
  try {
    return hkdfExpand(hash, main, utf8(`hotpotato bundle v1 ${purpose}`), HASH_LENGTH)
  } finally {
    main.fill(0)
  }
}
