import fc from 'fast-check'
import { expect, it } from 'vitest'
import { plaintextRecord } from '../../src/tls13/record.ts'
import { RecordInput } from '../../src/tls13/record-input.ts'
import { concat, EMPTY } from '../../src/wire/index.ts'

/** Records on their way to one input, and what has been taken of them. */
class Stream {
  readonly records: readonly Uint8Array[]
  readonly bytes: Uint8Array
  readonly taken: Uint8Array[] = []
  #input = new RecordInput(EMPTY)
  #fed = 0
  #borrowed: Uint8Array[] = []

  constructor(lengths: readonly number[], salt: number) {
    this.records = lengths.map((length, i) => plaintextRecord(23, new Uint8Array(length).fill(2 * i + salt)))
    this.bytes = concat(...this.records)
  }

  step({ bytes, takes, afterwards }: Step): void {
    // a Buffer, as streams give them: its slice() is a view
    const fed = Buffer.from(this.bytes.subarray(this.#fed, this.#fed + bytes))
    this.#fed += fed.length
    this.#borrowed.push(fed)
    this.#input.feed(fed)
    for (let i = 0; i < takes; i++) {
      const record = this.#input.take(false)
      if (record === undefined) break
      this.taken.push(concat(record.header, record.fragment))
    }
    const opened = this.taken.reduce((sum, { length }) => sum + length, 0)
    expect(this.#input.length).toBe(this.#fed - opened)
    expect(Buffer.compare(this.#input.copy(), this.bytes.subarray(opened, this.#fed))).toBe(0)
    if (afterwards === 'feed on') return
    if (afterwards === 'settle') this.#input.settle()
    else this.#input = new RecordInput(this.#input.copy())
    for (const memory of this.#borrowed.splice(0)) memory.fill(0xee)
  }
}

/** How many bytes come next, how many records are then taken at most, and what the owner does then. */
interface Step {
  readonly bytes: number
  readonly takes: number
  readonly afterwards: 'settle' | 'feed on' | 'hand over'
}

const lengths = fc.array(fc.oneof(fc.nat(40), fc.nat(16_384), fc.constantFrom(0, 255, 256, 16_383, 16_384)), {
  maxLength: 12,
})
const steps = fc.array(
  fc.record({
    which: fc.nat(1),
    bytes: fc.oneof(fc.nat(12), fc.nat(20_000), fc.constant(65_536)),
    takes: fc.oneof(fc.nat(3), fc.constant(100)),
    afterwards: fc.constantFrom('settle' as const, 'feed on' as const, 'hand over' as const),
  }),
  { maxLength: 60 },
)

it('however the bytes of two streams come and records are taken: they are the records that were sent', () => {
  fc.assert(
    fc.property(lengths, lengths, steps, (one, other, steps) => {
      const streams = [new Stream(one, 0), new Stream(other, 1)] as const
      for (const { which, ...step } of steps) streams[which as 0 | 1].step(step)
      for (const stream of streams) {
        stream.step({ bytes: stream.bytes.length, takes: 100, afterwards: 'settle' })
        expect(stream.taken.length).toBe(stream.records.length)
        expect(Buffer.compare(concat(...stream.taken), stream.bytes)).toBe(0)
      }
    }),
    { numRuns: 500 },
  )
})

it('whole records are given where they lie, and only the one that came in two parts is copied', () => {
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

it('the memory in which a record was put together is used again', () => {
  const record = plaintextRecord(23, new Uint8Array(16_384))
  const memory = [1, 2, 3, 4].map(() => {
    const input = new RecordInput(EMPTY)
    input.feed(record.subarray(0, 9000))
    input.settle()
    input.feed(record.subarray(9000))
    const { buffer } = input.take(false)!.fragment
    input.settle()
    return buffer
  })
  expect(new Set(memory).size).toBe(1)
})

it('an unfinished record that has only begun holds no more memory than came of it', () => {
  const input = new RecordInput(EMPTY)
  const record = plaintextRecord(23, new Uint8Array(16_384))
  for (let at = 0; at < 2000; at += 100) {
    input.feed(record.subarray(at, at + 100))
    expect(input.take(false)).toBeUndefined()
    input.settle()
  }
  expect(input.copy()).toEqual(record.subarray(0, 2000))
})
