import { describe, expect, it } from 'vitest'
import { Wakes } from '../../../src/gateway/hibernation/wakes.ts'

describe('turns of connections that wake', () => {
  it('are so many at a time, and then come in the order of their clients', () => {
    const wakes = new Wakes<number>(2)
    expect([1, 2, 3, 4].map(one => wakes.begin('echo', one))).toEqual([true, true, false, false])
    expect(wakes.waiting).toBe(2)
    expect([wakes.done('echo'), wakes.done('echo'), wakes.done('echo')]).toEqual([3, 4, undefined])
    expect(wakes.waiting).toBe(0)
    // One is still underway.
    expect(wakes.begin('echo', 5)).toBe(true)
    expect(wakes.begin('echo', 6)).toBe(false)
  })

  it('are not those of another function', () => {
    const wakes = new Wakes<number>(1)
    expect(wakes.begin('echo', 1)).toBe(true)
    expect(wakes.begin('hello', 2)).toBe(true)
    expect(wakes.begin('echo', 3)).toBe(false)
    expect(wakes.done('hello')).toBeUndefined()
    expect(wakes.done('echo')).toBe(3)
  })

  it('pass over one that has ended meanwhile', () => {
    const wakes = new Wakes<number>(1)
    wakes.begin('echo', 1)
    wakes.begin('echo', 2)
    wakes.begin('echo', 3)
    expect([wakes.drop('echo', 2), wakes.drop('echo', 2), wakes.drop('hello', 1)]).toEqual([
      true,
      false,
      false,
    ])
    expect(wakes.done('echo')).toBe(3)
  })
})
