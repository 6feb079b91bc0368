import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto'
import { LEAF_KEYS, type LeafKey } from '../platform/acme-settings.ts'
import { type Der, integer, objectIdentifier, pem, sequence } from './der.ts'

/** A key that can sign what says whose it is. */
export interface SigningKey {
  /** PKCS#8 in PEM. */
  readonly privateKey: string
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
  /** An AlgorithmIdentifier (RFC 5280 §4.1.1.2), DER. */
  readonly algorithm: Der
  sign(bytes: Uint8Array): Promise<Uint8Array>
}

type Parameters = webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams

function parametersOf(kind: LeafKey): Parameters {
  if (kind === 'ecdsa-p256') return { name: 'ECDSA', namedCurve: 'P-256' }
  if (kind === 'ecdsa-p384') return { name: 'ECDSA', namedCurve: 'P-384' }
  return {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: Number(kind.slice('rsa-'.length)),
    publicExponent: Uint8Array.of(1, 0, 1),
  }
}

/** ecdsa-with-SHA256 and -SHA384 (RFC 5758 §3.2), and sha256WithRSAEncryption (RFC 4055 §5). */
const SIGNATURES = { p256: '1.2.840.10045.4.3.2', p384: '1.2.840.10045.4.3.3', rsa: '1.2.840.113549.1.1.11' }
const NULL = Uint8Array.of(5, 0)

/** Makes a key. @returns PKCS#8 in PEM */
export async function makeLeafKey(kind: LeafKey): Promise<string> {
  const parameters = parametersOf(kind)
  const { privateKey } = (await webcrypto.subtle.generateKey(parameters, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair
  return pem('PRIVATE KEY', new Uint8Array(await webcrypto.subtle.exportKey('pkcs8', privateKey)))
}

/** A private key as a JWK (RFC 7518 §6). @param privateKey PEM @throws Error it is no key */
export function leafJwk(privateKey: string): Readonly<Record<string, unknown>> {
  return { ...createPrivateKey(privateKey).export({ format: 'jwk' }) }
}

/** @param privateKey PEM, of a kind of {@link LEAF_KEYS} @throws Error it is no key, or none of these */
export function signingKey(privateKey: string): SigningKey {
  const key = createPrivateKey(privateKey)
  const der = key.export({ format: 'der', type: 'pkcs8' })
  const publicKey = Uint8Array.from(createPublicKey(key).export({ format: 'der', type: 'spki' }))
  const own = { privateKey, publicKey }
  if (key.asymmetricKeyType === 'rsa') {
    const parameters = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    const sign = async (bytes: Uint8Array): Promise<Uint8Array> => {
      const one = await webcrypto.subtle.importKey('pkcs8', der, parameters, false, ['sign'])
      return new Uint8Array(await webcrypto.subtle.sign(parameters, one, bytes))
    }
    return { ...own, algorithm: sequence(objectIdentifier(SIGNATURES.rsa), NULL), sign }
  }
  const curve = key.asymmetricKeyDetails?.namedCurve
  if (curve !== 'prime256v1' && curve !== 'secp384r1')
    throw new Error(`a key of type ${curve ?? key.asymmetricKeyType} is none of ${LEAF_KEYS.join(', ')}`)
  const [namedCurve, hash, oid] =
    curve === 'prime256v1' ? ['P-256', 'SHA-256', SIGNATURES.p256] : ['P-384', 'SHA-384', SIGNATURES.p384]
  const sign = async (bytes: Uint8Array): Promise<Uint8Array> => {
    const one = await webcrypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve }, false, ['sign'])
    return ecdsaValue(new Uint8Array(await webcrypto.subtle.sign({ name: 'ECDSA', hash }, one, bytes)))
  }
  return { ...own, algorithm: sequence(objectIdentifier(oid!)), sign }
}

/** Out of r and s, one behind the other, the Ecdsa-Sig-Value of certificates (RFC 3279 §2.2.3). */
function ecdsaValue(raw: Uint8Array): Der {
  const half = raw.length / 2
  return sequence(integer(raw.subarray(0, half)), integer(raw.subarray(half)))
}
