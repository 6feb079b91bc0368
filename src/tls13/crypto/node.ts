import {
  type CipherGCMTypes,
  constants,
  createCipheriv,
  createDecipheriv,
  createDiffieHellman,
  createECDH,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  hash as digestOf,
  type KeyObject,
  randomBytes,
  randomFillSync,
  type SignKeyObjectInput,
  sign,
  verify,
} from 'node:crypto'
import { equal, fromHex } from '../../wire/index.ts'
import { Recent } from '../recent.ts'
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
  type NistCurve,
  RSA_PSS,
  type RsaPssScheme,
  SECP256R1,
  SECP384R1,
  SECP521R1,
  X448,
  X25519,
} from './algorithms.ts'
import { dhAlgorithm, dhPrivateKey, dhPublicKey } from './dh-der.ts'
import { bytesOf, type FiniteField, finiteFieldGroups } from './finite-field.ts'
import type { AeadAlgorithm, CryptoProvider, HashAlgorithm, SignatureAlgorithm } from './provider.ts'

/**
 * OpenSSL 3.0 raises a peer's key to the order of the group before it uses one as a key object, which takes
 * 20 times as long (CVE-2024-41996); with a later one, Node's `DiffieHellman` looks whether the prime is one.
 */
const finiteFields = finiteFieldGroups(
  process.versions.openssl.startsWith('3.0.') ? openFiniteField : openFiniteFieldKey,
)

/**
 * The provider over `node:crypto`, that is over OpenSSL. The only file that imports it. No `Buffer` gets out
 * of here, and nothing that gets out shares memory with anything else.
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
    diffieHellmanGroup(X25519, openMontgomery('X25519')),
    diffieHellmanGroup(SECP256R1, openNist('secp256r1')),
    diffieHellmanGroup(SECP384R1, openNist('secp384r1')),
    diffieHellmanGroup(SECP521R1, openNist('secp521r1')),
    diffieHellmanGroup(X448, openMontgomery('X448')),
    ...finiteFields.groups,
  ],
  costlyGroups: finiteFields.costlyGroups,
  signatureAlgorithms: [
    ...ECDSA.map(scheme => signatureAlgorithm(scheme, scheme.hash, ecdsaKey(scheme))),
    ...EDDSA.map(scheme => signatureAlgorithm(scheme, null, eddsaKey(scheme))),
    ...RSA_PSS.map(scheme => signatureAlgorithm(scheme, scheme.hash, rsaPssKey(scheme))),
  ],
  random,
}

/** Random bytes that have not been handed out yet: asking for few costs as much as asking for many. */
const pool = new Uint8Array(4096)
let unused = 0

function random(length: number): Uint8Array {
  // What is large, or no number of bytes at all, is for Node to deal with.
  if (length >>> 0 !== length || length > pool.length / 4) return plain(randomBytes(length))
  if (length > unused) {
    randomFillSync(pool)
    unused = pool.length
  }
  const end = unused
  unused -= length
  const bytes = pool.slice(unused, end)
  // An attacker who reads our memory later must not find keys that are in use.
  pool.fill(0, unused, end)
  return bytes
}

/**
 * A result of `node:crypto` without the methods of `Buffer`; copied if it is a part of larger, perhaps shared
 * memory.
 */
function plain(buffer: Buffer): Uint8Array {
  return buffer.length === buffer.buffer.byteLength ? new Uint8Array(buffer.buffer) : new Uint8Array(buffer)
}

/**
 * OpenSSL keys an EVP context anew on every call, which bounds small records; nothing is kept but the key
 * itself.
 */
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
    hmac: (key, data, count) => plain(createHmac(name, key).update(data).digest().subarray(0, count)),
  }
}

/** What stands before the bytes of a private key in its PKCS#8 (RFC 8410 §7). */
const MONTGOMERY_PKCS8 = {
  X25519: fromHex('302e020100300506032b656e04220420'),
  X448: fromHex('3046020100300506032b656f043a0438'),
} as const

/**
 * `node:crypto` takes no bare keys of these curves. A private key comes as PKCS#8, because a JWK must name
 * the public key, too, and Node 24 refuses one that does not; a public key comes as a JWK, which is read
 * faster than a DER.
 */
