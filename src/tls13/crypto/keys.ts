import { ECParameters, ECPrivateKey } from '@peculiar/asn1-ecc'
import { PrivateKeyInfo } from '@peculiar/asn1-pkcs8'
import {
  id_mgf1,
  id_RSASSA_PSS,
  id_rsaEncryption,
  id_sha256,
  id_sha384,
  id_sha512,
  RSAPrivateKey,
  RSAPublicKey,
  RsaSaPssParams,
} from '@peculiar/asn1-rsa'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier, SubjectPublicKeyInfo } from '@peculiar/asn1-x509'
import { equal } from '../../wire/index.ts'
import type { EddsaScheme, NistCurve, PssParameters } from './algorithms.ts'
import { type RsaPrivateKey, type RsaPublicKey, toInteger } from './rsa.ts'

/** The name of an Edwards curve. */
export type EdwardsCurve = EddsaScheme['name']

/**
 * A public key out of a certificate. Points are as in the DER: uncompressed on a NIST curve, 32 or 57 bytes
 * for EdDSA.
 */
export type PublicKey =
  | { readonly kind: 'ec'; readonly curve: NistCurve; readonly point: Uint8Array }
  | { readonly kind: EdwardsCurve; readonly point: Uint8Array }
  | (RsaKind & RsaPublicKey)

/**
 * A private key. Scalars are big-endian, of the curve's length; a seed has 32 bytes for Ed25519 and 57 for
 * Ed448.
 */
export type PrivateKey =
  | { readonly kind: 'ec'; readonly curve: NistCurve; readonly scalar: Uint8Array }
  | { readonly kind: EdwardsCurve; readonly seed: Uint8Array }
  | (RsaKind & RsaPrivateKey)

/**
 * Under which identifier an RSA key came: rsaEncryption, or id-RSASSA-PSS and what it restricts the key to.
 */
type RsaKind =
  | { readonly kind: 'rsa' }
  | { readonly kind: 'rsa-pss'; readonly parameters: PssParameters | undefined }

/**
 * Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). Undefined if it is not DER, has more or fewer
 * bytes, or holds a key of a kind that we have no use for.
 */
export function parsePublicKey(der: Uint8Array): PublicKey | undefined {
  try {
    const { algorithm, subjectPublicKey } = parse(der, SubjectPublicKeyInfo)
    const kind = kindOf(algorithm)
    if (kind === undefined) return undefined
    const bytes = new Uint8Array(subjectPublicKey)
    switch (kind.kind) {
      case 'rsa':
      case 'rsa-pss': {
        const key = parse(bytes, RSAPublicKey)
        return { ...kind, modulus: integer(key.modulus), publicExponent: integer(key.publicExponent) }
      }
      case 'ec':
        return bytes.length === 1 + 2 * SCALAR_LENGTH[kind.curve] && bytes[0] === 4
          ? { ...kind, point: bytes }
          : undefined
      default:
        return bytes.length === SEED_LENGTH[kind.kind] ? { ...kind, point: bytes } : undefined
    }
  } catch {
    return undefined // malformed, which is all that the parser can say
  }
}

/**
 * Reads a PrivateKeyInfo (RFC 5208) of RSA (RFC 8017 Appendix A.1.2), of a NIST curve (RFC 5915) or of EdDSA
 * (RFC 8410). Undefined if it is not DER, is not consistent in itself, or is of another kind.
 */
export function parsePrivateKey(der: Uint8Array): PrivateKey | undefined {
  try {
    const info = parse(der, PrivateKeyInfo)
    const kind = kindOf(info.privateKeyAlgorithm)
    if (kind === undefined) return undefined
    const bytes = new Uint8Array(info.privateKey.buffer)
    switch (kind.kind) {
      case 'rsa':
      case 'rsa-pss': {
        const key = readRsaPrivateKey(parse(bytes, RSAPrivateKey))
        return key && { ...kind, ...key }
      }
      case 'ec': {
        const { privateKey, parameters } = parse(bytes, ECPrivateKey)
        const scalar = new Uint8Array(privateKey.buffer)
        if (parameters !== undefined && CURVES[parameters.namedCurve ?? ''] !== kind.curve) return undefined
        return scalar.length === SCALAR_LENGTH[kind.curve] ? { ...kind, scalar } : undefined
      }
      default: {
        const seed = new Uint8Array(parse(bytes, OctetString).buffer)
        return seed.length === SEED_LENGTH[kind.kind] ? { ...kind, seed } : undefined
      }
    }
  } catch {
    return undefined // malformed, which is all that the parser can say
  }
}

