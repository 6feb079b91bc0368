import { utf8 } from '../wire/index.ts'
import { DATA_KEY_LENGTH } from './crypto.ts'

/** What a request brings to open a bundle with. Its bytes are secret, and the holder's to wipe. */
export type Credential =
  | { readonly kind: 'data-key'; readonly key: Uint8Array }
  /** Its key is `AGE-SECRET-KEY-1…`, as ASCII. */
  | { readonly kind: 'age-identity'; readonly key: Uint8Array }

const DATA_KEY = utf8('data-key ')
const AGE_IDENTITY = utf8('age-identity ')
const SECRET_KEY = utf8('AGE-SECRET-KEY-')
/** Bytes of an identity; those of age have some 80. */
const MOST_IDENTITY = 1024

/**
 * Reads the value of `x-hotpotato-key` without ever making text of it, which could not be wiped:
 * `data-key BASE64URL` (43 characters) or `age-identity AGE-SECRET-KEY-1…`.
 * @param value is left as it is @returns undefined for anything else
 */
export function readCredential(value: Uint8Array): Credential | undefined {
  if (startsWith(value, DATA_KEY)) {
    const key = fromBase64url(value.subarray(DATA_KEY.length))
    return key === undefined ? undefined : { kind: 'data-key', key }
  }
  if (!startsWith(value, AGE_IDENTITY)) return undefined
  const given = value.subarray(AGE_IDENTITY.length)
  // Whether it fits is found out by a process, which costs too much for what cannot be one.
  if (given.length > MOST_IDENTITY || !startsWith(given, SECRET_KEY)) return undefined
  if (given.some(byte => byte <= 0x20 || byte >= 0x7f)) return undefined
  const key = own(given.length)
  key.set(given)
  return { kind: 'age-identity', key }
}

/** As a caller writes it into `x-hotpotato-key`. */
export function writeDataKey(key: Uint8Array): string {
  return `data-key ${Buffer.from(key).toString('base64url')}`
}

/** Secret bytes lie outside of the engine's heap, which would copy short ones about. */
export function own(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length))
}

function startsWith(value: Uint8Array, prefix: Uint8Array): boolean {
  return value.length >= prefix.length && prefix.every((byte, index) => value[index] === byte)
}

/** A data key out of its 43 characters of base64url (RFC 4648 §5), perhaps with one `=`. */
function fromBase64url(text: Uint8Array): Uint8Array | undefined {
  const count = Math.ceil((DATA_KEY_LENGTH * 4) / 3)
  const padded = text.length === count + 1 && text[count] === 0x3d
  if (text.length !== count && !padded) return undefined
  const key = own(DATA_KEY_LENGTH)
  let bits = 0
  let held = 0
  let wrong = 0
  for (let at = 0, out = 0; at < count; at++) {
    const value = sixBits(text[at]!)
    wrong |= value >> 6
    held = ((held << 6) | (value & 0x3f)) & 0xffff
    bits += 6
    if (bits < 8) continue
    bits -= 8
    key[out++] = (held >> bits) & 0xff
  }
  // What the last character says beyond the key must be nothing, so that a key has one spelling.
  if (wrong === 0 && (held & ((1 << bits) - 1)) === 0) return key
  key.fill(0)
  return undefined
}

/** @returns 64 for what is no character of base64url */
function sixBits(byte: number): number {
  if (byte >= 0x41 && byte <= 0x5a) return byte - 0x41
  if (byte >= 0x61 && byte <= 0x7a) return byte - 0x61 + 26
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30 + 52
  if (byte === 0x2d || byte === 0x2b) return 62
  return byte === 0x5f || byte === 0x2f ? 63 : 64
}
