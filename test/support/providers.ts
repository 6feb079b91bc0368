import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { noble } from '../../src/tls13/crypto/noble.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import type { CryptoProvider, Random } from '../../src/tls13/crypto/provider.ts'

/** What became of `evp` here; where it is missing, `evp.test.ts` names the reason. */
export const evp = probeEvp()

/** Every provider that there is here. */
export const providers: readonly CryptoProvider[] = [node, noble, ...(evp.available ? [evp.provider] : [])]

/** Every ordered pair of providers, each with itself too: one makes, the other reads. */
export const pairs: readonly {
  readonly a: CryptoProvider
  readonly b: CryptoProvider
  readonly title: string
}[] = providers.flatMap(a => providers.map(b => ({ a, b, title: `${a.name} → ${b.name}` })))

/** A key pair in the forms that providers take: PKCS#8 and SubjectPublicKeyInfo, both DER. */
export interface KeyPair {
  readonly kind: string
  readonly privateKey: Uint8Array
  readonly publicKey: Uint8Array
}

/**
 * Makes a key pair. RSA by its modulus in bits: `rsa2048`; `rsaPss2048sha256` is for one scheme, `rsaPss2048`
 * for any.
 */
export function keyPair(
  kind:
    | 'p256'
    | 'p384'
    | 'p521'
    | 'ed25519'
    | 'ed448'
    | 'x25519'
    | 'x448'
    | `rsa${number}`
    | `rsaPss${number}`
    | `rsaPss${number}sha${number}`,
): KeyPair {
  return { kind, ...toDer(make(kind)) }
}

/** Bytes that look random and are the same in every run. */
export function scripted(seed: number): Random {
  let state = seed
  return length => {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      bytes[i] = state >>> 24
    }
    return bytes
  }
}

function make(kind: string): { privateKey: KeyObject; publicKey: KeyObject } {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519')
  if (kind === 'x25519') return generateKeyPairSync('x25519')
  if (kind === 'ed448') return generateKeyPairSync('ed448')
  if (kind === 'x448') return generateKeyPairSync('x448')
  const rsa = /^rsa(Pss)?(\d+)(sha\d+)?$/.exec(kind)
  if (rsa?.[1] !== undefined) {
    const hash = rsa[3]
    const only = hash === undefined ? {} : { hashAlgorithm: hash, mgf1HashAlgorithm: hash }
    return generateKeyPairSync('rsa-pss', { modulusLength: Number(rsa[2]), ...only })
  }
  if (rsa !== null) return generateKeyPairSync('rsa', { modulusLength: Number(rsa[2]) })
  return generateKeyPairSync('ec', { namedCurve: { p256: 'P-256', p384: 'P-384', p521: 'P-521' }[kind]! })
}

function toDer(pair: { privateKey: KeyObject; publicKey: KeyObject }): Omit<KeyPair, 'kind'> {
  return {
    privateKey: new Uint8Array(pair.privateKey.export({ format: 'der', type: 'pkcs8' })),
    publicKey: new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' })),
  }
}
