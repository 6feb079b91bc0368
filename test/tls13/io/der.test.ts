import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  contextTag,
  DerError,
  DerReader,
  only,
  Tag,
  toBoolean,
  toNumber,
  toObjectIdentifier,
} from '../../../src/tls13/io/der.ts'
import { fromHex } from '../../../src/wire/index.ts'

const read = (hex: string) => only(fromHex(hex), Tag.octetString)

describe('elements', () => {
  it('one after the other, up to the end', () => {
    const reader = new DerReader(fromHex('0101ff 040212 34 a000 0500'.replaceAll(' ', '')))
    expect(reader.take(Tag.boolean)).toEqual(Uint8Array.of(0xff))
    expect(reader.takeIf(Tag.integer)).toBeUndefined()
    expect(reader.whole(Tag.octetString)).toEqual(fromHex('04021234'))
    expect(reader.takeIf(contextTag(0))).toEqual(new Uint8Array(0))
    expect(() => reader.end()).toThrow(DerError)
    reader.take(5)
    expect(reader.next).toBeUndefined()
    reader.end()
    expect(() => reader.take(5)).toThrow(DerError)
  })
  it('with lengths of one and more bytes', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const head = length < 128 ? [length] : length < 256 ? [0x81, length] : []
      if (head.length === 0) {
        const bytes = [length >> 16, (length >> 8) & 0xff, length & 0xff].slice(length < 65_536 ? 1 : 0)
        head.push(0x80 | bytes.length, ...bytes)
      }
      expect(only(Uint8Array.of(4, ...head, ...new Uint8Array(length)), 4).length).toBe(length)
    }
  })
  it.each([
    ['another tag', '0500'],
    ['nothing', ''],
    ['no length', '04'],
    ['a length of more bytes than there are', '0482ff'],
    ['an end that is not there', '040500'],
    ['something behind it', '04010000'],
    ['an indefinite length (BER)', '0480000000'],
    ['a length in more bytes than it needs', `04817f${'00'.repeat(127)}`],
    ['a length with a zero in front', `048200ff${'00'.repeat(255)}`],
    ['a length of five bytes', '04850000000000'],
    ['the length that is reserved', '04ff00'],
    ['a constructed string (BER)', '2403040100'],
  ])('are refused: %s', (_, hex) => expect(() => read(hex)).toThrow(DerError))
  it('of any bytes end in a value within them, or in a DerError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), bytes => {
        const reader = new DerReader(bytes)
        try {
          while (reader.next !== undefined) expect(reader.take(reader.next).buffer).toBe(bytes.buffer)
        } catch (error) {
          expect(error).toBeInstanceOf(DerError)
        }
      }),
    )
  })
})

describe('values', () => {
  it('BOOLEAN', () => {
    expect([toBoolean(Uint8Array.of(0)), toBoolean(Uint8Array.of(0xff))]).toEqual([false, true])
    for (const hex of ['', '01', 'ff00']) expect(() => toBoolean(fromHex(hex)), hex).toThrow(DerError)
  })
  it('INTEGER', () => {
    const numbers = ['00', '7f', '0080', '00ff', '0100', '7fffffffffff'].map(hex => toNumber(fromHex(hex)))
    expect(numbers).toEqual([0, 127, 128, 255, 256, 2 ** 47 - 1])
    for (const hex of ['', '80', 'ff', '0000', '007f', '01000000000000'])
      expect(() => toNumber(fromHex(hex)), hex).toThrow(DerError)
  })
  it('OBJECT IDENTIFIER', () => {
    const identifiers = ['551d13', '2a864886f70d01010b', '00', '27', '28', '4f', '50', '8837']
    expect(identifiers.map(hex => toObjectIdentifier(fromHex(hex)))).toEqual([
      '2.5.29.19',
      '1.2.840.113549.1.1.11',
      ...['0.0', '0.39', '1.0', '1.39', '2.0', '2.999'],
    ])
    // A UUID (X.667): as exact as short ones.
    const uuid = ['6983a8b7dbd9d5e0e1c4c2b9d4a0b3e5f7a70b', '6983a8b7dbd9d5e0e1c4c2b9d4a0b3e5f7a70c']
    const [one, other] = uuid.map(hex => toObjectIdentifier(fromHex(hex)))
    expect(one).toMatch(/^2\.25\.\d{30,}$/)
    expect(BigInt(other!.slice(5)) - BigInt(one!.slice(5))).toBe(1n)
    for (const hex of ['', '80', '8055', '558001', '5581'])
      expect(() => toObjectIdentifier(fromHex(hex)), hex).toThrow(DerError)
  })
})
