import { createHash } from 'node:crypto'
import { utf8 } from '../wire/index.ts'
import { base64url, fromBase64url } from './base64url.ts'
import { type Fields, isFields } from './json.ts'

/** A JSON Web Signature in the flattened form (RFC 7515 §7.2.2), as ACME has it (RFC 8555 §6.2). */
export interface Jws {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

/** The public key of an account on P-256 (RFC 7518 §6.2.1). */
export interface PublicJwk {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
}

/** What is kept of a key of an account: secret. */
export interface PrivateJwk extends PublicJwk {
  readonly d: string
}

const ES256 = { name: 'ECDSA', namedCurve: 'P-256' } as const
const HMAC = { name: 'HMAC', hash: 'SHA-256' } as const
const { subtle } = globalThis.crypto
type CryptoKey = Parameters<typeof subtle.exportKey>[1]

/** What signs. */
export interface JwsKey {
  readonly jwk: Fields
  /** @param header besides `alg` @param payload a JSON value; undefined: none (POST-as-GET, §6.3) */
  sign(header: Fields, payload: unknown): Promise<Jws>
}

/** By which algorithm a key signs (RFC 7518 §3.1), how it is imported, and what names it. */
const KINDS = [
  {
    alg: 'ES256',
    kind: ES256,
    by: { name: 'ECDSA', hash: 'SHA-256' },
    names: ['crv', 'kty', 'x', 'y'],
    is: ({ kty, crv }: Fields) => kty === 'EC' && crv === 'P-256',
  },
  {
    alg: 'ES384',
    kind: { name: 'ECDSA', namedCurve: 'P-384' },
    by: { name: 'ECDSA', hash: 'SHA-384' },
    names: ['crv', 'kty', 'x', 'y'],
    is: ({ kty, crv }: Fields) => kty === 'EC' && crv === 'P-384',
  },
  {
    alg: 'RS256',
    kind: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    by: { name: 'RSASSA-PKCS1-v1_5' },
    names: ['e', 'kty', 'n'],
    is: ({ kty }: Fields) => kty === 'RSA',
  },
] as const

/** The key of a certificate, which signs for itself. @param jwk private @throws RangeError of another kind */
export async function ownKey(jwk: Fields): Promise<JwsKey> {
  const found = KINDS.find(({ is }) => is(jwk))
  if (found === undefined)
    throw new RangeError('no algorithm of JOSE that authorities know signs by that key')
  const { alg, kind, by, names } = found
  const key = await subtle.importKey('jwk', jwk, kind, false, ['sign'])
  return {
    jwk: Object.fromEntries(names.map(name => [name, jwk[name]])),
    sign: (header, payload) =>
      signed({ alg, ...header }, payload, async bytes => new Uint8Array(await subtle.sign(by, key, bytes))),
  }
}

/** The key of an account: it signs by ES256, which every server knows (RFC 8555 §6.2). */
export class AccountKey implements JwsKey {
  readonly #key: CryptoKey
  readonly jwk: PublicJwk & Fields

  private constructor(key: CryptoKey, { x, y }: PublicJwk) {
    this.#key = key
    // In this order of names it is hashed.
    this.jwk = { crv: 'P-256', kty: 'EC', x, y }
  }

  /** @returns what is to be kept of it */
  static async make(): Promise<PrivateJwk> {
    const { privateKey } = await subtle.generateKey(ES256, true, ['sign', 'verify'])
    const { x, y, d } = await subtle.exportKey('jwk', privateKey)
    return { kty: 'EC', crv: 'P-256', x: x!, y: y!, d: d! }
  }

  /** @throws RangeError it is no key on P-256 */
  static async from(kept: unknown): Promise<AccountKey> {
    if (!isPrivateJwk(kept)) throw new RangeError('that is no private key on P-256 as a JWK (RFC 7518 §6.2)')
    const { kty, crv, x, y, d } = kept
    const key = await subtle
      .importKey('jwk', { kty, crv, x, y, d }, ES256, false, ['sign'])
      .catch((error: Error) => {
        throw new RangeError(`the key of the account is damaged: ${error.message}`)
      })
    return new AccountKey(key, kept)
  }

  /** What a challenge has to show besides its token (RFC 8555 §8.1): the SHA-256 of the key (RFC 7638). */
  get thumbprint(): string {
    return base64url(createHash('sha256').update(JSON.stringify(this.jwk)).digest())
  }

  /** @param header besides `alg` @param payload a JSON value; undefined: none (POST-as-GET, §6.3) */
  sign(header: Fields, payload: unknown): Promise<Jws> {
    return signed({ alg: 'ES256', ...header }, payload, async bytes => {
      return new Uint8Array(await subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, this.#key, bytes))
    })
  }
}

function isPrivateJwk(value: unknown): value is PrivateJwk {
  if (!isFields(value) || value.kty !== 'EC' || value.crv !== 'P-256') return false
  return [value.x, value.y, value.d].every(one => typeof one === 'string' && /^[\w-]{43}$/.test(one))
}

/**
 * What binds an account to one that its owner has with the authority already (RFC 8555 §7.3.4).
 * @param secret base64url, as the authority has given it @throws RangeError it is not
 */
export async function externalBinding(
  jwk: PublicJwk,
  { keyId, secret }: { readonly keyId: string; readonly secret: string },
  url: string,
): Promise<Jws> {
  const key = await subtle.importKey('raw', plainBytes(fromBase64url(secret)), HMAC, false, ['sign'])
  return signed({ alg: 'HS256', kid: keyId, url }, jwk, async bytes => {
    return new Uint8Array(await subtle.sign(HMAC, key, bytes))
  })
}

async function signed(
  header: Fields,
  payload: unknown,
  sign: (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>,
): Promise<Jws> {
  const head = base64url(JSON.stringify(header))
  const body = payload === undefined ? '' : base64url(JSON.stringify(payload))
  const signature = await sign(plainBytes(utf8(`${head}.${body}`)))
  return { protected: head, payload: body, signature: base64url(signature) }
}

function plainBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes)
}
