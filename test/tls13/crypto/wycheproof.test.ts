import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CipherSuiteId, NamedGroup, SignatureScheme } from '../../../src/tls13/codepoints.ts'
import type { CryptoProvider, HashAlgorithm } from '../../../src/tls13/crypto/provider.ts'
import { hkdfExpand, hkdfExtract } from '../../../src/tls13/key-schedule.ts'
import { fromHex, hex } from '../../../src/wire/index.ts'
import { evp, providers } from '../../support/providers.ts'

/** What all cases have; the other fields depend on the file and are hex, numbers or names. */
interface Case {
  readonly tcId: number
  readonly comment: string
  readonly flags: readonly string[]
  readonly result: 'valid' | 'invalid' | 'acceptable'
  readonly [field: string]: unknown
}

interface Group {
  readonly tests: readonly Case[]
  readonly [field: string]: unknown
}

interface VectorFile {
  readonly numberOfTests: number
  readonly testGroups: readonly Group[]
}

/** 'passed', what went wrong, or why the interface cannot express the case. */
type Outcome = 'passed' | { readonly failed: string } | { readonly notApplicable: string }
type Runner = (provider: CryptoProvider, one: Case, group: Group) => Outcome

/** How many cases passed, and how many did not apply, by reason. Both must add up to the file's own count. */
interface Tally {
  readonly passed: number
  readonly notApplicable?: Readonly<Record<string, number>>
}

const files: Readonly<Record<string, { run: Runner; expected: Tally }>> = {
  aes_gcm: {
    run: (provider, one, group) =>
      aead(
        provider,
        group.keySize === 128 ? CipherSuiteId.TLS_AES_128_GCM_SHA256 : CipherSuiteId.TLS_AES_256_GCM_SHA384,
        one,
      ),
    expected: {
      passed: 133,
      notApplicable: { '192-bit key': 103, 'nonce of another length': 80 },
    },
  },
  chacha20_poly1305: {
    run: (provider, one) => aead(provider, CipherSuiteId.TLS_CHACHA20_POLY1305_SHA256, one),
    expected: { passed: 316, notApplicable: { 'nonce of another length': 9 } },
  },
  hmac_sha256: { run: hmac(CipherSuiteId.TLS_AES_128_GCM_SHA256), expected: { passed: 174 } },
  hmac_sha384: { run: hmac(CipherSuiteId.TLS_AES_256_GCM_SHA384), expected: { passed: 174 } },
  hkdf_sha256: { run: hkdf(CipherSuiteId.TLS_AES_128_GCM_SHA256), expected: { passed: 86 } },
  hkdf_sha384: { run: hkdf(CipherSuiteId.TLS_AES_256_GCM_SHA384), expected: { passed: 83 } },
  x25519: { run: diffieHellman(NamedGroup.x25519), expected: { passed: 518 } },
  ecdh_secp256r1_ecpoint: { run: diffieHellman(NamedGroup.secp256r1), expected: { passed: 355 } },
  ecdh_secp384r1_ecpoint: { run: diffieHellman(NamedGroup.secp384r1), expected: { passed: 790 } },
  ecdsa_secp256r1_sha256: {
    run: signature(SignatureScheme.ecdsa_secp256r1_sha256),
    expected: { passed: 484 },
  },
  ecdsa_secp384r1_sha384: {
    run: signature(SignatureScheme.ecdsa_secp384r1_sha384),
    expected: { passed: 504 },
  },
  ed25519: { run: signature(SignatureScheme.ed25519), expected: { passed: 151 } },
  rsa_pss_2048_sha256_mgf1_32: {
    run: signature(SignatureScheme.rsa_pss_rsae_sha256),
    expected: { passed: 108 },
  },
  rsa_pss_2048_sha384_mgf1_48: {
    run: signature(SignatureScheme.rsa_pss_rsae_sha384),
    expected: { passed: 141 },
  },
  rsa_pss_3072_sha256_mgf1_32: {
    run: signature(SignatureScheme.rsa_pss_rsae_sha256),
    expected: { passed: 108 },
  },
  rsa_pss_4096_sha256_mgf1_32: {
    run: signature(SignatureScheme.rsa_pss_rsae_sha256),
    expected: { passed: 108 },
  },
  rsa_pss_4096_sha384_mgf1_48: {
    run: signature(SignatureScheme.rsa_pss_rsae_sha384),
    expected: { passed: 141 },
  },
  rsa_pss_4096_sha512_mgf1_64: {
    run: signature(SignatureScheme.rsa_pss_rsae_sha512),
    expected: { passed: 179 },
  },
  rsa_pss_misc: { run: otherPssParameters, expected: { passed: 150 } },
}

if (!evp.available) it.skip(`Wycheproof over evp: ${evp.reason}`)

/** Seconds on some providers, and the same arithmetic as P-256 there. */
const SLOW: Readonly<Record<string, readonly string[]>> = {
  node: ['ecdh_secp384r1_ecpoint'],
  noble: ['ecdh_secp384r1_ecpoint', 'ecdsa_secp384r1_sha384'],
}

