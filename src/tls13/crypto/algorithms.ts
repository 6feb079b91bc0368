import { CipherSuiteId, NamedGroup, SignatureScheme } from '../codepoints.ts'
import type { AeadAlgorithm, CipherSuite, HashAlgorithm, KeyExchangeGroup, Random } from './provider.ts'

/*
 * What every provider has in common: numbers, names, lengths, limits, and the rules that say which keys and
 * key shares are good. A provider adds the arithmetic.
 */

/** A cipher suite's number, by its name. */
function suiteNamed<N extends keyof typeof CipherSuiteId>(name: N) {
  return { id: CipherSuiteId[name], name }
}

/** A group's number, by its name. */
export function groupNamed<N extends keyof typeof NamedGroup>(name: N) {
  return { id: NamedGroup[name], name }
}

/** A signature scheme's number, by its name. */
function schemeNamed<N extends keyof typeof SignatureScheme>(name: N) {
  return { scheme: SignatureScheme[name], name }
}

/** An AEAD without its arithmetic. The name is the one in IANA's AEAD registry; lengths in bytes. */
export type AeadParameters = Omit<AeadAlgorithm, 'withKey'>

/** 2^24.5 full-size records, rounded down (RFC 8446 §5.5). */
const GCM_LIMIT = Math.floor(2 ** 24.5)

/** AEAD_AES_128_GCM (RFC 5116 §5.1). */
export const AES_128_GCM: AeadParameters = {
  name: 'AEAD_AES_128_GCM',
  keyLength: 16,
  ivLength: 12,
  tagLength: 16,
  confidentialityLimit: GCM_LIMIT,
}

/** AEAD_AES_256_GCM (RFC 5116 §5.2). */
export const AES_256_GCM: AeadParameters = {
  name: 'AEAD_AES_256_GCM',
  keyLength: 32,
  ivLength: 12,
  tagLength: 16,
  confidentialityLimit: GCM_LIMIT,
}

/** AEAD_CHACHA20_POLY1305 (RFC 8439 §2.8): the sequence number runs out before the key wears out. */
export const CHACHA20_POLY1305: AeadParameters = {
  name: 'AEAD_CHACHA20_POLY1305',
  keyLength: 32,
  ivLength: 12,
  tagLength: 16,
  confidentialityLimit: Number.MAX_SAFE_INTEGER,
}

/** The arithmetic behind the three cipher suites. */
export interface CipherSuiteParts {
  readonly aes128Gcm: AeadAlgorithm
  readonly aes256Gcm: AeadAlgorithm
  readonly chacha20Poly1305: AeadAlgorithm
  readonly sha256: HashAlgorithm
  readonly sha384: HashAlgorithm
}

/** The cipher suites of RFC 8446 Appendix B.4, without the CCM ones. */
export function cipherSuites(parts: CipherSuiteParts): readonly CipherSuite[] {
  return [
    { ...suiteNamed('TLS_AES_128_GCM_SHA256'), aead: parts.aes128Gcm, hash: parts.sha256 },
    { ...suiteNamed('TLS_AES_256_GCM_SHA384'), aead: parts.aes256Gcm, hash: parts.sha384 },
    { ...suiteNamed('TLS_CHACHA20_POLY1305_SHA256'), aead: parts.chacha20Poly1305, hash: parts.sha256 },
  ]
}

/** Refuses, with a `RangeError`, a key of another length than the AEAD's. */
export function checkKey(aead: AeadParameters, key: Uint8Array): void {
  if (key.length !== aead.keyLength) {
    throw new RangeError(`${aead.name} takes a key of ${aead.keyLength} bytes, not ${key.length}`)
  }
}

/**
 * Refuses, with a `RangeError`, a nonce of another length than the 12 bytes that all AEADs of TLS 1.3 take.
 */
export function checkNonce(nonce: Uint8Array): void {
  if (nonce.length !== 12) throw new RangeError(`a nonce has 12 bytes, not ${nonce.length}`)
}

/** One private key of a Diffie-Hellman group, ready for use. */
export interface DiffieHellmanKey {
  /** The public key as it goes on the wire (RFC 8446 §4.2.8). */
  publicKey(): Uint8Array
  /**
   * @param peer of the group's length and, on a NIST curve, in uncompressed form; undefined if it is no good
   * key.
   */
  sharedSecret(peer: Uint8Array): Uint8Array | undefined
}

