import { pino } from 'pino'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ScaleBounds } from '../../src/stack/spec.ts'
import { Growth, Pools } from '../../src/supervisor/pools.ts'
import { HandClock } from '../support/hand-clock.ts'

const BOUNDS = { min: 1, max: 4 }

describe('how many containers a pool should have', () => {
  let growth: Growth
  beforeEach(() => {
    growth = new Growth()
  })

  it.each([
    [1, 0, 1],
    [1, 10, 1],
    [1, 11, 2],
    [1, 35, 4],
    [1, 1000, 4],
    [4, 1000, 4],
  ])('of %i with %i connections: %i', (containers, connections, wanted) => {
    expect(growth.want({ containers, connections }, BOUNDS, 10, 0)).toBe(wanted)
  })

  it('one less when fewer were enough for a minute, and then a minute more for the next', () => {
    const at = (seconds: number, containers: number, connections = 0): number =>
      growth.want({ containers, connections }, BOUNDS, 10, seconds * 1000)
    expect([at(0, 3), at(59, 3), at(60, 3)]).toEqual([3, 3, 2])
    expect([at(61, 2), at(120, 2), at(121, 2)]).toEqual([2, 2, 1])
  })

  it('no less where they were needed in between', () => {
    const at = (seconds: number, connections: number): number =>
      growth.want({ containers: 3, connections }, BOUNDS, 10, seconds * 1000)
    expect([at(0, 5), at(30, 25), at(60, 5), at(119, 5), at(120, 5)]).toEqual([3, 3, 3, 3, 2])
  })
})

describe('the pools of a platform', () => {
  it('changes those that follow their connections, one change at a time', async () => {
    const asked: string[] = []
    const loads = new Map<number, number>()
    let settle = (): void => {}
    const replica = (functionName: string, id: number, ready = true) =>
      ({ functionName, ready, life: { stays: true }, member: { id } }) as never
    const containers = [replica('a', 1), replica('b', 2), replica('c', 3), replica('c', 4, false)]
    const pools = new Pools({
      clock: new HandClock(),
      log: pino({ level: 'silent' }),
      load: id => loads.get(id) ?? 0,
      containers: () => containers,
      scale: (name, count) => {
        asked.push(`${name} ${count}`)
        return new Promise<void>((_, reject) => {
          settle = () => reject(new Error('not now'))
        })
      },
    })
    const bounds = new Map<string, ScaleBounds>([
      ['a', { ...BOUNDS, connections: 10 }],
      ['b', BOUNDS],
      ['c', { ...BOUNDS, connections: 10 }],
    ])
    for (const id of [1, 2, 3]) loads.set(id, 100)
    pools.look(bounds)
    pools.look(bounds)
    expect(asked).toEqual(['a 4'])
    settle()
    await new Promise(resolve => setImmediate(resolve))
    loads.set(1, 10)
    pools.look(bounds)
    loads.set(1, 11)
    pools.look(bounds)
    expect(asked).toEqual(['a 4', 'a 2'])
  })
})
