import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteMap } from '../../src/transfer/byte-map.ts'
import { hex } from '../../src/wire/index.ts'

const key = fc.uint8Array({ minLength: 0, maxLength: 3, max: 2 })
const step = fc.record({ do: fc.constantFrom('set', 'delete', 'get'), key, value: fc.nat() })

describe('values by bytes', () => {
  it('are what a map by hexadecimal text has', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const map = new ByteMap<number>()
        const known = new Map<string, number>()
        for (const { do: what, key: bytes, value } of steps) {
          const text = hex(bytes)
          if (what === 'set') {
            map.set(bytes, value)
            known.set(text, value)
          } else if (what === 'delete') {
            expect(map.delete(bytes)).toBe(known.get(text))
            known.delete(text)
          } else expect(map.get(bytes)).toBe(known.get(text))
          expect(map.size).toBe(known.size)
          expect([...map.values()].sort()).toEqual([...known.values()].sort())
        }
      }),
    )
  })

  it('meet and stay apart: many more keys than there are hashes of one byte', () => {
    const map = new ByteMap<number>()
    const keyOf = (i: number): Uint8Array => Uint8Array.of(i >> 16, i >> 8, i)
    for (let i = 0; i < 100_000; i++) map.set(keyOf(i), i)
    for (let i = 0; i < 100_000; i += 997) expect(map.get(keyOf(i))).toBe(i)
    expect(map.get(Uint8Array.of(9, 9, 9))).toBeUndefined()
    expect(map.size).toBe(100_000)
  })

  it('the oldest one goes, until none is left', () => {
    const map = new ByteMap<number>()
    for (let i = 0; i < 5; i++) map.set(Uint8Array.of(i), i)
    for (let left = 4; left >= 0; left--) {
      map.dropOldest()
      expect(map.size).toBe(left)
    }
    map.dropOldest()
    expect(map.size).toBe(0)
  })
})