function openMontgomery(crv: keyof typeof MONTGOMERY_PKCS8): (privateKey: Uint8Array) => DiffieHellmanKey {
  const readPeer = (peer: Uint8Array): KeyObject =>
    createPublicKey({ key: { kty: 'OKP', crv, x: base64url(peer) }, format: 'jwk' })
  return privateKey => {
    const der = Buffer.concat([MONTGOMERY_PKCS8[crv], privateKey])
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    der.fill(0)
    return {
      publicKey: () =>
        new Uint8Array(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url')),
      // OpenSSL refuses the all-zero result (RFC 8446 §7.4.2)
      sharedSecret: peer =>
        attempt(() => plain(diffieHellman({ privateKey: key, publicKey: readPeer(peer) }))),
    }
  }
}

/** OpenSSL's names of the NIST curves. */
const NIST_CURVES: Readonly<Record<NistCurve, string>> = {
  secp256r1: 'prime256v1',
  secp384r1: 'secp384r1',
  secp521r1: 'secp521r1',
}

function openNist(curve: NistCurve): (privateKey: Uint8Array) => DiffieHellmanKey | undefined {
  return privateKey => {
    const ecdh = createECDH(NIST_CURVES[curve])
    try {
      ecdh.setPrivateKey(privateKey)
    } catch {
      return undefined // zero, or not below the order
    }
    return {
      publicKey: () => plain(ecdh.getPublicKey()),
      // It throws if the point is not on the curve.
      sharedSecret: peer => attempt(() => plain(ecdh.computeSecret(peer))),
    }
  }
}

function openFiniteField(field: FiniteField, privateKey: Uint8Array): DiffieHellmanKey {
  const key = createDiffieHellman(bytesOf(field.prime(), field.keyExchangeLength), 2)
  key.setPrivateKey(privateKey)
  return {
    publicKey: () => padded(key.generateKeys(), field),
    sharedSecret: peer => attempt(() => padded(key.computeSecret(peer), field)),
  }
}

/** The same by key objects. */
function openFiniteFieldKey(field: FiniteField, privateKey: Uint8Array): DiffieHellmanKey {
  const algorithm = dhAlgorithm(bytesOf(field.prime(), field.keyExchangeLength))
  const der = asBuffer(dhPrivateKey(algorithm, privateKey))
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  const raised = (base: Uint8Array): Uint8Array => {
    const spki = asBuffer(dhPublicKey(algorithm, base))
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    return padded(diffieHellman({ privateKey: key, publicKey }), field)
  }
  return { publicKey: () => raised(Uint8Array.of(2)), sharedSecret: peer => attempt(() => raised(peer)) }
}

/** With the zeros in front that a number as small as that is without. */
function padded(number: Buffer, { keyExchangeLength }: FiniteField): Uint8Array {
  if (number.length === keyExchangeLength) return plain(number)
  const bytes = new Uint8Array(keyExchangeLength)
  bytes.set(number, keyExchangeLength - number.length)
  return bytes
}

/** How `sign` and `verify` are to use a key; undefined if it is not a key for the scheme. */
type KeyOptions = (key: KeyObject) => SignKeyObjectInput | undefined

function ecdsaKey(scheme: EcdsaScheme): KeyOptions {
  return key =>
    key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === NIST_CURVES[scheme.curve]
      ? { key, dsaEncoding: 'der' }
      : undefined
}

function eddsaKey({ name }: EddsaScheme): KeyOptions {
  return key => (key.asymmetricKeyType === name ? { key } : undefined)
}

function rsaPssKey(scheme: RsaPssScheme): KeyOptions {
  return key => {
    // 'rsa' is rsaEncryption, 'rsa-pss' is id-RSASSA-PSS: OpenSSL calls them as we do
    if (key.asymmetricKeyType !== scheme.key) return undefined
    const details = key.asymmetricKeyDetails ?? {}
    const { modulusLength = 0, publicExponent = 0n, hashAlgorithm, mgf1HashAlgorithm, saltLength } = details
    if (!acceptableRsaKey(scheme, modulusLength, publicExponent)) return undefined
    const restriction =
      hashAlgorithm === undefined
        ? undefined
        : { hash: hashAlgorithm, maskHash: mgf1HashAlgorithm ?? '', saltLength: saltLength ?? Infinity }
    if (!acceptablePssParameters(scheme, restriction)) return undefined
    return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: scheme.hashLength }
  }
}

