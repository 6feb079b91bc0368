import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CryptoProvider, SignatureAlgorithm } from '../../src/tls13/crypto/provider.ts'
import { concat, fromHex, utf8 } from '../../src/wire/index.ts'
import { keyPair, pairs, providers } from './providers.ts'

const keys = {
  p256: keyPair('p256'),
  p384: keyPair('p384'),
  p521: keyPair('p521'),
  ed25519: keyPair('ed25519'),
  x25519: keyPair('x25519'),
  rsa1024: keyPair('rsa1024'),
  // lengths at which the encoded message is a byte shorter than the modulus, or ends within a byte
  rsa1025: keyPair('rsa1025'),
  rsa2047: keyPair('rsa2047'),
  rsa2048: keyPair('rsa2048'),
  rsaPss2048: keyPair('rsaPss2048'),
}
type KeyName = keyof typeof keys

const RSA: readonly KeyName[] = ['rsa1024', 'rsa1025', 'rsa2047', 'rsa2048']

/** Which keys are good for which scheme; 1024 bits do not hold two SHA-512 hashes. */
const schemes: Readonly<Record<string, readonly KeyName[]>> = {
  ecdsa_secp256r1_sha256: ['p256'],
  ecdsa_secp384r1_sha384: ['p384'],
  ed25519: ['ed25519'],
  rsa_pss_rsae_sha256: RSA,
  rsa_pss_rsae_sha384: RSA,
  rsa_pss_rsae_sha512: ['rsa2047', 'rsa2048'],
}

const content = utf8('the content that CertificateVerify covers')

describe.each(pairs)('$title', ({ a, b }) => {
  test.each(Object.entries(schemes))('%s: what one signs, the other verifies', (name, good) => {
    for (const key of good) {
      const signature = find(a, name).signer(keys[key].privateKey)!.sign(content)
      expect(Object.getPrototypeOf(signature)).toBe(Uint8Array.prototype)
      expect(find(b, name).verify(keys[key].publicKey, content, signature)).toBe(true)
      expect(find(b, name).verify(keys[key].publicKey, utf8('something else'), signature)).toBe(false)
    }
  })
})

