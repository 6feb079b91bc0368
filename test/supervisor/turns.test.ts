import { describe, expect, it } from 'vitest'
import { Turns } from '../../src/supervisor/turns.ts'
import { HandClock } from '../support/hand-clock.ts'

describe('turns', () => {
  const scene = () => {
    const clock = new HandClock()
    const turns = new Turns<string>({ clock, most: 2, longest: 100 })
    const begun: string[] = []
    const take = (...names: string[]) => {
      for (const name of names) turns.take(name, () => begun.push(name), name.startsWith('urgent'))
    }
    return { clock, turns, begun, take }
  }

  it('are few at a time, in order, and what is urgent comes before the rest', () => {
    const { turns, begun, take } = scene()
    take('a', 'b', 'c', 'd', 'urgent')
    expect(begun).toEqual(['a', 'b'])
    expect([turns.waits('b'), turns.waits('c'), turns.waits('urgent')]).toEqual([false, true, true])
    turns.leave('b')
    turns.leave('b')
    expect(begun).toEqual(['a', 'b', 'urgent'])
    turns.leave('c')
    turns.leave('a')
    expect(begun).toEqual(['a', 'b', 'urgent', 'd'])
  })

  it('that last are not waited for', () => {
    const { clock, begun, take, turns } = scene()
    take('a', 'b', 'c', 'd', 'e')
    clock.pass(99)
    turns.leave('a')
    expect(begun).toEqual(['a', 'b', 'c'])
    clock.pass(1)
    expect(begun).toEqual(['a', 'b', 'c', 'd'])
    clock.pass(99)
    expect(begun).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('that are over as soon as they begin let all others begin, however many wait', () => {
    const { turns, begun } = scene()
    const names = Array.from({ length: 10_000 }, (_, index) => String(index))
    for (const name of ['x', 'y', ...names])
      turns.take(
        name,
        () => {
          begun.push(name)
          if (name > 'a') return
          turns.leave(name)
        },
        false,
      )
    turns.leave('x')
    expect(begun).toEqual(['x', 'y', ...names])
  })

  it('end with the platform', () => {
    const { clock, turns, begun, take } = scene()
    take('a', 'b', 'c', 'urgent')
    turns.stop()
    clock.pass(1000)
    turns.leave('a')
    expect(begun).toEqual(['a', 'b'])
  })
})
