import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { TlsError } from '../../src/tls13/alert.ts'
import {
  type Certificate,
  type CertificateVerifier,
  certificateWithKey,
} from '../../src/tls13/authentication.ts'
import type { CryptoProvider } from '../../src/tls13/crypto/provider.ts'
import { concat, equal, fromHex } from '../../src/wire/index.ts'

/**
 * A throw-away identity. The stack never parses a certificate, so the "certificate" is the bare
 * SubjectPublicKeyInfo, and the verifier of {@link trusting} knows it by heart.
 */
export interface Identity {
  /** PKCS#8, DER. */
  readonly privateKey: Uint8Array
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
}

const ED25519_PKCS8 = fromHex('302e020100300506032b657004220420')

/** The Ed25519 identity of a seed: always the same, and its signatures, too. */
export function ed25519Identity(seed: number): Identity {
  const der = Buffer.from(concat(ED25519_PKCS8, new Uint8Array(32).fill(seed)))
  return toIdentity(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
}

/** A new identity of another kind. */
export function newIdentity(kind: 'p256' | 'p384' | 'rsa2048'): Identity {
  if (kind === 'rsa2048') return toIdentity(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)
  const namedCurve = kind === 'p256' ? 'P-256' : 'P-384'
  return toIdentity(generateKeyPairSync('ec', { namedCurve }).privateKey)
}

function toIdentity(key: KeyObject): Identity {
  return {
    privateKey: new Uint8Array(key.export({ format: 'der', type: 'pkcs8' })),
    publicKey: new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' })),
  }
}

/** The identity as a server presents it. */
export function certificateOf(
  identity: Identity,
  provider: CryptoProvider,
  names?: readonly string[],
): Certificate {
  return certificateWithKey(provider, [identity.publicKey], identity.privateKey, names)
}

/** Accepts these identities and answers unknown_ca to all others. */
export function trusting(...identities: readonly Identity[]): CertificateVerifier {
  return ([leaf]) => {
    const known = identities.find(({ publicKey }) => leaf !== undefined && equal(publicKey, leaf))
    if (known === undefined)
      throw new TlsError('unknown_ca', 'peer', 'refused_by_application', 'this certificate is not known')
    return { publicKey: known.publicKey }
  }
}
