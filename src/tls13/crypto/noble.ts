import { gcm } from '@noble/ciphers/aes.js'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { pow } from '@noble/curves/abstract/modular.js'
import { ed448, x448 } from '@noble/curves/ed448.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { randomBytes } from '@noble/hashes/utils.js'
import {
  AES_128_GCM,
  AES_256_GCM,
  type AeadParameters,
  acceptablePssParameters,
  acceptableRsaKey,
  CHACHA20_POLY1305,
  checkKey,
  checkNonce,
  cipherSuites,
  type DiffieHellmanKey,
  diffieHellmanGroup,
  ECDSA,
  type EcdsaScheme,
  EDDSA,
  type EddsaScheme,
  RSA_PSS,
  type RsaPssScheme,
  SECP256R1,
  SECP384R1,
  SECP521R1,
  X448,
  X25519,
} from './algorithms.ts'
import { bytesOf, type FiniteField, finiteFieldGroups, integerOf } from './finite-field.ts'
import { type PrivateKey, type PublicKey, parsePrivateKey, parsePublicKey } from './keys.ts'
import type { AeadAlgorithm, CryptoProvider, HashAlgorithm, SignatureAlgorithm } from './provider.ts'
import { bitLength, signPss, verifyPss } from './rsa.ts'

const finiteFields = finiteFieldGroups(openFiniteField)

/**
 * The provider in pure TypeScript, over `@noble/*`: it loads wherever there is a `globalThis.crypto` for
 * random bytes, browsers included. JavaScript gives no promise of constant time; where that matters, take
 * another provider.
 */
export const noble: CryptoProvider = {
  name: 'noble',
  cipherSuites: cipherSuites({
    aes128Gcm: aead(AES_128_GCM, gcm),
    aes256Gcm: aead(AES_256_GCM, gcm),
    chacha20Poly1305: aead(CHACHA20_POLY1305, chacha20poly1305),
    sha256: hash('sha256', sha256),
    sha384: hash('sha384', sha384),
  }),
  groups: [
    diffieHellmanGroup(X25519, openMontgomery(x25519)),
    diffieHellmanGroup(SECP256R1, openNist(p256)),
    diffieHellmanGroup(SECP384R1, openNist(p384)),
    diffieHellmanGroup(SECP521R1, openNist(p521)),
    diffieHellmanGroup(X448, openMontgomery(x448)),
    ...finiteFields.groups,
  ],
  costlyGroups: finiteFields.costlyGroups,
  signatureAlgorithms: [...ECDSA.map(ecdsa), ...EDDSA.map(eddsa), ...RSA_PSS.map(rsaPss)],
  random: randomBytes,
}

/** The libraries expand the key on every call, so all that is kept is a copy of the key. */
function aead(parameters: AeadParameters, cipher: typeof gcm | typeof chacha20poly1305): AeadAlgorithm {
  return {
    ...parameters,
    withKey(given) {
      checkKey(parameters, given)
      const key = given.slice()
      return {
        seal(nonce, additionalData, plaintext) {
          checkNonce(nonce)
          return cipher(key, nonce, additionalData).encrypt(plaintext)
        },
        open(nonce, additionalData, ciphertext) {
          checkNonce(nonce)
          if (ciphertext.length < parameters.tagLength) return undefined
          return attempt(() => cipher(key, nonce, additionalData).decrypt(ciphertext))
        },
      }
    },
  }
}

function hash(name: HashAlgorithm['name'], algorithm: typeof sha256 | typeof sha384): HashAlgorithm {
  return {
    name,
    length: algorithm.outputLen,
    digest: data => algorithm(data),
    hmac: (key, data, count) => hmac(algorithm, key, data).slice(0, count),
  }
}

function openMontgomery(curve: typeof x25519): (privateKey: Uint8Array) => DiffieHellmanKey {
  return privateKey => ({
    publicKey: () => curve.getPublicKey(privateKey),
    // throws for the all-zero result (RFC 8446 §7.4.2)
    sharedSecret: peer => attempt(() => curve.getSharedSecret(privateKey, peer)),
  })
}

