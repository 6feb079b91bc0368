import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { sha256 as sha256Digest } from '@noble/hashes/sha2.js'
import { ECParameters, ECPrivateKey } from '@peculiar/asn1-ecc'
import { PrivateKeyInfo } from '@peculiar/asn1-pkcs8'
import { RSAPublicKey, RsaSaPssParams } from '@peculiar/asn1-rsa'
import { AsnConvert } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier, SubjectPublicKeyInfo } from '@peculiar/asn1-x509'
import { expect, it } from 'vitest'
import { parsePrivateKey, parsePublicKey } from '../../../src/tls13/crypto/keys.ts'
import { noble } from '../../../src/tls13/crypto/noble.ts'
import { node } from '../../../src/tls13/crypto/node.ts'
import { type RsaPrivateKey, signPss } from '../../../src/tls13/crypto/rsa.ts'
import { utf8 } from '../../../src/wire/index.ts'

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p256Public = p256.publicKey.export({ format: 'der', type: 'spki' })
const p256Private = p256.privateKey.export({ format: 'der', type: 'pkcs8' })
const rsaPublic = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
  format: 'der',
  type: 'spki',
})

const pssPair = generateKeyPairSync('rsa-pss', {
  modulusLength: 1024,
  hashAlgorithm: 'sha256',
  mgf1HashAlgorithm: 'sha256',
})
const pssPrivate = parsePrivateKey(
  new Uint8Array(pssPair.privateKey.export({ format: 'der', type: 'pkcs8' })),
) as RsaPrivateKey

const content = utf8('content')
const signature = signPss(pssPrivate, sha256Digest, noble.random, content)

function spkiOf(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }))
}

it('reads a point and a scalar of a NIST curve', () => {
  const jwk = p256.privateKey.export({ format: 'jwk' })
  const [d, x, y] = [jwk.d, jwk.x, jwk.y].map(part => Buffer.from(part!, 'base64url'))
  expect(parsePrivateKey(p256Private)).toEqual({ kind: 'ec', curve: 'secp256r1', scalar: new Uint8Array(d!) })
  expect(parsePublicKey(p256Public)).toEqual({
    kind: 'ec',
    curve: 'secp256r1',
    point: Uint8Array.of(4, ...x!, ...y!),
  })
})

