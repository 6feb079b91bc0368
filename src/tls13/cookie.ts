import {
  concat,
  DecodeError,
  decode,
  encode,
  opaque,
  optional,
  struct,
  type TypeOf,
  uint16,
  uint64,
} from '../wire/index.ts'
import type { CryptoProvider, Random } from './crypto/provider.ts'

/**
 * What a server wants to remember of a client that it sent back, without remembering anything (RFC 8446
 * §4.2.2).
 */
export const CookieContents = struct('CookieContents', {
  /** Of the first ClientHello. */
  clientHelloHash: opaque(32, 48),
  cipherSuite: uint16,
  /** The group that a key share was asked for. */
  selectedGroup: optional(uint16),
  /** Milliseconds since 1970. */
  issuedAt: uint64,
})
export type CookieContents = TypeOf<typeof CookieContents>

/** Makes cookies that only their maker can read. */
export interface CookieSealer {
  seal(contents: CookieContents, random: Random): Uint8Array
  /** undefined for anything that this sealer did not make, or made too long ago. */
  open(cookie: Uint8Array, now: number): CookieContents | undefined
}

/** Milliseconds that a client has to come back. */
const LIFETIME = 30_000

/** @param key as long as the AEAD of the provider's first suite wants it */
export function createCookieSealer(provider: CryptoProvider, key: Uint8Array): CookieSealer {
  const { aead } = provider.cipherSuites[0]!
  const keyed = aead.withKey(key)
  return {
    seal(contents, random) {
      const nonce = random(aead.ivLength)
      return concat(nonce, keyed.seal(nonce, LABEL, encode(CookieContents, contents)))
    },
    open(cookie, now) {
      if (cookie.length < aead.ivLength) return undefined
      const opened = keyed.open(cookie.slice(0, aead.ivLength), LABEL, cookie.subarray(aead.ivLength))
      if (opened === undefined) return undefined
      try {
        const contents = decode(CookieContents, opened)
        return now - contents.issuedAt <= LIFETIME ? contents : undefined
      } catch (error) {
        if (error instanceof DecodeError) return undefined
        throw error
      }
    },
  }
}

const LABEL = new TextEncoder().encode('hotpotato cookie')
