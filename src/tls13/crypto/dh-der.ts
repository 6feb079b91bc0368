import { concat, fromHex } from '../../wire/index.ts'

/*
 * Keys of Diffie-Hellman over a finite field as DER (PKCS #3 §9, RFC 5208): the one form in which
 * node:crypto takes them. Integers are big-endian, of any length, with or without zeros in front.
 */

/** dhKeyAgreement (1.2.840.113549.1.3.1). */
const IDENTIFIER = fromHex('06092a864886f70d010301')
const GENERATOR = Uint8Array.of(2)
const VERSION = Uint8Array.of(0)

const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const SEQUENCE = 0x30

/** The algorithm of all keys under one prime. */
export function dhAlgorithm(prime: Uint8Array): Uint8Array {
  return element(SEQUENCE, IDENTIFIER, element(SEQUENCE, integer(prime), integer(GENERATOR)))
}

/** A PrivateKeyInfo. */
export function dhPrivateKey(algorithm: Uint8Array, key: Uint8Array): Uint8Array {
  return element(SEQUENCE, integer(VERSION), algorithm, element(OCTET_STRING, integer(key)))
}

/** A SubjectPublicKeyInfo. */
export function dhPublicKey(algorithm: Uint8Array, key: Uint8Array): Uint8Array {
  return element(SEQUENCE, algorithm, element(BIT_STRING, Uint8Array.of(0), integer(key)))
}

function integer(bytes: Uint8Array): Uint8Array {
  let from = 0
  while (from < bytes.length - 1 && bytes[from] === 0) from++
  const shortest = bytes.subarray(from)
  return element(INTEGER, shortest[0]! < 0x80 ? shortest : concat(Uint8Array.of(0), shortest))
}

/** @param parts at most 65,535 bytes together */
function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concat(...parts)
  const { length } = content
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return concat(Uint8Array.of(tag, ...head), content)
}
