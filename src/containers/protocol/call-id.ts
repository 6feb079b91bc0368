import { randomFillSync } from 'node:crypto'

/** Ids that are drawn at once, and bytes of one (RFC 9562 §5.4). */
const DRAWN = 128
const LENGTH = 16
const drawn = new Uint8Array(DRAWN * LENGTH)
let left = 0

const DIGITS = '0123456789abcdef'
const DASH = 0x2d
/** Written anew for each id, so that an id is one piece of text and not many that are put together. */
const text = Buffer.alloc(36)

/** An id for a call that has brought none: a random UUID (RFC 9562, version 4). */
export function freshCallId(): string {
  if (left === 0) {
    randomFillSync(drawn)
    left = DRAWN
  }
  const from = --left * LENGTH
  drawn[from + 6] = (drawn[from + 6]! & 0x0f) | 0x40
  drawn[from + 8] = (drawn[from + 8]! & 0x3f) | 0x80
  let at = 0
  for (let i = 0; i < LENGTH; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text[at++] = DASH
    const byte = drawn[from + i]!
    text[at++] = DIGITS.charCodeAt(byte >> 4)
    text[at++] = DIGITS.charCodeAt(byte & 0x0f)
  }
  return text.toString('latin1')
}