describe.each(providers)('$name', provider => {
  test('has the schemes in their order', () => {
    expect(provider.signatureAlgorithms.map(algorithm => [algorithm.scheme, algorithm.name])).toEqual([
      [0x0403, 'ecdsa_secp256r1_sha256'],
      [0x0503, 'ecdsa_secp384r1_sha384'],
      [0x0807, 'ed25519'],
      [0x0804, 'rsa_pss_rsae_sha256'],
      [0x0805, 'rsa_pss_rsae_sha384'],
      [0x0806, 'rsa_pss_rsae_sha512'],
    ])
  })

  test.each(Object.entries(schemes))('%s takes the keys of its kind alone', (name, good) => {
    const algorithm = find(provider, name)
    const signature = algorithm.signer(keys[good[0]!].privateKey)!.sign(content)
    for (const [key, { privateKey, publicKey }] of Object.entries(keys)) {
      const signer = algorithm.signer(privateKey)
      expect([key, signer !== undefined]).toEqual([key, good.includes(key as KeyName)])
      if (signer !== undefined) expect(signer.scheme).toBe(algorithm.scheme)
      if (key !== good[0])
        expect([key, algorithm.verify(publicKey, content, signature)]).toEqual([key, false])
    }
    // a public key is no private key, nor the other way round
    expect(algorithm.signer(keys[good[0]!].publicKey)).toBeUndefined()
    expect(algorithm.verify(keys[good[0]!].privateKey, content, signature)).toBe(false)
  })

  test.each(Object.entries(schemes))('%s refuses what is cut, made longer or changed', (name, good) => {
    const algorithm = find(provider, name)
    const { privateKey, publicKey } = keys[good[0]!]
    const signature = algorithm.signer(privateKey)!.sign(content)
    const verify = (bytes: Uint8Array): boolean => algorithm.verify(publicKey, content, bytes)
    expect(verify(signature)).toBe(true)
    expect(verify(new Uint8Array(0))).toBe(false)
    expect(verify(signature.subarray(1))).toBe(false)
    expect(verify(signature.subarray(0, -1))).toBe(false)
    expect(verify(concat(signature, Uint8Array.of(0)))).toBe(false)
    expect(verify(concat(Uint8Array.of(0), signature))).toBe(false)
    expect(verify(new Uint8Array(signature.length))).toBe(false)
    expect(verify(new Uint8Array(signature.length).fill(0xff))).toBe(false)
    fc.assert(
      fc.property(fc.nat({ max: signature.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const changed = signature.slice()
        changed[at]! ^= 1 << bit
        expect(verify(changed)).toBe(false)
      }),
      { numRuns: 40 },
    )
  })

  test.each(Object.entries(schemes))('%s never throws for a malformed key', (name, good) => {
    const algorithm = find(provider, name)
    const { privateKey, publicKey } = keys[good[0]!]
    const signature = algorithm.signer(privateKey)!.sign(content)
    for (const der of [new Uint8Array(0), Uint8Array.of(0x30), Uint8Array.of(0x30, 0x80, 0, 0), content]) {
      expect(algorithm.signer(der)).toBeUndefined()
      expect(algorithm.verify(der, content, signature)).toBe(false)
    }
    expect(algorithm.verify(concat(publicKey, Uint8Array.of(0)), content, signature)).toBe(false)
    expect(algorithm.verify(publicKey.subarray(0, -1), content, signature)).toBe(false)
    fc.assert(
      fc.property(fc.nat({ max: publicKey.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
        const changed = publicKey.slice()
        if (changed[at] === value) return
        changed[at] = value
        expect(algorithm.verify(changed, content, signature)).toBe(false)
        algorithm.signer(changed)
      }),
      { numRuns: 60 },
    )
  })

  test('signs with a key whose caller has wiped it', () => {
    for (const [name, [key]] of Object.entries(schemes)) {
      const given = keys[key!].privateKey.slice()
      const signer = find(provider, name).signer(given)!
      given.fill(0)
      expect(find(provider, name).verify(keys[key!].publicKey, content, signer.sign(content))).toBe(true)
    }
  })

  test('refuses every encoding of a public key but the one', () => {
    const algorithm = find(provider, 'ecdsa_secp256r1_sha256')
    const signature = algorithm.signer(keys.p256.privateKey)!.sign(content)
    const point = keys.p256.publicKey.subarray(-65)
    const head = keys.p256.publicKey.subarray(0, -65)
    const parity = point.at(-1)! & 1
    const compressed = concat(Uint8Array.of(2 + parity), point.subarray(1, 33))
    const others = {
      hybrid: concat(head, Uint8Array.of(6 + parity), point.subarray(1)),
      compressed: concat(fromHex('3039301306072a8648ce3d020106082a8648ce3d030107032200'), compressed),
      longLength: concat(fromHex('308159'), keys.p256.publicKey.subarray(2)),
      unusedBits: keys.p256.publicKey.with(25, 1),
    }
    for (const [what, publicKey] of Object.entries(others)) {
      expect([what, algorithm.verify(publicKey, content, signature)]).toEqual([what, false])
    }
    expect(algorithm.verify(keys.p256.publicKey, content, signature)).toBe(true)
  })

  test('refuses a curve that is spelled out instead of named (RFC 5480, Section 2.1.1)', () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' })
    const publicKey = new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }))
    const signature = new Uint8Array(sign('sha256', content, pair.privateKey))
    expect(find(provider, 'ecdsa_secp256r1_sha256').verify(publicKey, content, signature)).toBe(false)
  })

  test('refuses RSA keys of fewer than 1024 or more than 8192 bits', () => {
    const small = keyPair('rsa1016')
    const algorithm = find(provider, 'rsa_pss_rsae_sha256')
    expect(algorithm.signer(small.privateKey)).toBeUndefined()
    expect(algorithm.verify(small.publicKey, content, new Uint8Array(127))).toBe(false)
    const large = rsaPublicKey(8200)
    expect(algorithm.verify(large, content, new Uint8Array(1025))).toBe(false)
  })
})

test('noble refuses an RSA key whose primes do not make its modulus', () => {
  const noble = providers.find(provider => provider.name === 'noble')!
  const changed = keys.rsa2048.privateKey.slice()
  // the modulus starts 11 bytes into RSAPrivateKey, which starts 26 bytes into PrivateKeyInfo
  changed[60]! ^= 1
  expect(find(noble, 'rsa_pss_rsae_sha256').signer(changed)).toBeUndefined()
})

test('noble signs deterministically with ECDSA and Ed25519, with a new salt with RSA', () => {
  const noble = providers.find(provider => provider.name === 'noble')!
  for (const [name, [key]] of Object.entries(schemes)) {
    const signer = find(noble, name).signer(keys[key!].privateKey)!
    const same = Buffer.from(signer.sign(content)).equals(signer.sign(content))
    expect([name, same]).toEqual([name, !name.startsWith('rsa')])
  }
})

function find(provider: CryptoProvider, name: string): SignatureAlgorithm {
  return provider.signatureAlgorithms.find(algorithm => algorithm.name === name)!
}

/** The SubjectPublicKeyInfo of a number that need not be a product of primes. */
function rsaPublicKey(bits: number): Uint8Array {
  const n = Buffer.alloc(bits / 8, 0xff).toString('base64url')
  const key = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }))
}
