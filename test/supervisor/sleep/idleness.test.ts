import { describe, expect, it } from 'vitest'
import { Idleness } from '../../../src/supervisor/sleep/idleness.ts'

const still = { done: '1:5', busy: 0 }

describe('a function without work', () => {
  it('is to sleep when nothing has happened for its time', () => {
    const idleness = new Idleness()
    const looks = [0, 500, 999, 1000, 1500].map(now => idleness.look('echo', still, now, 1000))
    expect(looks).toEqual([false, false, false, true, true])
  })

  it('has work whenever it was given something, or something is underway', () => {
    const idleness = new Idleness()
    idleness.look('echo', still, 0, 1000)
    expect(idleness.look('echo', { done: '1:6', busy: 0 }, 900, 1000)).toBe(false)
    expect(idleness.look('echo', { done: '1:6', busy: 1 }, 1800, 1000)).toBe(false)
    expect(idleness.look('echo', { done: '1:6', busy: 0 }, 2700, 1000)).toBe(false)
    expect(idleness.look('echo', { done: '1:6', busy: 0 }, 2800, 1000)).toBe(true)
  })

  it('begins anew when it was away, and is judged by itself', () => {
    const idleness = new Idleness()
    idleness.look('echo', still, 0, 1000)
    idleness.look('hello', still, 900, 1000)
    idleness.forget('echo')
    expect(idleness.look('echo', still, 1000, 1000)).toBe(false)
    expect(idleness.look('hello', still, 1800, 1000)).toBe(false)
    expect(idleness.look('hello', still, 1900, 1000)).toBe(true)
  })
})
