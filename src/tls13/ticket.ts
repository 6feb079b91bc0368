import {
  concat,
  DecodeError,
  decode,
  EMPTY,
  encode,
  equal,
  opaque,
  optional,
  secret,
  struct,
  type TypeOf,
  text,
  uint16,
  uint32,
  uint64,
  vector,
} from '../wire/index.ts'
import type { CryptoProvider, Random } from './crypto/provider.ts'

/** What the server writes into a ticket for itself (RFC 8446 §4.6.1). */
export const TicketContents = struct('TicketContents', {
  cipherSuite: uint16,
  psk: secret(opaque(32, 48)),
  /** Milliseconds since 1970. */
  issuedAt: uint64,
  /** Seconds. */
  lifetime: uint32,
  ageAdd: uint32,
  serverName: optional(text(1, 255)),
  alpn: optional(text(1, 255)),
  /** Bytes of early data that may come with it; 0: none. */
  maxEarlyData: uint32,
  /** Who the client had proved to be, DER: a resumption asks for no certificate. */
  peerCertificate: optional(opaque(1, 2 ** 24 - 1)),
  /** What it showed above that, to be judged again. */
  peerIntermediates: vector(opaque(1, 2 ** 24 - 1), 0, 2 ** 24 - 1),
})
export type TicketContents = TypeOf<typeof TicketContents>

/** Makes tickets that only their issuer can read. */
export interface TicketSealer {
  seal(contents: TicketContents, random: Random): Uint8Array
  /** undefined for anything that this sealer did not make. */
  open(ticket: Uint8Array): TicketContents | undefined
}

/** A key that tickets are sealed under, and the name by which a ticket tells which one it was. */
export interface TicketKey {
  /** 16 bytes. */
  readonly name: Uint8Array
  /** As long as the AEAD of the provider's first suite wants it. */
  readonly key: Uint8Array
}

const NAME_LENGTH = 16

/** A new random key. */
export function createTicketKey(provider: CryptoProvider): TicketKey {
  const { aead } = provider.cipherSuites[0]!
  return { name: provider.random(NAME_LENGTH), key: provider.random(aead.keyLength) }
}

/**
 * Self-encrypted tickets, as RFC 5077 §4 recommends: key name, nonce, sealed contents.
 * @param keys the first seals; all of them open, so a key can be retired gently
 * @param rules under what a ticket is issued, in any form: one that was issued under others is none
 */
export function createTicketSealer(
  provider: CryptoProvider,
  keys: readonly TicketKey[],
  rules: Uint8Array = EMPTY,
): TicketSealer {
  const { aead } = provider.cipherSuites[0]!
  const keyed = keys.map(({ name, key }) => ({ name, aead: aead.withKey(key) }))
  const [first] = keyed
  if (first === undefined) throw new TypeError('a ticket sealer needs a key')
  return {
    seal(contents, random) {
      const nonce = random(aead.ivLength)
      const bound = concat(first.name, rules)
      return concat(first.name, nonce, first.aead.seal(nonce, bound, encode(TicketContents, contents)))
    },
    open(ticket) {
      const name = ticket.subarray(0, NAME_LENGTH)
      const key = keyed.find(one => equal(one.name, name))
      if (key === undefined) return undefined
      const nonce = ticket.slice(NAME_LENGTH, NAME_LENGTH + aead.ivLength)
      if (nonce.length < aead.ivLength) return undefined
      const contents = key.aead.open(
        nonce,
        concat(key.name, rules),
        ticket.subarray(NAME_LENGTH + aead.ivLength),
      )
      if (contents === undefined) return undefined
      try {
        return decode(TicketContents, contents)
      } catch (error) {
        if (error instanceof DecodeError) return undefined
        throw error
      }
    },
  }
}
