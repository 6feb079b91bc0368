import { describe, expect, it } from 'vitest'
import { Allowance, concat, equal, Pieces } from '../../src/wire/index.ts'

const numbered = (from: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (from + i) & 0xff)

describe('pieces', () => {
  it('come out as they went in, in few', () => {
    const pieces = new Pieces()
    const all: Uint8Array[] = []
    let length = 0
    for (const size of [
      1, 0, 7, 4095, 4096, 3, 100_000, 15, 16, 17, 300, 20_000, 1, 4095, 4095, 4095, 4095,
    ]) {
      const piece = numbered(length, size)
      all.push(piece)
      pieces.add(piece)
      length += size
      expect(pieces.length).toBe(length)
      expect(equal(pieces.copy(), concat(...all))).toBe(true)
    }
    expect(equal(concat(...pieces.take()), concat(...all))).toBe(true)
    expect(pieces.length).toBe(0)
    expect(pieces.takeWhole()).toEqual(new Uint8Array(0))
  })

  it('of one byte take no more memory than their bytes, and are copies', () => {
    const pieces = new Pieces()
    const one = Uint8Array.of(1)
    for (let i = 0; i < 1_000_000; i++) pieces.add(one)
    one[0] = 2
    const taken = pieces.take()
    expect(taken.length).toBeLessThan(100)
    expect(taken.every(piece => piece.every(byte => byte === 1))).toBe(true)
    expect(new Set(taken.map(({ buffer }) => buffer)).size).toBeLessThan(100)
  })

  it('goes on behind what has been taken, without touching it', () => {
    const pieces = new Pieces()
    pieces.append(numbered(0, 30), 10, 20)
    const first = pieces.takeWhole()
    pieces.add(numbered(50, 5))
    expect(first).toEqual(numbered(10, 10))
    expect(pieces.takeWhole()).toEqual(numbered(50, 5))
  })
})

describe('an allowance', () => {
  it('is what may be spent at once, and what time and work pay back', () => {
    let now = 5000
    let asked = 0
    const allowance = new Allowance({ burst: 10, perSecond: 100 }, () => {
      asked++
      return now
    })
    for (let i = 0; i < 10; i++) expect(allowance.spend()).toBe(true)
    expect(asked).toBe(1)
    expect(allowance.spend()).toBe(false)
    now += 20
    expect(allowance.spend()).toBe(true)
    expect(allowance.spend()).toBe(false)
    allowance.earn(5)
    expect(allowance.spend(4)).toBe(true)
    expect(allowance.spend(4)).toBe(false)
    // A clock that goes back takes nothing away.
    now -= 10_000
    allowance.earn(100)
    expect(allowance.spend(10)).toBe(true)
    expect(allowance.spend()).toBe(false)
  })

  it('is paid back as fast where one owner after another has it', () => {
    let now = 5000
    const budget = { burst: 10, perSecond: 100 }
    let owner = new Allowance(budget, () => now)
    for (let i = 0; i < 50; i++, now += 20) {
      expect(owner.spend(2)).toBe(true)
      now += 10
      owner = new Allowance(budget, () => now, owner.spent)
    }
    expect(owner.spend(11)).toBe(false)
  })
})
