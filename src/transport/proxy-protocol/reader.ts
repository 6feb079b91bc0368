import { type ProxyHeader, ProxyProtocolError } from './header.ts'
import { LONGEST_V1, parseV1 } from './v1.ts'
import { FIXED, isSignature, parseV2 } from './v2.ts'

/** Bytes of a header of version 2 that are taken, unless the options say another number. */
export const MOST = 4096

/**
 * The header at the front of a connection's bytes, of either version.
 * @param most bytes that it may have
 * @returns the header and its length in bytes; undefined if more bytes are needed
 * @throws ProxyProtocolError as soon as it is certain that there is none, or one that is too long
 */
export function readProxyHeader(
  bytes: Uint8Array,
  most = MOST,
): { readonly header: ProxyHeader; readonly length: number } | undefined {
  if (bytes.length === 0) return undefined
  return isSignature(bytes) ? readV2(bytes, most) : readV1(bytes)
}

function readV2(bytes: Uint8Array, most: number): ReturnType<typeof readProxyHeader> {
  if (bytes.length < FIXED) return undefined
  const length = FIXED + ((bytes[14]! << 8) | bytes[15]!)
  if (length > most) throw new ProxyProtocolError(`a header of ${length} bytes, and ${most} are taken`)
  if (bytes.length < length) return undefined
  return { header: parseV2(bytes.subarray(0, length)), length }
}

const PREFIX = 'PROXY '

function readV1(bytes: Uint8Array): ReturnType<typeof readProxyHeader> {
  const text = String.fromCharCode(...bytes.subarray(0, LONGEST_V1))
  if (!text.startsWith(PREFIX.slice(0, text.length))) throw new ProxyProtocolError('no PROXY protocol header')
  const end = text.indexOf('\n')
  if (end < 0) {
    if (bytes.length >= LONGEST_V1) throw new ProxyProtocolError('a line without an end')
    return undefined
  }
  if (text[end - 1] !== '\r') throw new ProxyProtocolError('a line that does not end in CR LF')
  return { header: parseV1(text.slice(0, end - 1)), length: end + 1 }
}