function openNist(curve: typeof p256): (privateKey: Uint8Array) => DiffieHellmanKey | undefined {
  return privateKey =>
    curve.utils.isValidSecretKey(privateKey)
      ? {
          publicKey: () => curve.getPublicKey(privateKey, false),
          // throws for a point off the curve; the secret is the x-coordinate (RFC 8446 §7.4.2)
          sharedSecret: peer => attempt(() => curve.getSharedSecret(privateKey, peer, true).slice(1)),
        }
      : undefined
}

function openFiniteField(field: FiniteField, privateKey: Uint8Array): DiffieHellmanKey {
  const raised = (base: bigint): Uint8Array =>
    bytesOf(pow(base, integerOf(privateKey), field.prime()), field.keyExchangeLength)
  return { publicKey: () => raised(2n), sharedSecret: peer => raised(integerOf(peer)) }
}

/**
 * Signatures are deterministic (RFC 6979); both halves of s are accepted, as everywhere outside of block
 * chains.
 */
function ecdsa({ scheme, name, curve: curveName }: EcdsaScheme): SignatureAlgorithm {
  // each brings the hash that the scheme wants
  const curve = { secp256r1: p256, secp384r1: p384, secp521r1: p521 }[curveName]
  const options = { format: 'der', prehash: true, lowS: false } as const
  const keyOf = (publicKey: Uint8Array) => {
    const key = parsePublicKey(publicKey)
    return key?.kind === 'ec' && key.curve === curveName ? key : undefined
  }
  return {
    scheme,
    name,
    signer(privateKey) {
      const key = parsePrivateKey(privateKey)
      if (key?.kind !== 'ec' || key.curve !== curveName || !curve.utils.isValidSecretKey(key.scalar))
        return undefined
      return { scheme, sign: content => curve.sign(content, key.scalar, options) }
    },
    fits: publicKey => keyOf(publicKey) !== undefined,
    verify(publicKey, content, signature) {
      const key = keyOf(publicKey)
      if (key === undefined) return false
      return attempt(() => curve.verify(signature, content, key.point, options)) ?? false
    },
  }
}

function eddsa({ scheme, name }: EddsaScheme): SignatureAlgorithm {
  const curve = { ed25519, ed448 }[name]
  return {
    scheme,
    name,
    signer(privateKey) {
      const key = parsePrivateKey(privateKey)
      return key?.kind === name ? { scheme, sign: content => curve.sign(content, key.seed) } : undefined
    },
    fits: publicKey => parsePublicKey(publicKey)?.kind === name,
    verify(publicKey, content, signature) {
      const key = parsePublicKey(publicKey)
      if (key?.kind !== name) return false
      // the strict rules of RFC 8032, not the lenient ones of ZIP 215
      return attempt(() => curve.verify(signature, content, key.point, { zip215: false })) ?? false
    },
  }
}

function rsaPss(rsa: RsaPssScheme): SignatureAlgorithm {
  const { scheme, name } = rsa
  const digest = { sha256, sha384, sha512 }[rsa.hash]
  return {
    scheme,
    name,
    signer(privateKey) {
      const key = rsaKey(rsa, parsePrivateKey(privateKey))
      return key && { scheme, sign: content => signPss(key, digest, randomBytes, content) }
    },
    fits: publicKey => rsaKey(rsa, parsePublicKey(publicKey)) !== undefined,
    verify(publicKey, content, signature) {
      const key = rsaKey(rsa, parsePublicKey(publicKey))
      return key !== undefined && verifyPss(key, digest, content, signature)
    },
  }
}

/** The key, if it is one for the scheme. */
function rsaKey<K extends PublicKey | PrivateKey>(
  scheme: RsaPssScheme,
  key: K | undefined,
): Extract<K, { kind: 'rsa' | 'rsa-pss' }> | undefined {
  if (key?.kind !== 'rsa' && key?.kind !== 'rsa-pss') return undefined
  const restriction = key.kind === 'rsa-pss' ? key.parameters : undefined
  const good =
    key.kind === scheme.key &&
    acceptableRsaKey(scheme, bitLength(key.modulus), key.publicExponent) &&
    acceptablePssParameters(scheme, restriction)
  return good ? (key as Extract<K, { kind: 'rsa' | 'rsa-pss' }>) : undefined
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