/** A Diffie-Hellman group without its arithmetic. Lengths in bytes. */
export interface GroupParameters {
  readonly id: number
  readonly name: string
  readonly privateKeyLength: number
  readonly keyExchangeLength: number
  /** The first byte that every key share has: 4 for the uncompressed points of RFC 8446 §4.2.8.2. */
  readonly firstByte?: number
  /** The bits of a private key's first byte that are the scalar's, where its order ends within that byte. */
  readonly firstByteMask?: number
}

/** X25519 (RFC 7748). */
export const X25519: GroupParameters = {
  ...groupNamed('x25519'),
  privateKeyLength: 32,
  keyExchangeLength: 32,
}

/** X448 (RFC 7748). */
export const X448: GroupParameters = {
  ...groupNamed('x448'),
  privateKeyLength: 56,
  keyExchangeLength: 56,
}

/** NIST P-256 (RFC 8446 §4.2.8.2). */
export const SECP256R1: GroupParameters = {
  ...groupNamed('secp256r1'),
  privateKeyLength: 32,
  keyExchangeLength: 65,
  firstByte: 4,
}

/** NIST P-384 (RFC 8446 §4.2.8.2). */
export const SECP384R1: GroupParameters = {
  ...groupNamed('secp384r1'),
  privateKeyLength: 48,
  keyExchangeLength: 97,
  firstByte: 4,
}

/** NIST P-521 (RFC 8446 §4.2.8.2), whose order has 521 bits. */
export const SECP521R1: GroupParameters = {
  ...groupNamed('secp521r1'),
  privateKeyLength: 66,
  keyExchangeLength: 133,
  firstByte: 4,
  firstByteMask: 0x01,
}

/**
 * A random scalar misses a NIST curve's order once in 2^32 draws or less, so a source that fails this often
 * is broken.
 */
const DRAWS = 16

/**
 * A key exchange group over Diffie-Hellman. Private keys come from `random` as they are (a NIST scalar is
 * big-endian), but for the bits above the order of P-521, which are cleared. They are drawn again when out of
 * range; a `random` that never yields a good one is an `Error`.
 *
 * @param open reads a private key of `privateKeyLength` bytes; undefined if it is out of range
 */
export function diffieHellmanGroup(
  group: GroupParameters,
  open: (privateKey: Uint8Array) => DiffieHellmanKey | undefined,
): KeyExchangeGroup {
  const { id, name, privateKeyLength, keyExchangeLength, firstByte, firstByteMask = 0xff } = group
  const wellFormed = (peer: Uint8Array): boolean =>
    peer.length === keyExchangeLength && (firstByte === undefined || peer[0] === firstByte)
  const draw = (random: Random): { privateKey: Uint8Array; key: DiffieHellmanKey } => {
    for (let i = 0; i < DRAWS; i++) {
      const privateKey = drawBytes(random, privateKeyLength)
      // without this, all but one in 128 draws for P-521 would be out of range
      privateKey[0]! &= firstByteMask
      const key = open(privateKey)
      if (key !== undefined) return { privateKey, key }
    }
    throw new Error(`the random source yields no private key of ${name}`)
  }
  return {
    id,
    name,
    generate(random) {
      const { privateKey, key } = draw(random)
      return { privateKey, keyExchange: key.publicKey() }
    },
    respond(random, peerKeyExchange) {
      if (!wellFormed(peerKeyExchange)) return undefined
      const { key } = draw(random)
      const sharedSecret = key.sharedSecret(peerKeyExchange)
      return sharedSecret && { keyExchange: key.publicKey(), sharedSecret }
    },
    complete(privateKey, peerKeyExchange) {
      const key = privateKey.length === privateKeyLength ? open(privateKey) : undefined
      if (key === undefined) throw new RangeError(`not a private key of ${name}`)
      return wellFormed(peerKeyExchange) ? key.sharedSecret(peerKeyExchange) : undefined
    },
  }
}

/**
 * Random bytes as a private key takes them. A `random` that gives another number of bytes is a `RangeError`.
 */
export function drawBytes(random: Random, length: number): Uint8Array {
  const bytes = random(length)
  if (bytes.length !== length) throw new RangeError(`asked for ${length} random bytes, got ${bytes.length}`)
  return bytes
}

/** A NIST curve by its name in RFC 8446. */
export type NistCurve = 'secp256r1' | 'secp384r1' | 'secp521r1'

