import { equal } from '../../wire/index.ts'
import { firstBlock } from '../key-schedule.ts'
import { KeyedRecords } from '../record-cipher.ts'
import { AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, cipherSuites, X25519 } from './algorithms.ts'
import { aead } from './evp/aead.ts'
import { type Bindings, loadBindings } from './evp/bindings.ts'
import { Contexts } from './evp/contexts.ts'
import { type Libcrypto, libcryptoOf } from './evp/libcrypto.ts'
import { type RecordCalls, recordCalls } from './evp/record-calls.ts'
import { EvpRecords } from './evp/records.ts'
import { x25519 } from './evp/x25519.ts'
import { node } from './node.ts'
import type { CipherSuite, CryptoProvider, HashAlgorithm, KeyExchangeGroup } from './provider.ts'

/** What a look at this Node found. */
export type EvpProbe =
  | { readonly available: true; readonly provider: CryptoProvider }
  | { readonly available: false; readonly reason: string }

let probed: EvpProbe | undefined

/**
 * The provider `evp`: AEADs, hashes, HMAC and X25519 of the OpenSSL inside of Node through long-lived
 * contexts, called directly; the other groups and the signatures are those of `node`. It is loaded and
 * compared with `node` at the first call; what does not agree, or is not there, is a reason to do without.
 * Never throws.
 */
export function probeEvp(): EvpProbe {
  probed ??= attempt()
  return probed
}

function attempt(): EvpProbe {
  const { platform, arch } = process
  // It has been tried nowhere else, and a wrong guess is a crash, not an error.
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    return { available: false, reason: `no foreign calls to OpenSSL on ${platform} ${arch}` }
  }
  try {
    const provider = assemble(loadBindings())
    provider.cipherSuites.forEach((suite, index) => {
      selfTest(suite, node.cipherSuites[index]!)
    })
    provider.groups.forEach((group, index) => {
      if (group.id === X25519.id) selfTestX25519(group, node.groups[index]!)
    })
    return { available: true, provider }
  } catch (error) {
    return { available: false, reason: `foreign calls to OpenSSL: ${(error as Error).message}` }
  }
}

function assemble(bindings: Bindings): CryptoProvider {
  const libcrypto = libcryptoOf(bindings)
  const records = recordCalls(bindings, libcrypto)
  const contextsOf = (cipher: string) => new Contexts(libcrypto, libcrypto.cipher(cipher))
  const aes128 = contextsOf('AES-128-GCM')
  const aes256 = contextsOf('AES-256-GCM')
  const chacha20 = contextsOf('ChaCha20-Poly1305')
  const suites = cipherSuites({
    aes128Gcm: aead(AES_128_GCM, libcrypto, aes128),
    aes256Gcm: aead(AES_256_GCM, libcrypto, aes256),
    chacha20Poly1305: aead(CHACHA20_POLY1305, libcrypto, chacha20),
    sha256: hash(libcrypto, 'sha256', 32),
    sha384: hash(libcrypto, 'sha384', 48),
  })
  const contexts = [aes128, aes256, chacha20]
  return {
    ...node,
    name: 'evp',
    groups: node.groups.map(group => (group.id === X25519.id ? (x25519(bindings) ?? group) : group)),
    cipherSuites: suites.map((suite, index) => protecting(suite, contexts[index]!, libcrypto, records)),
  }
}

/** The same suite, which seals and opens records by itself. */
function protecting(
  suite: CipherSuite,
  contexts: Contexts,
  libcrypto: Libcrypto,
  records: RecordCalls,
): CipherSuite {
  const { keyLength, ivLength } = suite.aead
  const [key, iv] = [firstBlock('key', keyLength), firstBlock('iv', ivLength)]
  const algorithms = {
    digest: libcrypto.digest(suite.hash.name),
    hmacContext: libcrypto.newHmacContext(),
    keyLength,
    keyLabel: records.label(key),
    keyLabelLength: key.length,
    ivLabel: records.label(iv),
    ivLabelLength: iv.length,
  }
  return { ...suite, protect: trafficSecret => new EvpRecords(records, algorithms, contexts, trafficSecret) }
}

