import {
  type CipherGCMTypes,
  constants,
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  hash as digestOf,
  type KeyObject,
  randomBytes,
  type SignKeyObjectInput,
  sign,
  verify,
} from 'node:crypto'
import { equal, fromHex } from '../../wire/index.ts'
import {
  AES_128_GCM,
  AES_256_GCM,
  type AeadParameters,
  acceptableRsaKey,
  CHACHA20_POLY1305,
  checkKey,
  checkNonce,
  cipherSuites,
  type DiffieHellmanKey,
  diffieHellmanGroup,
  ECDSA,
  type EcdsaScheme,
  ED25519,
  RSA_PSS,
  type RsaPssScheme,
  SECP256R1,
  SECP384R1,
  X25519,
} from './algorithms.ts'
import type { AeadAlgorithm, CryptoProvider, HashAlgorithm, SignatureAlgorithm } from './provider.ts'

/**
 * The provider over `node:crypto`, that is over OpenSSL. The only file that imports it. No `Buffer` gets out of here, and
 * nothing that gets out shares memory with anything else.
 */
export const node: CryptoProvider = {
  name: 'node',
  cipherSuites: cipherSuites({
    aes128Gcm: aead(AES_128_GCM, 'aes-128-gcm'),
    aes256Gcm: aead(AES_256_GCM, 'aes-256-gcm'),
    // the types know ChaCha20-Poly1305 under a name of its own, but it is called like GCM
    chacha20Poly1305: aead(CHACHA20_POLY1305, 'chacha20-poly1305' as CipherGCMTypes),
    sha256: hash('sha256', 32),
    sha384: hash('sha384', 48),
  }),
  groups: [
    diffieHellmanGroup(X25519, openX25519),
    diffieHellmanGroup(SECP256R1, openNist('prime256v1')),
    diffieHellmanGroup(SECP384R1, openNist('secp384r1')),
  ],
  signatureAlgorithms: [
    ...ECDSA.map(scheme => signatureAlgorithm(scheme, scheme.hash, ecdsaKey(scheme))),
    signatureAlgorithm(ED25519, null, ed25519Key),
    ...RSA_PSS.map(scheme => signatureAlgorithm(scheme, scheme.hash, rsaPssKey(scheme))),
  ],
  random: length => plain(randomBytes(length)),
}

/** A result of `node:crypto` without the methods of `Buffer`; copied if it is a part of larger, perhaps shared memory. */
function plain(buffer: Buffer): Uint8Array {
  return buffer.length === buffer.buffer.byteLength ? new Uint8Array(buffer.buffer) : new Uint8Array(buffer)
}

/** OpenSSL keys an EVP context anew on every call, which bounds small records; nothing is kept but the key itself. */
function aead(parameters: AeadParameters, cipher: CipherGCMTypes): AeadAlgorithm {
  const { tagLength } = parameters
  const options = { authTagLength: tagLength }
  return {
    ...parameters,
    withKey(key) {
      checkKey(parameters, key)
      const secretKey = createSecretKey(key)
      return {
        seal(nonce, additionalData, plaintext) {
          checkNonce(nonce)
          const context = createCipheriv(cipher, secretKey, nonce, options)
          context.setAAD(additionalData)
          const sealed = new Uint8Array(plaintext.length + tagLength)
          sealed.set(context.update(plaintext))
          context.final()
          sealed.set(context.getAuthTag(), plaintext.length)
          return sealed
        },
        open(nonce, additionalData, ciphertext) {
          checkNonce(nonce)
          const end = ciphertext.length - tagLength
          if (end < 0) return undefined
          const context = createDecipheriv(cipher, secretKey, nonce, options)
          context.setAAD(additionalData)
          context.setAuthTag(ciphertext.subarray(end))
          const plaintext = plain(context.update(ciphertext.subarray(0, end)))
          try {
            context.final()
          } catch {
            plaintext.fill(0)
            return undefined
          }
          return plaintext
        },
      }
    },
  }
}

function hash(name: HashAlgorithm['name'], length: number): HashAlgorithm {
  return {
    name,
    length,
    digest: data => plain(digestOf(name, data, 'buffer')),
    hmac: (key, data) => plain(createHmac(name, key).update(data).digest()),
  }
}

