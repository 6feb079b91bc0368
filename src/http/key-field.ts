/**
 * The field of a request that brings the key of a sealed function. Parsers take its value out as bytes, which
 * can be wiped, and never make text of it; no list of fields has it.
 */
export const KEY_FIELD = 'x-hotpotato-key'

/** Whether the field name that lies there is {@link KEY_FIELD}, in any spelling. */
export function isKeyField(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== KEY_FIELD.length) return false
  // No other character of a token becomes a letter or a hyphen by this bit.
  for (let i = 0; i < KEY_FIELD.length; i++)
    if ((bytes[start + i]! | 0x20) !== KEY_FIELD.charCodeAt(i)) return false
  return true
}

/** Whether a line that begins there is that field, and more of it than its name has come. */
export function beginsKeyField(bytes: Uint8Array, start: number, end: number): boolean {
  const nameEnd = start + KEY_FIELD.length
  return end > nameEnd && isKeyField(bytes, start, nameEnd)
}

/** The same for a name as text, of HTTP/2: in lower case. */
export function isKeyText(name: string): boolean {
  return name.length === KEY_FIELD.length && name === KEY_FIELD
}

/**
 * What stands for a key where a request brought two, which are none: no field can have that value (RFC 9110
 * §5.5).
 */
const NEITHER = 0

/** A second key has come: both are wiped. @returns what stands for them */
export function neitherOf(first: Uint8Array, second: Uint8Array): Uint8Array {
  for (const key of [first, second]) key.fill(0)
  return Uint8Array.of(NEITHER)
}

/** Whether that is what {@link neitherOf} gave. */
export function isNeither(key: Uint8Array | undefined): boolean {
  return key?.length === 1 && key[0] === NEITHER
}

/** A copy of what lies there, in memory that nothing else shares and that no collector moves. */
export function secretCopy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(new ArrayBuffer(end - start))
  // To ask for the buffer of short ones leaves them behind where they were.
  for (let at = start; at < end; at++) copy[at - start] = bytes[at]!
  return copy
}