it('reads keys of P-521, of the Edwards curves and of RSA under each identifier', () => {
  const kinds = [
    ['ec', 133, generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ['ed25519', 32, generateKeyPairSync('ed25519')],
    ['ed448', 57, generateKeyPairSync('ed448')],
  ] as const
  for (const [kind, length, { privateKey, publicKey }] of kinds) {
    const read = parsePublicKey(spkiOf(publicKey))
    expect(read).toMatchObject({ kind, point: spkiOf(publicKey).slice(-length) })
    const own = parsePrivateKey(new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' })))!
    expect(own.kind).toBe(kind)
    const secret = 'scalar' in own ? own.scalar : 'seed' in own ? own.seed : undefined
    expect(secret).toEqual(new Uint8Array(Buffer.from(privateKey.export({ format: 'jwk' }).d!, 'base64url')))
  }
  const { privateKey, publicKey } = pssPair
  const expected = { kind: 'rsa-pss', parameters: { hash: 'sha256', maskHash: 'sha256', saltLength: 32 } }
  expect(parsePublicKey(spkiOf(publicKey))).toMatchObject(expected)
  const own = parsePrivateKey(new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' })))
  expect(own).toMatchObject(expected)
  const free = generateKeyPairSync('rsa-pss', { modulusLength: 1024 }).publicKey
  expect(parsePublicKey(spkiOf(free))).toMatchObject({ kind: 'rsa-pss', parameters: undefined })
})

it('takes the parameters of RSASSA-PSS that OpenSSL writes, and reads no others', () => {
  const [sha256, sha512_256] = ['2.16.840.1.101.3.4.2.1', '2.16.840.1.101.3.4.2.6']
  const withParameters = (change: (parameters: RsaSaPssParams) => void): Uint8Array => {
    const spki = AsnConvert.parse(spkiOf(pssPair.publicKey), SubjectPublicKeyInfo)
    const parameters = AsnConvert.parse(spki.algorithm.parameters!, RsaSaPssParams)
    change(parameters)
    spki.algorithm.parameters = AsnConvert.serialize(parameters)
    return new Uint8Array(AsnConvert.serialize(spki))
  }
  const algorithm = (oid: string, parameters?: ArrayBuffer | null): AlgorithmIdentifier =>
    new AlgorithmIdentifier({ algorithm: oid, ...(parameters === undefined ? {} : { parameters }) })
  const mask = (oid: string, hash: AlgorithmIdentifier): AlgorithmIdentifier =>
    algorithm(oid, AsnConvert.serialize(hash))
  expect(withParameters(() => {})).toEqual(spkiOf(pssPair.publicKey))
  const cases: Readonly<Record<string, [(parameters: RsaSaPssParams) => void, object | undefined]>> = {
    'another salt': [p => Object.assign(p, { saltLength: 7 }), { saltLength: 7 }],
    'another hash, which no scheme has': [
      p => Object.assign(p, { hashAlgorithm: algorithm(sha512_256, null) }),
      { hash: sha512_256 },
    ],
    'a hash without NULL': [p => Object.assign(p, { hashAlgorithm: algorithm(sha256) }), undefined],
    'a mask hash without NULL': [
      p => Object.assign(p, { maskGenAlgorithm: mask('1.2.840.113549.1.1.8', algorithm(sha256)) }),
      undefined,
    ],
    'another mask generation function': [
      p => Object.assign(p, { maskGenAlgorithm: mask('1.2.840.113549.1.1.9', algorithm(sha256, null)) }),
      undefined,
    ],
    'another trailer': [p => Object.assign(p, { trailerField: 2 }), undefined],
  }
  for (const [what, [change, expected]] of Object.entries(cases)) {
    const key = parsePublicKey(withParameters(change))
    const parameters = key?.kind === 'rsa-pss' ? key.parameters : undefined
    if (expected === undefined) expect([what, key]).toEqual([what, undefined])
    else expect(parameters, what).toMatchObject(expected)
    agree(withParameters(change), what)
  }
})

it('both providers make the same of an RSASSA-PSS key in which any bit was changed', () => {
  const spki = spkiOf(pssPair.publicKey)
  const head = spki.length - 140 // what comes before the numbers
  for (let at = 0; at < head; at++) {
    for (let bit = 0; bit < 8; bit++) agree(spki.with(at, spki[at]! ^ (1 << bit)), `bit ${bit} of byte ${at}`)
  }
})

/**
 * Verifies a good signature of each scheme with the key: OpenSSL and our own reading say the same, and
 * neither throws.
 */
function agree(spki: Uint8Array, what: string): void {
  for (const { name, verify } of node.signatureAlgorithms.filter(one => one.name.startsWith('rsa_pss'))) {
    const other = noble.signatureAlgorithms.find(one => one.name === name)!
    const [a, b] = [verify(spki, content, signature), other.verify(spki, content, signature)]
    expect([what, name, a]).toEqual([what, name, b])
  }
}

it('takes points in uncompressed form alone', () => {
  for (const form of [0, 2, 3, 6, 7]) expect(parsePublicKey(p256Public.with(26, form))).toBeUndefined()
})

it('takes a private key whose two mentions of its curve agree, or that mentions it once', () => {
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

it('takes integers that are positive and in their shortest form alone', () => {
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

it('takes nothing that is cut at any byte', () => {
  for (let length = 0; length < p256Private.length; length++) {
    expect(parsePrivateKey(p256Private.subarray(0, length))).toBeUndefined()
  }
  for (let length = 0; length < rsaPublic.length; length++) {
    expect(parsePublicKey(rsaPublic.subarray(0, length))).toBeUndefined()
  }
})