/** Two halves of an exchange must meet, and at what `node` says; a public key of zeros must not. */
function selfTestX25519(own: KeyExchangeGroup, known: KeyExchangeGroup): void {
  const [one, other] = [pattern(32, 6), pattern(32, 9)]
  const { keyExchange } = own.generate(() => one)
  agree('x25519', keyExchange, known.generate(() => one).keyExchange)
  const response = known.respond(() => other, keyExchange)
  agree('x25519', own.complete(one, response!.keyExchange), response!.sharedSecret)
  agree('x25519', own.respond(() => other, keyExchange)?.sharedSecret, response!.sharedSecret)
  if (own.complete(one, new Uint8Array(32)) !== undefined)
    throw new Error('x25519 accepts a public key of zeros')
}

function hash(libcrypto: Libcrypto, name: HashAlgorithm['name'], length: number): HashAlgorithm {
  const digest = libcrypto.digest(name)
  const digestContext = libcrypto.newDigestContext()
  const hmacContext = libcrypto.newHmacContext()
  return {
    name,
    length,
    digest: data => libcrypto.hash(digestContext, digest, data, length),
    hmac: (key, data, count = length) => libcrypto.hmac(hmacContext, digest, key, data, count),
  }
}

/**
 * The answers are known from `node`: both directions, two keys in turn, a tag that does not fit, a hash and
 * an HMAC.
 */
function selfTest(suite: CipherSuite, known: CipherSuite): void {
  const nonce = pattern(suite.aead.ivLength, 1)
  const additionalData = pattern(5, 2)
  const plaintext = pattern(77, 3)
  const keys = [pattern(suite.aead.keyLength, 4), pattern(suite.aead.keyLength, 5)]
  const own = keys.map(key => suite.aead.withKey(key))
  const expected = keys.map(key => known.aead.withKey(key).seal(nonce, additionalData, plaintext))
  for (const turn of [0, 1, 0, 1]) {
    const sealed = own[turn]!.seal(nonce, additionalData, plaintext)
    agree(suite.aead.name, sealed, expected[turn]!)
    agree(suite.aead.name, own[turn]!.open(nonce, additionalData, sealed), plaintext)
    sealed[turn]! ^= 1
    if (own[turn]!.open(nonce, additionalData, sealed) !== undefined) {
      throw new Error(`${suite.aead.name} opens a record that was changed`)
    }
  }
  for (const one of own) one.wipe?.()
  agree(suite.hash.name, suite.hash.digest(plaintext), known.hash.digest(plaintext))
  agree('HMAC', suite.hash.hmac(nonce, plaintext), known.hash.hmac(nonce, plaintext))
  for (const padding of [0, 9]) selfTestRecords(suite, known, plaintext, padding)
}

/** A record, and one that was changed, to and fro. */
function selfTestRecords(suite: CipherSuite, known: CipherSuite, content: Uint8Array, padding: number): void {
  const secret = pattern(suite.hash.length, 8)
  const [own, other] = [suite.protect!(secret), new KeyedRecords(known, secret)]
  const [mine, theirs] = [own, other].map(cipher => {
    const record = new Uint8Array(5 + content.length + 1 + padding + suite.aead.tagLength)
    cipher.seal(2 ** 33, 23, content, padding, record, 0)
    return record
  }) as [Uint8Array, Uint8Array]
  agree(`records of ${suite.name}`, mine, theirs)
  const fragment = mine.length - 5
  const allocate = (length: number): Uint8Array => new Uint8Array(length)
  agree(`records of ${suite.name}`, own.open(2 ** 33, mine, 0, fragment, allocate)?.content, content)
  mine[9]! ^= 1
  if (own.open(2 ** 33, mine, 0, fragment, allocate) !== undefined)
    throw new Error(`${suite.name} opens a record that was changed`)
  own.wipe()
}

function agree(name: string, actual: Uint8Array | undefined, expected: Uint8Array): void {
  if (actual === undefined || !equal(actual, expected))
    throw new Error(`${name} gives different bytes from node:crypto`)
}

function pattern(length: number, start: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => start + 7 * i)
}
