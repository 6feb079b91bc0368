/** Of RFC 9110 §5.6.2: which bytes may be in a token. */
const TOKEN = new Uint8Array(128)
for (const one of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
  TOKEN[one.charCodeAt(0)] = 1

const [TAB, LF, CR, SPACE, COLON, DELETE] = [9, 10, 13, 32, 58, 127] as const
const ZERO = 48
/** Bytes of `HTTP/1.1`. */
const VERSION = 8
const CONTENT_LENGTH = [...'content-length'].map(one => one.charCodeAt(0))
const LOWER_CASE = 0x20

/** What the last head said that {@link readHead} has read. One object for all of them. */
export const head = {
  /** Where the content begins. */
  end: 0,
  /** Of the content. */
  length: 0,
  /** The last byte of the target: the owner's letter. */
  owner: 0,
}

/**
 * Reads the head of an HTTP/1.1 request byte by byte into {@link head}, in one pass and without making
 * anything. @returns whether it is one, and is there whole with its content
 */
export function readHead(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from
  while (TOKEN[bytes[at]!] === 1) at++
  if (at === from || bytes[at] !== SPACE) return false
  at++
  while (bytes[at]! > SPACE && bytes[at]! < DELETE) at++
  head.owner = bytes[at - 1]!
  if (bytes[at] !== SPACE) return false
  at += 1 + VERSION
  if (bytes[at] !== CR || bytes[at + 1] !== LF) return false
  at += 2
  head.length = 0
  while (bytes[at] !== CR) {
    const name = at
    while (TOKEN[bytes[at]!] === 1) at++
    if (at === name || bytes[at] !== COLON) return false
    const nameEnd = at++
    while (bytes[at] === SPACE) at++
    const value = at
    while (bytes[at]! >= SPACE || bytes[at] === TAB) at++
    if (bytes[at] !== CR || bytes[at + 1] !== LF || at >= to) return false
    if (isContentLength(bytes, name, nameEnd)) head.length = numberOf(bytes, value, at)
    at += 2
  }
  head.end = at + 2
  return bytes[at + 1] === LF && head.end + head.length <= to
}

function isContentLength(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== CONTENT_LENGTH.length) return false
  for (let i = from; i < to; i++) if ((bytes[i]! | LOWER_CASE) !== CONTENT_LENGTH[i - from]) return false
  return true
}

function numberOf(bytes: Uint8Array, from: number, to: number): number {
  let number = 0
  for (let at = from; at < to; at++) number = number * 10 + bytes[at]! - ZERO
  return number
}