const CURVES: { readonly [oid: string]: NistCurve | undefined } = {
  '1.2.840.10045.3.1.7': 'secp256r1',
  '1.3.132.0.34': 'secp384r1',
  '1.3.132.0.35': 'secp521r1',
}

const SCALAR_LENGTH: Readonly<Record<NistCurve, number>> = { secp256r1: 32, secp384r1: 48, secp521r1: 66 }

/** Bytes of a private key, and as many of a public one (RFC 8032 §5.1.5 and §5.2.5). */
const SEED_LENGTH: Readonly<Record<EdwardsCurve, number>> = { ed25519: 32, ed448: 57 }

const HASHES: { readonly [oid: string]: string | undefined } = {
  [id_sha256]: 'sha256',
  [id_sha384]: 'sha384',
  [id_sha512]: 'sha512',
}

type Kind = RsaKind | { readonly kind: EdwardsCurve } | { readonly kind: 'ec'; readonly curve: NistCurve }

/**
 * Which key follows. The parameters are NULL for rsaEncryption, absent for EdDSA and a named curve for EC
 * (RFC 3279, 8410, 5480); for id-RSASSA-PSS they may be absent (RFC 4055 §3.1).
 */
function kindOf({ algorithm, parameters }: AlgorithmIdentifier): Kind | undefined {
  switch (algorithm) {
    case id_rsaEncryption:
      return parameters === null ? { kind: 'rsa' } : undefined
    case id_RSASSA_PSS:
      if (parameters === undefined) return { kind: 'rsa-pss', parameters }
      return parameters ? { kind: 'rsa-pss', parameters: pssParameters(parameters) } : undefined
    case '1.3.101.112':
      return parameters === undefined ? { kind: 'ed25519' } : undefined
    case '1.3.101.113':
      return parameters === undefined ? { kind: 'ed448' } : undefined
    case '1.2.840.10045.2.1': {
      const curve = parameters && CURVES[parse(new Uint8Array(parameters), ECParameters).namedCurve ?? '']
      return curve ? { kind: 'ec', curve } : undefined
    }
    default:
      return undefined
  }
}

function pssParameters(der: ArrayBuffer): PssParameters {
  const parameters = parse(new Uint8Array(der), RsaSaPssParams)
  const mask = parameters.maskGenAlgorithm
  if (mask.algorithm !== id_mgf1 || !mask.parameters || parameters.trailerField !== 1) {
    throw new Error('not a mask generation function or trailer that RFC 4055 knows')
  }
  return {
    hash: hashOf(parameters.hashAlgorithm),
    maskHash: hashOf(parse(new Uint8Array(mask.parameters), AlgorithmIdentifier)),
    saltLength: parameters.saltLength,
  }
}

/**
 * The name of a hash. RFC 4055 lets its NULL be left out; no known key does so, and OpenSSL gives us no DER
 * to compare with if so.
 */
function hashOf({ algorithm, parameters }: AlgorithmIdentifier): string {
  if (parameters !== null) throw new Error('a hash without its NULL')
  return HASHES[algorithm] ?? algorithm
}

/**
 * The library reads BER and overlooks what follows; bytes are accepted only if they are the one DER of what
 * was read.
 */
function parse<T>(der: Uint8Array, type: new () => T): T {
  const value = AsnConvert.parse(der, type)
  if (!equal(new Uint8Array(AsnConvert.serialize(value)), der)) throw new Error('not DER')
  return value
}

/** A positive INTEGER of a DER, in its shortest form. */
function integer(value: ArrayBuffer): bigint {
  const bytes = new Uint8Array(value)
  const first = bytes[0] ?? 0x80
  if (first >= 0x80 || (first === 0 && (bytes[1] ?? 0) < 0x80)) throw new Error('not a positive DER integer')
  return toInteger(bytes)
}

function readRsaPrivateKey(key: RSAPrivateKey): RsaPrivateKey | undefined {
  const prime1 = integer(key.prime1)
  const prime2 = integer(key.prime2)
  const modulus = integer(key.modulus)
  // more than two primes (version 1) are not supported
  if (key.version !== 0 || prime1 * prime2 !== modulus) return undefined
  return {
    modulus,
    publicExponent: integer(key.publicExponent),
    prime1,
    prime2,
    exponent1: integer(key.exponent1),
    exponent2: integer(key.exponent2),
    coefficient: integer(key.coefficient),
  }
}