/** An ECDSA scheme without its arithmetic. */
export interface EcdsaScheme {
  readonly scheme: number
  readonly name: string
  readonly curve: NistCurve
  readonly hash: 'sha256' | 'sha384' | 'sha512'
}

/** An EdDSA scheme without its arithmetic. Its name is the curve's, too. */
export interface EddsaScheme {
  readonly scheme: number
  readonly name: 'ed25519' | 'ed448'
}

/** An RSASSA-PSS scheme without its arithmetic. */
export interface RsaPssScheme {
  readonly scheme: number
  readonly name: string
  /** Which keys it is for: those under rsaEncryption, or those under id-RSASSA-PSS (RFC 4055). */
  readonly key: 'rsa' | 'rsa-pss'
  readonly hash: 'sha256' | 'sha384' | 'sha512'
  /** Bytes of the hash, and so of the salt (RFC 8446 §4.2.3). */
  readonly hashLength: number
}

/** The ECDSA schemes of RFC 8446 §4.2.3: in TLS 1.3 the scheme binds the curve. */
export const ECDSA: readonly EcdsaScheme[] = [
  { ...schemeNamed('ecdsa_secp256r1_sha256'), curve: 'secp256r1', hash: 'sha256' },
  { ...schemeNamed('ecdsa_secp384r1_sha384'), curve: 'secp384r1', hash: 'sha384' },
  { ...schemeNamed('ecdsa_secp521r1_sha512'), curve: 'secp521r1', hash: 'sha512' },
]

/** EdDSA (RFC 8032) under its numbers in RFC 8446 §4.2.3. The context of Ed448 is empty. */
export const EDDSA: readonly EddsaScheme[] = [{ ...schemeNamed('ed25519') }, { ...schemeNamed('ed448') }]

/** The RSASSA-PSS schemes of RFC 8446 §4.2.3, first those for rsaEncryption keys. */
export const RSA_PSS: readonly RsaPssScheme[] = [
  { ...schemeNamed('rsa_pss_rsae_sha256'), key: 'rsa', hash: 'sha256', hashLength: 32 },
  { ...schemeNamed('rsa_pss_rsae_sha384'), key: 'rsa', hash: 'sha384', hashLength: 48 },
  { ...schemeNamed('rsa_pss_rsae_sha512'), key: 'rsa', hash: 'sha512', hashLength: 64 },
  { ...schemeNamed('rsa_pss_pss_sha256'), key: 'rsa-pss', hash: 'sha256', hashLength: 32 },
  { ...schemeNamed('rsa_pss_pss_sha384'), key: 'rsa-pss', hash: 'sha384', hashLength: 48 },
  { ...schemeNamed('rsa_pss_pss_sha512'), key: 'rsa-pss', hash: 'sha512', hashLength: 64 },
]

/**
 * Whether an RSA key may be used with a scheme: a modulus of 1024 to 8192 bits that holds hash and salt (RFC
 * 8017 §9.1.1), and an odd public exponent below 2^64. The upper bounds keep a peer's key from
 * costing seconds.
 */
export function acceptableRsaKey(scheme: RsaPssScheme, modulusBits: number, publicExponent: bigint): boolean {
  return (
    modulusBits >= 1024 &&
    modulusBits <= 8192 &&
    Math.ceil((modulusBits - 1) / 8) >= 2 * scheme.hashLength + 2 &&
    publicExponent >= 3n &&
    publicExponent < 1n << 64n &&
    publicExponent % 2n === 1n
  )
}

/**
 * What a key under id-RSASSA-PSS may be used for, if it says so (RSASSA-PSS-params of RFC 4055 §3.1).
 */
export interface PssParameters {
  /** Names like those of `RsaPssScheme`, or anything else for a hash that no scheme has. */
  readonly hash: string
  readonly maskHash: string
  /** The least that a salt may have, in bytes (RFC 4055 §3.3). */
  readonly saltLength: number
}

/** Whether a key with these parameters, or with none and so no restriction, may be used with a scheme. */
export function acceptablePssParameters(
  scheme: RsaPssScheme,
  parameters: PssParameters | undefined,
): boolean {
  return (
    parameters === undefined ||
    (parameters.hash === scheme.hash &&
      parameters.maskHash === scheme.hash &&
      parameters.saltLength >= 0 &&
      parameters.saltLength <= scheme.hashLength)
  )
}
