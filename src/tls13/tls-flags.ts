import { peerError } from './alert.ts'

/**
 * The extension `tls_flags` (draft-ietf-tls-tlsflags §2): what takes one bit to say.
 *
 * @returns the least bytes that hold those flags; undefined for none
 */
export function encodeFlags(numbers: readonly number[]): Uint8Array | undefined {
  if (numbers.length === 0) return undefined
  const flags = new Uint8Array((Math.max(...numbers) >> 3) + 1)
  for (const number of numbers) flags[number >> 3]! |= 1 << (number & 7)
  return flags
}

/** Whether a flag is set. @param flags undefined: none is */
export function hasFlag(flags: Uint8Array | undefined, number: number): boolean {
  return ((flags?.[number >> 3] ?? 0) & (1 << (number & 7))) !== 0
}

/** @throws TlsError illegal_parameter for flags that are not as short as they can be */
export function checkFlags(flags: Uint8Array | undefined): void {
  if (flags?.at(-1) === 0)
    throw peerError('illegal_parameter', 'malformed_flags', 'tls_flags with zeros behind')
}

/** @throws TlsError illegal_parameter for an answer with a flag that the offer does not have */
export function checkAnsweredFlags(answered: Uint8Array | undefined, offered: Uint8Array | undefined): void {
  checkFlags(answered)
  answered?.forEach((byte, i) => {
    if ((byte & ~(offered?.[i] ?? 0)) === 0) return
    throw peerError('illegal_parameter', 'flag_not_offered', 'a flag of tls_flags that was not offered')
  })
}
