import { expect, it } from 'vitest'
import { latin1Bytes, replyBytes } from '../../../src/http/h1/syntax.ts'

const LENGTHS = Array.from({ length: 40 }, (_, length) => length).concat([
  255, 256, 511, 512, 513, 2000, 5000,
])

it.each([
  ['of ASCII', (length: number) => 'x'.repeat(length)],
  ['with one character above it at the end', (length: number) => `${'x'.repeat(length)}\xff`],
  ['with one at the front', (length: number) => `\x80${'x'.repeat(length)}`],
  ['with nothing else', (length: number) => 'é'.repeat(length)],
  ['made of parts', (length: number) => Array.from({ length }, (_, i) => String(i % 10)).join('')],
])('a text %s is one byte for each character, whatever its length', (_, make) => {
  for (const length of LENGTHS) {
    const text = make(length)
    const expected = Buffer.from(text, 'latin1')
    expect(expected.equals(latin1Bytes(text))).toBe(true)
    const room = latin1Bytes(text, 300)
    expect(expected.equals(room.subarray(0, text.length))).toBe(true)
    expect(room.subarray(text.length)).toEqual(new Uint8Array(300))
    expect(expected.equals(replyBytes(text, 3).subarray(0, text.length))).toBe(true)
  }
})
