import { invert, mod, pow } from '@noble/curves/abstract/modular.js'
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js'
import { concat, equal } from '../../wire/index.ts'
import type { Random } from './provider.ts'

/*
 * RSASSA-PSS (RFC 8017 §8.1) with MGF1 over the same hash and a salt as long as the hash, as RFC 8446 §4.2.3
 * wants it. Integers are bigints, whose arithmetic does not take constant time: signatures are blinded.
 */

/** A public key: 0 < `publicExponent`, an odd `modulus`. */
export interface RsaPublicKey {
  readonly modulus: bigint
  readonly publicExponent: bigint
}

/** A private key of two primes in the form of RFC 8017 Appendix A.1.2. */
export interface RsaPrivateKey extends RsaPublicKey {
  readonly prime1: bigint
  readonly prime2: bigint
  /** The private exponent modulo `prime1 - 1`, and modulo `prime2 - 1`. */
  readonly exponent1: bigint
  readonly exponent2: bigint
  /** The inverse of `prime2` modulo `prime1`. */
  readonly coefficient: bigint
}

/** A hash function and the length of its digest in bytes. */
export interface Digest {
  (data: Uint8Array): Uint8Array
  readonly outputLen: number
}

/**
 * Signs `content`; the signature is as long as the modulus. The modulus must hold hash and salt
 * (`RangeError`). A key whose parts do not fit together is an `Error`: a wrong signature over the Chinese
 * remainders would give a prime away.
 */
export function signPss(key: RsaPrivateKey, hash: Digest, random: Random, content: Uint8Array): Uint8Array {
  const { modulus, publicExponent } = key
  const encodedBits = bitLength(modulus) - 1
  const message = toInteger(encode(hash(content), random(hash.outputLen), hash, encodedBits))
  const blind = drawUnit(random, modulus)
  const blinded = (message * pow(blind, publicExponent, modulus)) % modulus
  const signature = (privateOperation(key, blinded) * invert(blind, modulus)) % modulus
  if (pow(signature, publicExponent, modulus) !== message) throw new Error('the RSA key is not consistent')
  return numberToBytesBE(signature, byteLength(modulus))
}

/** Whether `signature` is one of `content`. False for anything malformed. */
export function verifyPss(
  key: RsaPublicKey,
  hash: Digest,
  content: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { modulus, publicExponent } = key
  const encodedBits = bitLength(modulus) - 1
  if (modulus % 2n === 0n || signature.length !== byteLength(modulus)) return false
  const representative = toInteger(signature)
  if (representative >= modulus) return false
  const message = pow(representative, publicExponent, modulus)
  // the bits beyond the encoded message are zero: step 6 of EMSA-PSS-VERIFY, and step 2c of the signature's
  // own procedure
  if (bitLength(message) > encodedBits) return false
  return hasHash(numberToBytesBE(message, Math.ceil(encodedBits / 8)), hash(content), hash, encodedBits)
}

/** Bytes as an unsigned big-endian integer (OS2IP, RFC 8017 §4.2). */
export function toInteger(bytes: Uint8Array): bigint {
  return bytesToNumberBE(bytes)
}

/** Bits of a positive integer without its leading zeros; 0 for zero. */
export function bitLength(integer: bigint): number {
  return integer === 0n ? 0 : integer.toString(2).length
}

function byteLength(integer: bigint): number {
  return Math.ceil(bitLength(integer) / 8)
}

/** RSASP1 by the Chinese remainder theorem (RFC 8017 §5.2.1). */
function privateOperation(key: RsaPrivateKey, message: bigint): bigint {
  const { prime1, prime2, exponent1, exponent2, coefficient } = key
  const s1 = pow(message % prime1, exponent1, prime1)
  const s2 = pow(message % prime2, exponent2, prime2)
  return s2 + prime2 * mod((s1 - s2) * coefficient, prime1)
}

/**
 * A random number that has an inverse: nearly all have, and who finds one without has factored the modulus.
 */
function drawUnit(random: Random, modulus: bigint): bigint {
  // 8 bytes more than the modulus has make the bias of the reduction negligible
  return 1n + (toInteger(random(byteLength(modulus) + 8)) % (modulus - 1n))
}

/** EMSA-PSS-ENCODE (RFC 8017 §9.1.1) over a digest that was already made. */
function encode(digest: Uint8Array, salt: Uint8Array, hash: Digest, bits: number): Uint8Array {
  const length = Math.ceil(bits / 8)
  const padding = length - digest.length - salt.length - 2
  if (padding < 0) throw new RangeError(`${bits} bits do not hold hash and salt`)
  const h = hash(concat(new Uint8Array(8), digest, salt))
  const db = concat(new Uint8Array(padding), Uint8Array.of(1), salt)
  mask(db, h, hash)
  db[0]! &= 0xff >> (8 * length - bits)
  return concat(db, h, Uint8Array.of(0xbc))
}

/**
 * EMSA-PSS-VERIFY (RFC 8017 §9.1.2): masks off, compares the padding, and makes the hash again from
 * the salt.
 */
function hasHash(encoded: Uint8Array, digest: Uint8Array, hash: Digest, bits: number): boolean {
  const length = encoded.length
  const saltAt = length - 2 * digest.length - 1
  if (saltAt < 1 || encoded[length - 1] !== 0xbc) return false
  const db = encoded.slice(0, length - digest.length - 1)
  const h = encoded.subarray(length - digest.length - 1, length - 1)
  mask(db, h, hash)
  db[0]! &= 0xff >> (8 * length - bits)
  if (db.subarray(0, saltAt - 1).some(byte => byte !== 0) || db[saltAt - 1] !== 1) return false
  return equal(h, hash(concat(new Uint8Array(8), digest, db.subarray(saltAt))))
}

/** XORs MGF1 of `seed` (RFC 8017 Appendix B.2.1) into `data`. */
function mask(data: Uint8Array, seed: Uint8Array, hash: Digest): void {
  for (let at = 0, counter = 0; at < data.length; at += hash.outputLen, counter++) {
    // a counter of four bytes, of which the lengths of RSA keys need only the last
    const block = hash(concat(seed, Uint8Array.of(0, 0, 0, counter)))
    for (let i = 0; i < block.length && at + i < data.length; i++) data[at + i]! ^= block[i]!
  }
}
