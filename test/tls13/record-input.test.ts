import fc from 'fast-check'
import { expect, test } from 'vitest'
import { plaintextRecord } from '../../src/tls13/record.ts'
import { RecordInput } from '../../src/tls13/record-input.ts'
import { concat, EMPTY } from '../../src/wire/index.ts'

const lengths = fc.array(fc.oneof(fc.nat(40), fc.constantFrom(0, 255, 256, 16_383, 16_384)), {
  maxLength: 12,
})
/** How many bytes come next, how many records are then taken at most, and what the owner does then. */
const steps = fc.array(
  fc.record({
    bytes: fc.oneof(fc.nat(12), fc.nat(20_000), fc.constant(65_536)),
    takes: fc.oneof(fc.nat(3), fc.constant(100)),
    afterwards: fc.constantFrom('settle' as const, 'feed on' as const, 'hand over' as const),
  }),
  { maxLength: 60 },
)

test('however bytes come and whenever records are taken: they are the records that were sent', () => {
  fc.assert(
    fc.property(lengths, steps, (lengths, steps) => {
      const records = lengths.map((length, i) => plaintextRecord(23, new Uint8Array(length).fill(i + 1)))
      const stream = concat(...records)
      let input = new RecordInput(EMPTY)
      const borrowed: Uint8Array[] = []
      const taken: Uint8Array[] = []
      let at = 0
      for (const { bytes, takes, afterwards } of [
        ...steps,
        { bytes: stream.length, takes: 100, afterwards: 'settle' },
      ]) {
        // a Buffer, as streams give them: its slice() is a view
        const fed = Buffer.from(stream.subarray(at, at + bytes))
        at += fed.length
        borrowed.push(fed)
        input.feed(fed)
        for (let i = 0; i < takes; i++) {
          const record = input.take(false)
          if (record === undefined) break
          taken.push(concat(record.header, record.fragment))
        }
        const opened = taken.reduce((sum, { length }) => sum + length, 0)
        expect(input.length).toBe(at - opened)
        expect(Buffer.compare(input.copy(), stream.subarray(opened, at))).toBe(0)
        if (afterwards === 'feed on') continue
        if (afterwards === 'settle') input.settle()
        else input = new RecordInput(input.copy())
        for (const memory of borrowed.splice(0)) memory.fill(0xee)
      }
      for (let record = input.take(false); record !== undefined; record = input.take(false)) {
        taken.push(concat(record.header, record.fragment))
      }
      expect(Buffer.compare(concat(...taken), stream)).toBe(0)
      expect(taken.length).toBe(records.length)
      expect(input.length).toBe(0)
    }),
    { numRuns: 400 },
  )
})

test('whole records are given where they lie, and only the one that came in two parts is copied', () => {
  const records = [1, 2, 3].map(i => plaintextRecord(23, new Uint8Array(100).fill(i)))
  const stream = concat(...records)
  const input = new RecordInput(EMPTY)
  input.feed(stream.subarray(0, 50))
  expect(input.take(false)).toBeUndefined()
  input.settle()
  const second = stream.slice(50)
  input.feed(second)
  const fragments = [0, 1, 2].map(() => input.take(false)!.fragment)
  expect(fragments.map(({ buffer }) => buffer === second.buffer)).toEqual([false, true, true])
})
