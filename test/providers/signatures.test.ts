import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SignatureScheme } from '../../src/tls13/codepoints.ts'
import { parsePrivateKey } from '../../src/tls13/crypto/keys.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider, SignatureAlgorithm } from '../../src/tls13/crypto/provider.ts'
import { signPss } from '../../src/tls13/crypto/rsa.ts'
import { concat, fromHex, hex, utf8 } from '../../src/wire/index.ts'
import { LONG } from '../support/long.ts'
import { type KeyPair, keyPair, pairs, providers } from '../support/providers.ts'

const keys = {
  p256: keyPair('p256'),
  p384: keyPair('p384'),
  p521: keyPair('p521'),
  ed25519: keyPair('ed25519'),
  ed448: keyPair('ed448'),
  x25519: keyPair('x25519'),
  x448: keyPair('x448'),
  rsa1024: keyPair('rsa1024'),
  // lengths at which the encoded message is a byte shorter than the modulus, or ends within a byte
  rsa1025: keyPair('rsa1025'),
  rsa2047: keyPair('rsa2047'),
  rsa2048: keyPair('rsa2048'),
  rsaPss1024: keyPair('rsaPss1024'),
  rsaPss2048: keyPair('rsaPss2048'),
  rsaPss2048sha256: keyPair('rsaPss2048sha256'),
  rsaPss2048sha384: keyPair('rsaPss2048sha384'),
  rsaPss2048sha512: keyPair('rsaPss2048sha512'),
}
type KeyName = keyof typeof keys

/** Made once, for all providers: each takes a tenth of a second. */
const made = new Map<string, KeyPair>()

/** An RSASSA-PSS key with parameters (RFC 4055 §3). */
function withParameters(hash: string, maskHash: string, saltLength: number): KeyPair {
  const kind = `${hash}, MGF1 over ${maskHash}, at least ${saltLength} bytes of salt`
  const known = made.get(kind)
  if (known !== undefined) return known
  const pair = generateKeyPairSync('rsa-pss', {
    modulusLength: 2048,
    hashAlgorithm: hash,
    mgf1HashAlgorithm: maskHash,
    saltLength: saltLength as unknown as string, // the types are wrong: Node takes numbers alone
  })
  const key = {
    kind,
    privateKey: new Uint8Array(pair.privateKey.export({ format: 'der', type: 'pkcs8' })),
    publicKey: new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' })),
  }
  made.set(kind, key)
  return key
}

const RSA: readonly KeyName[] = ['rsa1024', 'rsa1025', 'rsa2047', 'rsa2048']

/** Which keys are good for which scheme; 1024 bits do not hold two SHA-512 hashes. */
const schemes: Readonly<Record<string, readonly KeyName[]>> = {
  ecdsa_secp256r1_sha256: ['p256'],
  ecdsa_secp384r1_sha384: ['p384'],
  ecdsa_secp521r1_sha512: ['p521'],
  ed25519: ['ed25519'],
  ed448: ['ed448'],
  rsa_pss_rsae_sha256: RSA,
  rsa_pss_rsae_sha384: RSA,
  rsa_pss_rsae_sha512: ['rsa2047', 'rsa2048'],
  rsa_pss_pss_sha256: ['rsaPss1024', 'rsaPss2048', 'rsaPss2048sha256'],
  rsa_pss_pss_sha384: ['rsaPss1024', 'rsaPss2048', 'rsaPss2048sha384'],
  rsa_pss_pss_sha512: ['rsaPss2048', 'rsaPss2048sha512'],
}

/** The order of each group, and the bytes of each half of a signature (RFC 8032 §5.1 and §5.2). */
const EDDSA_ORDERS = [
  { name: 'ed25519', length: 32, order: 2n ** 252n + 27742317777372353535851937790883648493n },
  {
    name: 'ed448',
    length: 57,
    order: 2n ** 446n - 13818066809895115352007386748515426880336692474882178609894547503885n,
  },
] as const

const content = utf8('the content that CertificateVerify covers')

describe.each(pairs)('$title', ({ a, b }) => {
  it.each(Object.entries(schemes))('%s: what one signs, the other verifies', (name, good) => {
    for (const key of good) {
      const signature = find(a, name).signer(keys[key].privateKey)!.sign(content)
      expect(Object.getPrototypeOf(signature)).toBe(Uint8Array.prototype)
      expect(find(b, name).verify(keys[key].publicKey, content, signature)).toBe(true)
      expect(find(b, name).verify(keys[key].publicKey, utf8('something else'), signature)).toBe(false)
    }
  })
})

