import { constants, generateKeyPairSync, type KeyObject, privateEncrypt, publicDecrypt } from 'node:crypto'
import { sha256 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { acceptableRsaKey, RSA_PSS } from '../../../src/tls13/crypto/algorithms.ts'
import { parsePrivateKey } from '../../../src/tls13/crypto/keys.ts'
import { noble } from '../../../src/tls13/crypto/noble.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import {
  bitLength,
  type RsaPrivateKey,
  signPss,
  toInteger,
  verifyPss,
} from '../../../src/tls13/crypto/rsa.ts'
import { fromHex, utf8 } from '../../../src/wire/index.ts'

const content = utf8('content')
const random = noble.random

describe.each([1024, 1025, 1031, 2048])('a modulus of %i bits', bits => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits })
  const key = parse(privateKey)
  const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
  const length = Math.ceil(bits / 8)
  const verifiers = [node, noble].map(provider => {
    const algorithm = provider.signatureAlgorithms.find(({ name }) => name === 'rsa_pss_rsae_sha256')!
    return (signature: Uint8Array): boolean => algorithm.verify(spki, content, signature)
  })

  it('signs and verifies', () => {
    expect(bitLength(key.modulus)).toBe(bits)
    const signature = signPss(key, sha256, random, content)
    expect(signature.length).toBe(length)
    expect(verifyPss(key, sha256, content, signature)).toBe(true)
  })

  // where the modulus fills its bytes, few signatures leave room for it
  if (bits % 8 !== 0)
    it('refuses a signature that is not below the modulus', () => {
      const fits = search(() => {
        const sum = toInteger(signPss(key, sha256, random, content)) + key.modulus
        return bitLength(sum) <= 8 * length ? sum : undefined
      })
      for (const verify of verifiers) expect(verify(toBytes(fits!, length))).toBe(false)
    })

  it('refuses an encoded message with a bit too many, which the mask would hide', () => {
    const top = 1n << BigInt(bits - 1)
    const raw = { key: privateKey, padding: constants.RSA_NO_PADDING }
    const message = search(() => {
      const sum = toInteger(publicDecrypt(raw, signPss(key, sha256, random, content))) + top
      return sum < key.modulus ? sum : undefined
    })
    const forged = new Uint8Array(privateEncrypt(raw, toBytes(message!, length)))
    for (const verify of verifiers) expect(verify(forged)).toBe(false)
    const plain = new Uint8Array(privateEncrypt(raw, toBytes(message! - top, length)))
    for (const verify of verifiers) expect(verify(plain)).toBe(true)
  })

  it('gives no signature away if the parts of the key do not fit together', () => {
    for (const part of ['exponent1', 'exponent2', 'coefficient'] as const) {
      const broken = { ...key, [part]: key[part] ^ 2n }
      expect(() => signPss(broken, sha256, random, content)).toThrow(/not consistent/)
    }
  })
})

it('a modulus that does not hold hash and salt is a RangeError', () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 520 })
  expect(() => signPss(parse(privateKey), sha256, random, content)).toThrow(RangeError)
})

it('which RSA keys are taken', () => {
  const [sha256Scheme, , sha512Scheme] = RSA_PSS
  const taken = (bits: number, exponent: bigint, scheme = sha256Scheme!): boolean =>
    acceptableRsaKey(scheme, bits, exponent)
  expect([1023, 1024, 8192, 8193].map(bits => taken(bits, 65537n))).toEqual([false, true, true, false])
  expect([0n, 1n, 2n, 3n, 65536n, 65537n].map(e => taken(2048, e))).toEqual([
    false,
    false,
    false,
    true,
    false,
    true,
  ])
  expect([(1n << 64n) - 1n, (1n << 64n) + 1n].map(e => taken(2048, e))).toEqual([true, false])
  expect([1024, 1033, 1034].map(bits => taken(bits, 3n, sha512Scheme))).toEqual([false, false, true])
})

it('integers', () => {
  expect(toInteger(fromHex('0102'))).toBe(258n)
  expect([0n, 1n, 255n, 256n].map(bitLength)).toEqual([0, 1, 8, 9])
})

function parse(privateKey: KeyObject): RsaPrivateKey {
  const key = parsePrivateKey(new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' })))
  if (key?.kind !== 'rsa') throw new Error('not an RSA key')
  return key
}

/** The first result of many tries, each with a new salt; undefined if none has one. */
function search(attempt: () => bigint | undefined): bigint | undefined {
  for (let i = 0; i < 300; i++) {
    const found = attempt()
    if (found !== undefined) return found
  }
  return undefined
}

function toBytes(integer: bigint, length: number): Uint8Array {
  return fromHex(integer.toString(16).padStart(2 * length, '0'))
}
