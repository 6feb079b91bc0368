import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkpointHead, decodeCheckpoint, LegCheckpoint } from '../../src/transfer/leg.ts'
import { encode } from '../../src/wire/index.ts'

describe('the head of a checkpoint', () => {
  it('is what the codec reads', () => {
    const one = fc.record({
      functionName: fc.stringMatching(/^[a-z0-9-]{1,63}$/),
      generation: fc.nat(2 ** 32 - 1),
      received: fc.maxSafeNat(),
      sealed: fc.uint8Array({ maxLength: 40 }),
    })
    const property = fc.property(one, fc.nat(9), (checkpoint, before) => {
      // It lies anywhere in the memory that it was read into.
      const memory = new Uint8Array([...new Uint8Array(before), ...encode(LegCheckpoint, checkpoint), 1, 2])
      const bytes = memory.subarray(before, memory.length - 2)
      const { generation, received } = decodeCheckpoint(bytes)
      expect(checkpointHead(bytes)).toEqual({ generation, received })
    })
    fc.assert(property)
  })

  it('is refused where the name is none, a number is too large, or something is missing', () => {
    const good = encode(LegCheckpoint, {
      functionName: 'echo',
      generation: 1,
      received: 2,
      sealed: new Uint8Array(0),
    })
    expect(checkpointHead(good)).toEqual({ generation: 1, received: 2 })
    for (let length = 0; length < good.length; length++)
      expect(checkpointHead(good.subarray(0, length))).toBeUndefined()
    for (const [at, value] of [
      [0, 0],
      [0, 64],
      [2, 0x20],
      [2, 0xc3],
      [9, 0x20],
    ] as const)
      expect(checkpointHead(good.with(at, value)), `${value} at ${at}`).toBeUndefined()
  })
})