/** Keys that every scheme is asked about in turn: to read one takes longer than all the rest of a start. */
const signingKeys = new WeakMap<Uint8Array, KeyObject>()

/** The key in these bytes, which must not change; undefined if it is none. */
function signingKey(privateKey: Uint8Array): KeyObject | undefined {
  const known = signingKeys.get(privateKey)
  if (known !== undefined) return known
  const key = attempt(() => createPrivateKey({ key: asBuffer(privateKey), format: 'der', type: 'pkcs8' }))
  if (key !== undefined) signingKeys.set(privateKey, key)
  return key
}

function signatureAlgorithm(
  { scheme, name }: { readonly scheme: number; readonly name: string },
  digest: string | null,
  optionsFor: KeyOptions,
): SignatureAlgorithm {
  const keyOf = publicKeys(optionsFor)
  return {
    scheme,
    name,
    signer(privateKey) {
      const key = signingKey(privateKey)
      const options = key && optionsFor(key)
      return options && { scheme, sign: content => plain(sign(digest, content, options)) }
    },
    fits: publicKey => keyOf(publicKey) !== undefined,
    verify(publicKey, content, signature) {
      const key = keyOf(publicKey)
      if (key === undefined || (key.length !== undefined && key.length !== signature.length)) return false
      return verify(digest, content, key.options, signature)
    },
  }
}

/** A public key that is ready, and the bytes of a signature if there is but one number (RSA). */
interface VerifyingKey {
  readonly options: SignKeyObjectInput
  readonly length: number | undefined
}

/** The longest key that is kept, in bytes: RSA of 4096 bits has 550. */
const KEPT_LENGTH = 600

/**
 * Keys of peers that are seen again: to read one takes as long as to verify with it. A key that is none, or
 * of another scheme, is not kept.
 * @returns what reads a SubjectPublicKeyInfo; undefined if it is no key of the scheme
 */
function publicKeys(optionsFor: KeyOptions): (spki: Uint8Array) => VerifyingKey | undefined {
  const kept = new Recent<VerifyingKey>(64)
  return spki => {
    if (spki.length > KEPT_LENGTH) return readVerifyingKey(spki, optionsFor)
    const name = asBuffer(spki).toString('latin1')
    let key = kept.get(name)
    if (key !== undefined) return key
    key = readVerifyingKey(spki, optionsFor)
    if (key !== undefined) kept.set(name, key)
    return key
  }
}

function readVerifyingKey(spki: Uint8Array, optionsFor: KeyOptions): VerifyingKey | undefined {
  const key = readPublicKey(spki)
  const options = key && optionsFor(key)
  if (options === undefined) return undefined
  // RFC 8017 §8.1.2: an RSA signature is as long as the modulus. OpenSSL takes one without its leading zeros,
  // too.
  const { modulusLength } = (options.key as KeyObject).asymmetricKeyDetails ?? {}
  return { options, length: modulusLength === undefined ? undefined : Math.ceil(modulusLength / 8) }
}

/**
 * What stands before the coordinates in the DER of such keys (RFC 5480, RFC 8410). There is no other DER of
 * them, so a compressed point, a curve that is spelled out and BER are refused; and a JWK is read faster than
 * a DER.
 */
const POINTS = [
  {
    head: fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004'),
    kty: 'EC',
    crv: 'P-256',
    size: 32,
  },
  { head: fromHex('3076301006072a8648ce3d020106052b8104002203620004'), kty: 'EC', crv: 'P-384', size: 48 },
  {
    head: fromHex('30819b301006072a8648ce3d020106052b810400230381860004'),
    kty: 'EC',
    crv: 'P-521',
    size: 66,
  },
  { head: fromHex('302a300506032b6570032100'), kty: 'OKP', crv: 'Ed25519', size: 32 },
  { head: fromHex('3043300506032b6571033a00'), kty: 'OKP', crv: 'Ed448', size: 57 },
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
  return attempt(() => {
    const key = createPublicKey({ key: asBuffer(spki), format: 'der', type: 'spki' })
    if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'rsa-pss') return undefined
    // OpenSSL reads BER and overlooks what follows: an RSA key is accepted only if its DER is the very bytes
    // that came; and of some parameters that it has read it throws when it is to write them
    return key.export({ format: 'der', type: 'spki' }).equals(spki) ? key : undefined
  })
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