describe.each(providers)('$name', provider => {
  it('has the schemes in their order', () => {
    expect(provider.signatureAlgorithms.map(algorithm => [algorithm.scheme, algorithm.name])).toEqual([
      [SignatureScheme.ecdsa_secp256r1_sha256, 'ecdsa_secp256r1_sha256'],
      [SignatureScheme.ecdsa_secp384r1_sha384, 'ecdsa_secp384r1_sha384'],
      [SignatureScheme.ecdsa_secp521r1_sha512, 'ecdsa_secp521r1_sha512'],
      [SignatureScheme.ed25519, 'ed25519'],
      [SignatureScheme.ed448, 'ed448'],
      [SignatureScheme.rsa_pss_rsae_sha256, 'rsa_pss_rsae_sha256'],
      [SignatureScheme.rsa_pss_rsae_sha384, 'rsa_pss_rsae_sha384'],
      [SignatureScheme.rsa_pss_rsae_sha512, 'rsa_pss_rsae_sha512'],
      [SignatureScheme.rsa_pss_pss_sha256, 'rsa_pss_pss_sha256'],
      [SignatureScheme.rsa_pss_pss_sha384, 'rsa_pss_pss_sha384'],
      [SignatureScheme.rsa_pss_pss_sha512, 'rsa_pss_pss_sha512'],
    ])
  })

  it.each(Object.entries(schemes))('%s takes the keys of its kind alone', (name, good) => {
    const algorithm = find(provider, name)
    const signature = algorithm.signer(keys[good[0]!].privateKey)!.sign(content)
    for (const [key, { privateKey, publicKey }] of Object.entries(keys)) {
      const signer = algorithm.signer(privateKey)
      expect([key, signer !== undefined]).toEqual([key, good.includes(key as KeyName)])
      if (signer !== undefined) expect(signer.scheme).toBe(algorithm.scheme)
      expect([key, algorithm.fits(publicKey)]).toEqual([key, good.includes(key as KeyName)])
      if (key !== good[0])
        expect([key, algorithm.verify(publicKey, content, signature)]).toEqual([key, false])
    }
    // a public key is no private key, nor the other way round
    expect(algorithm.signer(keys[good[0]!].publicKey)).toBeUndefined()
    expect(algorithm.verify(keys[good[0]!].privateKey, content, signature)).toBe(false)
    expect(algorithm.fits(keys[good[0]!].privateKey)).toBe(false)
  })

  it.each(Object.entries(schemes))('%s refuses what is cut, made longer or changed', (name, good) => {
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
      { numRuns: LONG ? 40 : 12 },
    )
  })

  it('refuses an RSA signature without its leading zero', () => {
    const { privateKey, publicKey } = keys.rsa2048
    const signer = find(node, 'rsa_pss_rsae_sha256').signer(privateKey)!
    let signature = signer.sign(content)
    // PSS is salted: one in 256 signatures begins with a zero.
    for (let tries = 0; signature[0] !== 0 && tries < 10_000; tries++) signature = signer.sign(content)
    expect(signature[0]).toBe(0)
    expect(find(provider, 'rsa_pss_rsae_sha256').verify(publicKey, content, signature)).toBe(true)
    expect(find(provider, 'rsa_pss_rsae_sha256').verify(publicKey, content, signature.subarray(1))).toBe(
      false,
    )
  })

  it.each(Object.entries(schemes))('%s never throws for a malformed key', (name, good) => {
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
      { numRuns: LONG ? 60 : 16 },
    )
  })

  it('signs with a key whose caller has wiped it', () => {
    for (const [name, [key]] of Object.entries(schemes)) {
      const given = keys[key!].privateKey.slice()
      const signer = find(provider, name).signer(given)!
      given.fill(0)
      expect(find(provider, name).verify(keys[key!].publicKey, content, signer.sign(content))).toBe(true)
    }
  })

  it('refuses every encoding of a public key but the one', () => {
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

  it('refuses a curve that is spelled out instead of named (RFC 5480 §2.1.1)', () => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' })
    const publicKey = new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }))
    const signature = new Uint8Array(sign('sha256', content, pair.privateKey))
    expect(find(provider, 'ecdsa_secp256r1_sha256').verify(publicKey, content, signature)).toBe(false)
  })

  it('takes an RSASSA-PSS key for what its parameters allow (RFC 4055 §3)', () => {
    const cases: readonly (readonly [KeyPair, boolean])[] = [
      [withParameters('sha256', 'sha256', 0), true],
      [withParameters('sha256', 'sha256', 32), true],
      [withParameters('sha256', 'sha256', 33), false],
      [withParameters('sha256', 'sha384', 32), false],
      [withParameters('sha384', 'sha256', 32), false],
      // all defaults, so that the parameters are an empty SEQUENCE: that means SHA-1, not that anything goes
      [withParameters('sha1', 'sha1', 20), false],
    ]
    const algorithm = find(provider, 'rsa_pss_pss_sha256')
    for (const [{ kind, privateKey, publicKey }, good] of cases) {
      const signer = algorithm.signer(privateKey)
      expect([kind, signer !== undefined]).toEqual([kind, good])
      const signature = signer?.sign(content) ?? pssSignature(privateKey)
      expect([kind, algorithm.verify(publicKey, content, signature)]).toEqual([kind, good])
      for (const other of ['rsa_pss_rsae_sha256', 'rsa_pss_pss_sha512']) {
        expect(find(provider, other).signer(privateKey)).toBeUndefined()
      }
    }
  })

  it('an RSA key is for the schemes of its identifier, though the numbers are the same', () => {
    const { publicKey } = keys.rsa2048
    const [rsae, pss] = [find(provider, 'rsa_pss_rsae_sha256'), find(provider, 'rsa_pss_pss_sha256')]
    const signature = rsae.signer(keys.rsa2048.privateKey)!.sign(content)
    // the last byte of the object identifier tells them apart, and NULL is left out
    const renamed = concat(fromHex('30820120300b06092a864886f70d01010a'), publicKey.subarray(19))
    expect(rsae.verify(publicKey, content, signature)).toBe(true)
    expect(pss.verify(renamed, content, signature)).toBe(true)
    expect(pss.verify(publicKey, content, signature)).toBe(false)
    expect(rsae.verify(renamed, content, signature)).toBe(false)
    // with that NULL it is no key at all
    expect(pss.verify(publicKey.with(16, 0x0a), content, signature)).toBe(false)
  })

  it.each(EDDSA_ORDERS)('$name refuses the other S of a signature (RFC 8032 §5)', edwards => {
    const { name, order, length } = edwards
    const signature = find(provider, name).signer(keys[name].privateKey)!.sign(content)
    const verify = (bytes: Uint8Array): boolean =>
      find(provider, name).verify(keys[name].publicKey, content, bytes)
    const s = BigInt(`0x${hex(signature.slice(length).reverse())}`) + order
    const other = fromHex(s.toString(16).padStart(2 * length, '0')).reverse()
    expect(verify(signature)).toBe(true)
    expect(verify(concat(signature.subarray(0, length), other))).toBe(false)
  })

  it('signs with Ed448 as RFC 8032 §7.4 does', () => {
    const seed =
      '6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b94492f8f' +
      '032e7549a20098f95b'
    const point =
      '5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6c' +
      'd1fa1abeafe8256180'
    const expected =
      '533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d78' +
      '28c59bd0a21bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4db' +
      'b61149f05a7363268c71d95808ff2e652600'
    const ed448 = find(provider, 'ed448')
    const signature = ed448.signer(fromHex(`3047020100300506032b6571043b0439${seed}`))!.sign(utf8(''))
    expect(hex(signature)).toBe(expected)
    expect(ed448.verify(fromHex(`3043300506032b6571033a00${point}`), utf8(''), signature)).toBe(true)
  })

  it('refuses RSA keys of fewer than 1024 or more than 8192 bits', () => {
    const small = keyPair('rsa1016')
    const algorithm = find(provider, 'rsa_pss_rsae_sha256')
    expect(algorithm.signer(small.privateKey)).toBeUndefined()
    expect(algorithm.verify(small.publicKey, content, new Uint8Array(127))).toBe(false)
    const large = rsaPublicKey(8200)
    expect(algorithm.verify(large, content, new Uint8Array(1025))).toBe(false)
  })
})

it('noble refuses an RSA key whose primes do not make its modulus', () => {
  const noble = providers.find(provider => provider.name === 'noble')!
  const changed = keys.rsa2048.privateKey.slice()
  // the modulus starts 11 bytes into RSAPrivateKey, which starts 26 bytes into PrivateKeyInfo
  changed[60]! ^= 1
  expect(find(noble, 'rsa_pss_rsae_sha256').signer(changed)).toBeUndefined()
})

it('noble signs deterministically with ECDSA and EdDSA, with a new salt with RSA', () => {
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

/** A signature with SHA-256 by a key under id-RSASSA-PSS, whatever the key allows. */
function pssSignature(privateKey: Uint8Array): Uint8Array {
  const key = parsePrivateKey(privateKey)
  if (key?.kind !== 'rsa-pss') throw new Error('not an RSASSA-PSS key')
  return signPss(key, sha256, providers[0]!.random, content)
}

/** The SubjectPublicKeyInfo of a number that need not be a product of primes. */
function rsaPublicKey(bits: number): Uint8Array {
  const n = Buffer.alloc(bits / 8, 0xff).toString('base64url')
  const key = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }))
}
