import { fresh, SmallMemory } from '../../wire/index.ts'

/**
 * The character classes of RFC 9110 §5.6, and RFC 9112, as tables of 256 bytes, and text as bytes.
 */

function table(allowed: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allowed(byte) ? 1 : 0))
}

const among = (characters: string) => (byte: number) => characters.includes(String.fromCharCode(byte))
const isTokenMark = among("!#$%&'*+-.^_`|~")
const isNoTarget = among('"#<>')

const isAlphanumeric = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)

/** `tchar`: what methods and field names are made of (RFC 9110 §5.6.2). */
export const TOKEN: Uint8Array = table(byte => isAlphanumeric(byte) || isTokenMark(byte))

/**
 * What we take in a request target: visible ASCII but for `"`, `#`, `<` and `>`. Browsers send the rest as it
 * is.
 */
export const TARGET: Uint8Array = table(byte => byte > 0x20 && byte < 0x7f && !isNoTarget(byte))

/** What a field value may hold: HTAB, SP, VCHAR and obs-text (RFC 9110 §5.5). */
export const VALUE: Uint8Array = table(byte => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f))

const TOKEN_TEXT = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE_TEXT = /^[\t\x20-\x7e\x80-\xff]*$/

/** Whether the text is a `token` (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  if (TOKENS.has(text)) return true
  if (!TOKEN_TEXT.test(text)) return false
  if (TOKENS.size < KNOWN && text.length <= SHORT) TOKENS.add(text)
  return true
}

/** Some that were looked at before: functions give the same names again and again. */
const TOKENS = new Set<string>()
const KNOWN = 256
/** Characters up to which a loop is quicker than an expression. */
const SHORT = 64

/** Whether the text may be sent as a field value: ISO 8859-1 without control characters but HTAB. */
export function isFieldValue(text: string): boolean {
  if (text.length > SHORT) return VALUE_TEXT.test(text)
  for (let i = 0; i < text.length; i++) if (VALUE[text.charCodeAt(i)] !== 1) return false
  return true
}

/** A field as a line. @throws TypeError if it cannot be sent */
export function fieldLine(name: string, value: string): string {
  if (!isToken(name)) throw new TypeError('a field name is not a token')
  if (!isFieldValue(value)) throw new TypeError(`the value of ${name} cannot be sent in a field`)
  return `${name}: ${value}\r\n`
}

const decoder = new TextDecoder()
/** Node's own, which needs neither a view nor a decoder; undefined in a browser. */
const { latin1Slice } = ((globalThis as { Buffer?: { prototype: object } }).Buffer?.prototype ?? {}) as {
  latin1Slice?: (this: Uint8Array, start: number, end: number) => string
}
const encoder = new TextEncoder()

/**
 * The bytes from `start` to before `end` as characters, one each (ISO 8859-1). @param ascii all are below
 * 0x80
 */
export function latin1(bytes: Uint8Array, start: number, end: number, ascii: boolean): string {
  if (latin1Slice !== undefined) return latin1Slice.call(bytes, start, end)
  if (ascii) return decoder.decode(bytes.subarray(start, end))
  let text = ''
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number)
  return text
}

/** Characters up to which a loop is quicker than an encoder: it takes 4 ns for each. */
const SHORT_TEXT = 16

/**
 * Writes characters below U+0100 as one byte each (ISO 8859-1) to the start of `target`, which must have room
 * for `text.length` bytes; what is behind them may become zeros.
 */
export function writeLatin1(text: string, target: Uint8Array): void {
  if (text.length > SHORT_TEXT) {
    const { read, written } = encoder.encodeInto(text, target)
    if (read === text.length && written === text.length) return
    // As UTF-8 it takes more bytes than it has characters.
    if (written > text.length) target.fill(0, text.length, written)
  }
  for (let i = 0; i < text.length; i++) target[i] = text.charCodeAt(i)
}

/**
 * Characters below U+0100 as one byte each (ISO 8859-1), and room for `more` bytes behind them, which are
 * zero.
 */
export function latin1Bytes(text: string, more = 0): Uint8Array {
  const bytes = fresh(text.length + more)
  writeLatin1(text, bytes)
  return bytes
}

/** For one whole response, until its way out has copied it. */
export const replyMemory = new SmallMemory()

/** As {@link latin1Bytes}, in memory that {@link replyMemory} takes back; the room may hold anything. */
export function replyBytes(text: string, more: number): Uint8Array {
  const bytes = replyMemory.take(text.length + more)
  writeLatin1(text, bytes)
  return bytes
}
