import { ECParameters, ECPrivateKey } from '@peculiar/asn1-ecc'
import { PrivateKeyInfo } from '@peculiar/asn1-pkcs8'
import { RSAPrivateKey, RSAPublicKey } from '@peculiar/asn1-rsa'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import { type AlgorithmIdentifier, SubjectPublicKeyInfo } from '@peculiar/asn1-x509'
import { equal } from '../../wire/index.ts'
import type { NistCurve } from './algorithms.ts'
import { type RsaPrivateKey, type RsaPublicKey, toInteger } from './rsa.ts'

/** A public key out of a certificate. Points are as in the DER: 65 or 97 bytes uncompressed on a NIST curve, 32 for Ed25519. */
export type PublicKey =
  | { readonly kind: 'ec'; readonly curve: NistCurve; readonly point: Uint8Array }
  | { readonly kind: 'ed25519'; readonly point: Uint8Array }
  | ({ readonly kind: 'rsa' } & RsaPublicKey)

/** A private key. Scalars are big-endian, of the curve's length; the seed has 32 bytes. */
export type PrivateKey =
  | { readonly kind: 'ec'; readonly curve: NistCurve; readonly scalar: Uint8Array }
  | { readonly kind: 'ed25519'; readonly seed: Uint8Array }
  | ({ readonly kind: 'rsa' } & RsaPrivateKey)

/**
 * Reads a SubjectPublicKeyInfo (RFC 5280, Section 4.1.2.7). Undefined if it is not DER, has more or fewer bytes, or holds a
 * key of a kind that we have no use for.
 */
export function parsePublicKey(der: Uint8Array): PublicKey | undefined {
  try {
    const { algorithm, subjectPublicKey } = parse(der, SubjectPublicKeyInfo)
    const kind = kindOf(algorithm)
    const bytes = new Uint8Array(subjectPublicKey)
    switch (kind) {
      case undefined:
        return undefined
      case 'rsa': {
        const key = parse(bytes, RSAPublicKey)
        return { kind, modulus: integer(key.modulus), publicExponent: integer(key.publicExponent) }
      }
      case 'ed25519':
        return bytes.length === 32 ? { kind, point: bytes } : undefined
      default:
        return bytes.length === 1 + 2 * SCALAR_LENGTH[kind] && bytes[0] === 4
          ? { kind: 'ec', curve: kind, point: bytes }
          : undefined
    }
  } catch {
    return undefined // malformed, which is all that the parser can say
  }
}

/**
 * Reads a PrivateKeyInfo (RFC 5208) of RSA (RFC 8017, Appendix A.1.2), of a NIST curve (RFC 5915) or of Ed25519 (RFC 8410).
 * Undefined if it is not DER, is not consistent in itself, or is of another kind.
 */
export function parsePrivateKey(der: Uint8Array): PrivateKey | undefined {
  try {
    const info = parse(der, PrivateKeyInfo)
    const kind = kindOf(info.privateKeyAlgorithm)
    const bytes = new Uint8Array(info.privateKey.buffer)
    switch (kind) {
      case undefined:
        return undefined
      case 'rsa': {
        const key = readRsaPrivateKey(parse(bytes, RSAPrivateKey))
        return key && { kind, ...key }
      }
      case 'ed25519': {
        const seed = new Uint8Array(parse(bytes, OctetString).buffer)
        return seed.length === 32 ? { kind, seed } : undefined
      }
      default: {
        const { privateKey, parameters } = parse(bytes, ECPrivateKey)
        const scalar = new Uint8Array(privateKey.buffer)
        if (parameters !== undefined && CURVES[parameters.namedCurve ?? ''] !== kind) return undefined
        return scalar.length === SCALAR_LENGTH[kind] ? { kind: 'ec', curve: kind, scalar } : undefined
      }
    }
  } catch {
    return undefined // malformed, which is all that the parser can say
  }
}

const CURVES: { readonly [oid: string]: NistCurve | undefined } = {
  '1.2.840.10045.3.1.7': 'secp256r1',
  '1.3.132.0.34': 'secp384r1',
}

const SCALAR_LENGTH: Readonly<Record<NistCurve, number>> = { secp256r1: 32, secp384r1: 48 }

/** Which key follows. The parameters are NULL for RSA, absent for Ed25519 and a named curve for EC (RFC 3279, 8410, 5480). */
function kindOf({ algorithm, parameters }: AlgorithmIdentifier): 'rsa' | 'ed25519' | NistCurve | undefined {
  switch (algorithm) {
    case '1.2.840.113549.1.1.1':
      return parameters === null ? 'rsa' : undefined
    case '1.3.101.112':
      return parameters === undefined ? 'ed25519' : undefined
    case '1.2.840.10045.2.1':
      return parameters ? CURVES[parse(new Uint8Array(parameters), ECParameters).namedCurve ?? ''] : undefined
    default:
      return undefined
  }
}

/** The library reads BER and overlooks what follows; bytes are accepted only if they are the one DER of what was read. */
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
  // more than two primes (version 1) are of no use to anybody
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
