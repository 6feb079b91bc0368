import { fromHex } from '../../wire/index.ts'
import { type DiffieHellmanKey, diffieHellmanGroup, type GroupParameters, groupNamed } from './algorithms.ts'
import type { KeyExchangeGroup } from './provider.ts'

/*
 * Diffie-Hellman over finite fields (RFC 7919): what every provider has in common. Shares and secrets are as
 * long as the prime, with zeros in front (RFC 8446 §4.2.8.1, §7.4.1).
 */

/** A group over a finite field, without its arithmetic. The generator is 2. */
export interface FiniteField extends GroupParameters {
  /** Its prime; computed when it is first asked for, within 2 ms. */
  readonly prime: () => bigint
}

/**
 * RFC 7919 Appendix A. A private key is as long as §5.2 wants it, in whole bytes: one as long as the prime
 * would cost its owner ten times as much, and make no attack harder.
 */
export const FFDHE2048 = finiteField('ffdhe2048', 2048, 560_316n, 29)
export const FFDHE3072 = finiteField('ffdhe3072', 3072, 2_625_351n, 35)
export const FFDHE4096 = finiteField('ffdhe4096', 4096, 5_736_041n, 41)
export const FFDHE6144 = finiteField('ffdhe6144', 6144, 15_705_020n, 47)
export const FFDHE8192 = finiteField('ffdhe8192', 8192, 10_965_728n, 50)

/** A provider's groups over finite fields, by what they cost. */
export interface FiniteFieldGroups {
  readonly groups: readonly KeyExchangeGroup[]
  readonly costlyGroups: readonly KeyExchangeGroup[]
}

/**
 * The five groups of RFC 7919. The larger three are costly: a client has them at no price, if it does not
 * care for the secret, and a server at 5 to 20 ms.
 * @param open binds a private key, which is not zero; shares that its `sharedSecret` gets are in range
 */
export function finiteFieldGroups(
  open: (field: FiniteField, privateKey: Uint8Array) => DiffieHellmanKey,
): FiniteFieldGroups {
  const group = (field: FiniteField): KeyExchangeGroup =>
    diffieHellmanGroup(field, privateKey => {
      if (privateKey.every(byte => byte === 0)) return undefined
      const key = open(field, privateKey)
      return {
        publicKey: () => key.publicKey(),
        sharedSecret: peer => (inRange(peer, field.prime()) ? key.sharedSecret(peer) : undefined),
      }
    })
  return {
    groups: [FFDHE2048, FFDHE3072].map(group),
    costlyGroups: [FFDHE4096, FFDHE6144, FFDHE8192].map(group),
  }
}

/** A big-endian integer. */
export function integerOf(bytes: Uint8Array): bigint {
  let digits = '0x0'
  for (const byte of bytes) digits += byte.toString(16).padStart(2, '0')
  return BigInt(digits)
}

/** An integer as so many bytes, big-endian. */
export function bytesOf(value: bigint, length: number): Uint8Array {
  return fromHex(value.toString(16).padStart(2 * length, '0'))
}

/** RFC 8446 §4.2.8.1: 1 < Y < p - 1 leaves no small subgroup, because p is a safe prime. */
function inRange(share: Uint8Array, prime: bigint): boolean {
  const y = integerOf(share)
  return y > 1n && y < prime - 1n
}

function finiteField(
  name: Parameters<typeof groupNamed>[0],
  bits: number,
  x: bigint,
  privateKeyLength: number,
): FiniteField {
  let prime: bigint | undefined
  return {
    ...groupNamed(name),
    privateKeyLength,
    keyExchangeLength: bits / 8,
    prime: () => {
      prime ??= primeOf(bits, x)
      return prime
    },
  }
}

/** p = 2^b - 2^(b-64) + (⌊2^(b-130) e⌋ + x) 2^64 - 1 (RFC 7919 Appendix A). */
function primeOf(bits: number, x: bigint): bigint {
  const b = BigInt(bits)
  return (1n << b) - (1n << (b - 64n)) + ((eTimesTwoTo(b - 130n) + x) << 64n) - 1n
}

/** ⌊2^exponent e⌋ by the series 1 + 1/1! + 1/2! + …, with 64 bits more than are wanted. */
function eTimesTwoTo(exponent: bigint): bigint {
  let sum = 0n
  for (let term = 1n << (exponent + 64n), n = 1n; term > 0n; n++) {
    sum += term
    term /= n
  }
  return sum >> 64n
}