describe.each(providers)('Wycheproof over $name', provider => {
  const late = process.env.HOTPOTATO_LONG === '1' ? [] : (SLOW[provider.name] ?? [])
  for (const name of late) it.skip(`${name}: npm run test:long`)
  it.each(Object.entries(files).filter(([name]) => !late.includes(name)))(
    '%s',
    (name, { run, expected }) => {
      const file = read(name)
      const failed: string[] = []
      const notApplicable: Record<string, number> = {}
      let passed = 0
      for (const group of file.testGroups) {
        for (const one of group.tests) {
          const outcome = run(provider, one, group)
          if (outcome === 'passed') passed++
          else if ('failed' in outcome) failed.push(`${one.tcId} ${one.comment}: ${outcome.failed}`)
          else notApplicable[outcome.notApplicable] = (notApplicable[outcome.notApplicable] ?? 0) + 1
        }
      }
      expect(failed).toEqual([])
      expect({ passed, notApplicable }).toEqual({
        passed: expected.passed,
        notApplicable: expected.notApplicable ?? {},
      })
      const others = Object.values(notApplicable).reduce((sum, count) => sum + count, 0)
      expect(passed + others).toBe(file.numberOfTests)
    },
    240_000,
  )
})

function read(name: string): VectorFile {
  const url = new URL(`../../../vectors/wycheproof/${name}_test.json`, import.meta.url)
  return JSON.parse(readFileSync(url, 'utf8'))
}

function aead(provider: CryptoProvider, suiteId: number, one: Case): Outcome {
  const { aead } = suite(provider, suiteId)
  const key = bytes(one, 'key')
  const nonce = bytes(one, 'iv')
  if (key.length !== aead.keyLength) return { notApplicable: `${8 * key.length}-bit key` }
  if (nonce.length !== aead.ivLength) return { notApplicable: 'nonce of another length' }
  const keyed = aead.withKey(key)
  const sealed = `${one.ct}${one.tag}`
  const opened = keyed.open(nonce, bytes(one, 'aad'), fromHex(sealed))
  if (one.result !== 'valid') return same(opened && hex(opened), undefined)
  const plaintext = bytes(one, 'msg')
  if (hex(keyed.seal(nonce, bytes(one, 'aad'), plaintext)) !== sealed)
    return { failed: 'sealed to other bytes' }
  return same(opened && hex(opened), one.msg)
}

/** A truncated tag is the beginning of the whole one. */
function hmac(suiteId: number): Runner {
  return (provider, one, group) => {
    const tag = suite(provider, suiteId).hash.hmac(bytes(one, 'key'), bytes(one, 'msg'))
    const equal = hex(tag.subarray(0, Number(group.tagSize) / 8)) === one.tag
    return same(equal, one.result === 'valid')
  }
}

function hkdf(suiteId: number): Runner {
  return (provider, one) => {
    const hash: HashAlgorithm = suite(provider, suiteId).hash
    const secret = hkdfExtract(hash, bytes(one, 'salt'), bytes(one, 'ikm'))
    const expand = (): string => hex(hkdfExpand(hash, secret, bytes(one, 'info'), Number(one.size)))
    if (one.result === 'valid') return same(expand(), one.okm)
    try {
      expand()
    } catch (error) {
      return same(error instanceof RangeError, true) // the invalid ones ask for more than 255 blocks
    }
    return { failed: 'no error' }
  }
}

/**
 * Of what Wycheproof calls acceptable, TLS 1.3 refuses compressed points and an all-zero secret, and takes
 * the rest.
 */
function diffieHellman(groupId: number): Runner {
  return (provider, one) => {
    const group = find(provider.groups, candidate => candidate.id === groupId)
    const length = { 29: 32, 23: 32, 24: 48 }[groupId]!
    const privateKey = fromHex(
      String(one.private)
        .slice(-2 * length)
        .padStart(2 * length, '0'),
    )
    const sharedSecret = group.complete(privateKey, bytes(one, 'public'))
    const refused =
      one.result === 'invalid' ||
      one.flags.includes('CompressedPoint') ||
      one.flags.includes('ZeroSharedSecret')
    return same(sharedSecret && hex(sharedSecret), refused ? undefined : one.shared)
  }
}

function signature(scheme: number): Runner {
  return (provider, one, group) => {
    const algorithm = find(provider.signatureAlgorithms, candidate => candidate.scheme === scheme)
    const publicKey = fromHex(String(group.publicKeyDer))
    return same(algorithm.verify(publicKey, bytes(one, 'msg'), bytes(one, 'sig')), one.result === 'valid')
  }
}

/**
 * Good signatures over every mix of hash, MGF1 hash and salt: each scheme must take its own mix and refuse
 * all others.
 */
function otherPssParameters(provider: CryptoProvider, one: Case, group: Group): Outcome {
  const schemes = [
    [SignatureScheme.rsa_pss_rsae_sha256, 'SHA-256', 32],
    [SignatureScheme.rsa_pss_rsae_sha384, 'SHA-384', 48],
    [SignatureScheme.rsa_pss_rsae_sha512, 'SHA-512', 64],
  ] as const
  for (const [scheme, hash, length] of schemes) {
    const own = group.sha === hash && group.mgfSha === hash && group.sLen === length
    const outcome = signature(scheme)(provider, { ...one, result: own ? 'valid' : 'invalid' }, group)
    if (outcome !== 'passed') return outcome
  }
  return 'passed'
}

function same(actual: unknown, expected: unknown): Outcome {
  return actual === expected ? 'passed' : { failed: `${actual} instead of ${expected}` }
}

function suite(provider: CryptoProvider, id: number): CryptoProvider['cipherSuites'][number] {
  return find(provider.cipherSuites, candidate => candidate.id === id)
}

function find<T>(all: readonly T[], wanted: (one: T) => boolean): T {
  const found = all.find(wanted)
  if (found === undefined) throw new Error('the provider does not have it')
  return found
}

function bytes(one: Case, field: string): Uint8Array {
  return fromHex(String(one[field]))
}
