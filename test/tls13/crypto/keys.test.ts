import { generateKeyPairSync } from 'node:crypto'
import { ECParameters, ECPrivateKey } from '@peculiar/asn1-ecc'
import { PrivateKeyInfo } from '@peculiar/asn1-pkcs8'
import { RSAPublicKey } from '@peculiar/asn1-rsa'
import { AsnConvert } from '@peculiar/asn1-schema'
import { SubjectPublicKeyInfo } from '@peculiar/asn1-x509'
import { expect, test } from 'vitest'
import { parsePrivateKey, parsePublicKey } from '../../../src/tls13/crypto/keys.ts'

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p256Public = p256.publicKey.export({ format: 'der', type: 'spki' })
const p256Private = p256.privateKey.export({ format: 'der', type: 'pkcs8' })
const rsaPublic = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
  format: 'der',
  type: 'spki',
})

test('reads a point and a scalar of a NIST curve', () => {
  const jwk = p256.privateKey.export({ format: 'jwk' })
  const [d, x, y] = [jwk.d, jwk.x, jwk.y].map(part => Buffer.from(part!, 'base64url'))
  expect(parsePrivateKey(p256Private)).toEqual({ kind: 'ec', curve: 'secp256r1', scalar: new Uint8Array(d!) })
  expect(parsePublicKey(p256Public)).toEqual({
    kind: 'ec',
    curve: 'secp256r1',
    point: Uint8Array.of(4, ...x!, ...y!),
  })
})

test('takes points in uncompressed form alone', () => {
  for (const form of [0, 2, 3, 6, 7]) expect(parsePublicKey(p256Public.with(26, form))).toBeUndefined()
})

test('takes a private key whose two mentions of its curve agree, or that mentions it once', () => {
  const info = AsnConvert.parse(p256Private, PrivateKeyInfo)
  const key = AsnConvert.parse(info.privateKey.buffer, ECPrivateKey)
  const withCurve = (namedCurve: string | undefined): Uint8Array => {
    key.parameters = namedCurve === undefined ? undefined! : new ECParameters({ namedCurve })
    info.privateKey.buffer = AsnConvert.serialize(key)
    return new Uint8Array(AsnConvert.serialize(info))
  }
  expect(parsePrivateKey(withCurve(undefined))?.kind).toBe('ec')
  expect(parsePrivateKey(withCurve('1.2.840.10045.3.1.7'))?.kind).toBe('ec')
  expect(parsePrivateKey(withCurve('1.3.132.0.34'))).toBeUndefined()
})

test('takes integers that are positive and in their shortest form alone', () => {
  const spki = AsnConvert.parse(rsaPublic, SubjectPublicKeyInfo)
  const withExponent = (...bytes: number[]): Uint8Array => {
    const key = AsnConvert.parse(spki.subjectPublicKey, RSAPublicKey)
    key.publicExponent = Uint8Array.from(bytes).buffer
    const changed = new SubjectPublicKeyInfo({ ...spki, subjectPublicKey: AsnConvert.serialize(key) })
    return new Uint8Array(AsnConvert.serialize(changed))
  }
  expect(parsePublicKey(withExponent(1, 0, 1))).toMatchObject({ kind: 'rsa', publicExponent: 65537n })
  expect(parsePublicKey(withExponent(0, 0x81))).toMatchObject({ publicExponent: 129n })
  expect(parsePublicKey(withExponent(0, 1, 0, 1))).toBeUndefined()
  expect(parsePublicKey(withExponent(0x81, 1))).toBeUndefined()
  expect(parsePublicKey(withExponent())).toBeUndefined()
})

test('takes nothing that is cut at any byte', () => {
  for (let length = 0; length < p256Private.length; length++) {
    expect(parsePrivateKey(p256Private.subarray(0, length))).toBeUndefined()
  }
  for (let length = 0; length < rsaPublic.length; length++) {
    expect(parsePublicKey(rsaPublic.subarray(0, length))).toBeUndefined()
  }
})