/** `node:crypto` takes no bare X25519 keys, and reads a JWK ten times faster than a DER. */
function openX25519(privateKey: Uint8Array): DiffieHellmanKey {
  // with `d` there Node does not look at `x`, which it needs as little as we have it
  const key = createPrivateKey({
    key: { kty: 'OKP', crv: 'X25519', d: base64url(privateKey), x: '' },
    format: 'jwk',
  })
  return {
    publicKey: () =>
      new Uint8Array(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url')),
    sharedSecret(peer) {
      const publicKey = createPublicKey({
        key: { kty: 'OKP', crv: 'X25519', x: base64url(peer) },
        format: 'jwk',
      })
      try {
        return plain(diffieHellman({ privateKey: key, publicKey }))
      } catch {
        return undefined // OpenSSL refuses the all-zero result (RFC 8446, Section 7.4.2)
      }
    },
  }
}

function openNist(
  curve: 'prime256v1' | 'secp384r1',
): (privateKey: Uint8Array) => DiffieHellmanKey | undefined {
  return privateKey => {
    const ecdh = createECDH(curve)
    try {
      ecdh.setPrivateKey(privateKey)
    } catch {
      return undefined // zero, or not below the order
    }
    return {
      publicKey: () => plain(ecdh.getPublicKey()),
      sharedSecret(peer) {
        try {
          return plain(ecdh.computeSecret(peer))
        } catch {
          return undefined // not on the curve
        }
      },
    }
  }
}

/** How `sign` and `verify` are to use a key; undefined if it is not a key for the scheme. */
type KeyOptions = (key: KeyObject) => SignKeyObjectInput | undefined

function ecdsaKey(scheme: EcdsaScheme): KeyOptions {
  const namedCurve = scheme.curve === 'secp256r1' ? 'prime256v1' : scheme.curve
  return key =>
    key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === namedCurve
      ? { key, dsaEncoding: 'der' }
      : undefined
}

function ed25519Key(key: KeyObject): SignKeyObjectInput | undefined {
  return key.asymmetricKeyType === 'ed25519' ? { key } : undefined
}

function rsaPssKey(scheme: RsaPssScheme): KeyOptions {
  return key => {
    const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {}
    // 'rsa' is rsaEncryption; a key under the RSASSA-PSS OID is 'rsa-pss' and belongs to the rsa_pss_pss schemes
    if (key.asymmetricKeyType !== 'rsa' || modulusLength === undefined || publicExponent === undefined)
      return undefined
    if (!acceptableRsaKey(scheme, modulusLength, publicExponent)) return undefined
    return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: scheme.hashLength }
  }
}

function signatureAlgorithm(
  { scheme, name }: { readonly scheme: number; readonly name: string },
  digest: string | null,
  optionsFor: KeyOptions,
): SignatureAlgorithm {
  return {
    scheme,
    name,
    signer(privateKey) {
      const key = attempt(() => createPrivateKey({ key: asBuffer(privateKey), format: 'der', type: 'pkcs8' }))
      const options = key && optionsFor(key)
      return options && { scheme, sign: content => plain(sign(digest, content, options)) }
    },
    verify(publicKey, content, signature) {
      const key = readPublicKey(publicKey)
      const options = key && optionsFor(key)
      return options !== undefined && verify(digest, content, options, signature)
    },
  }
}

/**
 * What stands before the coordinates in the DER of such keys (RFC 5480, RFC 8410). There is no other DER of them, so a
 * compressed point, a curve that is spelled out and BER are refused; and a JWK is read faster than a DER.
 */
const POINTS = [
  {
    head: fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004'),
    kty: 'EC',
    crv: 'P-256',
    size: 32,
  },
  { head: fromHex('3076301006072a8648ce3d020106052b8104002203620004'), kty: 'EC', crv: 'P-384', size: 48 },
  { head: fromHex('302a300506032b6570032100'), kty: 'OKP', crv: 'Ed25519', size: 32 },
] as const

function readPublicKey(spki: Uint8Array): KeyObject | undefined {
  for (const { head, kty, crv, size } of POINTS) {
    const end = head.length + size
    if (!equal(spki.subarray(0, head.length), head)) continue
    if (spki.length !== (kty === 'EC' ? end + size : end)) return undefined
    const x = base64url(spki.subarray(head.length, end))
    const jwk = kty === 'EC' ? { kty, crv, x, y: base64url(spki.subarray(end)) } : { kty, crv, x }
    return attempt(() => createPublicKey({ key: jwk, format: 'jwk' }))
  }
  const key = attempt(() => createPublicKey({ key: asBuffer(spki), format: 'der', type: 'spki' }))
  // OpenSSL reads BER and overlooks what follows: an RSA key is accepted only if its DER is the very bytes that came
  return key?.asymmetricKeyType === 'rsa' && key.export({ format: 'der', type: 'spki' }).equals(spki)
    ? key
    : undefined
}

function base64url(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64url')
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
