import { describe, expect, it } from 'vitest'
import type { CipherSuite, RecordCipher } from '../../src/tls13/crypto/provider.ts'
import { KeyedRecords } from '../../src/tls13/record-cipher.ts'
import { evp } from '../support/providers.ts'

const suites = evp.available ? evp.provider.cipherSuites : []
const note = evp.available ? '' : ` (SKIPPED: ${evp.reason})`
const own = (length: number): Uint8Array => new Uint8Array(length)
/** Around what goes through memory at fixed addresses, and what does not. */
const SIZES = [0, 1, 2, 63, 64, 65, 255, 4078, 4094, 4095, 4096, 4097, 8191, 8193, 16_384]
const NUMBERS = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]

const secretOf = ({ hash }: CipherSuite): Uint8Array => new Uint8Array(hash.length).fill(9)

function sealed(cipher: RecordCipher, number: number, content: Uint8Array, padding: number): Uint8Array {
  const record = new Uint8Array(7 + 5 + content.length + 1 + padding + 16)
  cipher.seal(number, 23, content, padding, record, 7)
  return record
}

it.skipIf(!evp.available)(`there are suites that seal and open records by themselves${note}`, () => {
  expect(suites.map(({ protect }) => typeof protect)).toEqual(['function', 'function', 'function'])
})

describe.each(suites.map(suite => ({ name: suite.name, suite })))('$name', ({ suite }) => {
  const both = (): [RecordCipher, RecordCipher] => {
    const secret = secretOf(suite)
    return [suite.protect!(secret), new KeyedRecords(suite, secret)]
  }

  it('seals the bytes that key, iv and nonce make, and opens them', () => {
    const [mine, theirs] = both()
    for (const size of SIZES) {
      for (const padding of [0, 1, 40]) {
        const content = new Uint8Array(size).map((_, i) => 1 + ((i * 7) % 250))
        const number = NUMBERS[(size + padding) % NUMBERS.length]!
        const record = sealed(mine, number, content, padding)
        expect(record, `${size} B`).toEqual(sealed(theirs, number, content, padding))
        const length = record.length - 7 - 5
        const opened = { type: 23, content, length: size + 1 + padding }
        for (const cipher of [mine, theirs])
          expect(cipher.open(number, record, 7, length, own)).toEqual(opened)
      }
    }
  })

  it('wiped twice, gives its memory back once: keys that follow are their own', () => {
    const [first] = both()
    const content = new Uint8Array(10)
    sealed(first, 0, content, 0)
    first.wipe()
    first.wipe()
    const secrets = [1, 2, 3].map(byte => new Uint8Array(suite.hash.length).fill(byte))
    const mine = secrets.map(secret => suite.protect!(secret))
    secrets.forEach((secret, i) => {
      const theirs = new KeyedRecords(suite, secret)
      expect(sealed(mine[i]!, 5, content, 0)).toEqual(sealed(theirs, 5, content, 0))
    })
    expect(() => sealed(first, 1, content, 0)).toThrow('wiped')
  })

  it('opens nothing that was changed, of another number, or too short', () => {
    for (const size of [0, 30, 4096, 5000]) {
      const [mine] = both()
      const record = sealed(mine, 3, new Uint8Array(size).fill(1), 0)
      const length = record.length - 12
      expect(mine.open(4, record, 7, length, own)).toBeUndefined()
      for (const at of [7, 10, 12, record.length - 1]) {
        const changed = record.slice()
        changed[at]! ^= 1
        expect(mine.open(3, changed, 7, length, own), `${size} B at ${at}`).toBeUndefined()
      }
      expect(mine.open(3, record, 7, 15, own)).toBeUndefined()
      expect(mine.open(3, record, 7, length, own)?.length).toBe(size + 1)
    }
  })

  it('says of what was padding alone that it has no type', () => {
    const [mine] = both()
    const record = new Uint8Array(5 + 1 + 9 + 16)
    mine.seal(0, 0, new Uint8Array(0), 9, record, 0)
    expect(mine.open(0, record, 0, record.length - 5, own)).toMatchObject({ type: 0, length: 10 })
  })

  it('writes nowhere else, and refuses what does not fit', () => {
    const [mine] = both()
    for (const size of [10, 5000]) {
      const output = new Uint8Array(size + 60).fill(0xaa)
      mine.seal(0, 23, new Uint8Array(size), 0, output, 20)
      expect(output.subarray(0, 20).every(byte => byte === 0xaa)).toBe(true)
      expect(output.subarray(20 + 5 + size + 17).every(byte => byte === 0xaa)).toBe(true)
      expect(() => mine.seal(1, 23, new Uint8Array(size), 0, output, 60)).toThrow(RangeError)
      expect(() => mine.seal(1, 23, new Uint8Array(size), 0, output, -1)).toThrow(RangeError)
      expect(() => mine.open(1, output, 40, size + 17, own)).toThrow(RangeError)
    }
  })

  it('does nothing any more once it is wiped, and its context is used by others without harm', () => {
    const [mine, theirs] = both()
    const content = new Uint8Array(20).fill(4)
    const record = sealed(mine, 0, content, 0)
    mine.wipe()
    mine.wipe()
    expect(() => sealed(mine, 1, content, 0)).toThrow('wiped')
    expect(() => mine.open(0, record, 7, record.length - 12, own)).toThrow('wiped')
    const others = Array.from({ length: 600 }, (_, i) => suite.protect!(secretOf(suite).fill(i & 255)))
    for (const turn of [1, 2])
      for (const [i, other] of others.entries()) {
        const same = sealed(new KeyedRecords(suite, secretOf(suite).fill(i & 255)), turn, content, 0)
        if (i % 50 === 0) expect(sealed(other, turn, content, 0)).toEqual(same)
        else sealed(other, turn, content, 0)
      }
    for (const other of others) other.wipe()
    expect(theirs.open(0, record, 7, record.length - 12, own)?.content).toEqual(content)
  })
})
