import { describe, expect, it } from 'vitest'
import { type Amount, Pace, type Step } from '../../../src/cli/stress/pace.ts'
import { type Plan, shares } from '../../../src/cli/stress/plan.ts'

const NEVER = Number.POSITIVE_INFINITY
const amount = (given: Partial<Amount>): Amount => ({
  requests: NEVER,
  milliseconds: NEVER,
  warmup: 0,
  ...given,
})
const begin = (number: number, due: number, measured = true): Step => ({
  type: 'begin',
  number,
  due,
  measured,
})
const OVER: Step = { type: 'over' }

describe('which request begins when', () => {
  it('with a rate: at its moment, whatever becomes of others', () => {
    const pace = new Pace(amount({ requests: 4, rate: { every: 10, phase: 5 } }))
    expect(pace.next(0)).toEqual({ type: 'wait', until: 5 })
    expect(pace.next(5)).toEqual(begin(0, 5))
    // Nothing was free for long.
    expect([pace.next(31), pace.next(31)]).toEqual([begin(1, 15), begin(2, 25)])
    expect(pace.next(31)).toEqual({ type: 'wait', until: 35 })
    expect([pace.next(36), pace.next(36)]).toEqual([begin(3, 35), OVER])
    expect([...pace.missed()]).toEqual([])
  })

  it('without one: at once', () => {
    const pace = new Pace(amount({ requests: 2 }))
    expect([pace.next(3), pace.next(700), pace.next(700)]).toEqual([begin(0, 3), begin(1, 700), OVER])
  })

  it('not after its time, and what was due before then and had no place is missed', () => {
    const pace = new Pace(amount({ milliseconds: 50, rate: { every: 10, phase: 0 } }))
    expect(pace.next(0)).toEqual(begin(0, 0))
    expect(pace.next(60)).toEqual(OVER)
    expect([...pace.missed()]).toEqual([10, 20, 30, 40])
    const all = new Pace(amount({ milliseconds: 15, rate: { every: 10, phase: 0 } }))
    expect([all.next(0), all.next(12), all.next(12)]).toEqual([begin(0, 0), begin(1, 10), OVER])
    expect([...all.missed()]).toEqual([])
    expect(new Pace(amount({ milliseconds: 15 })).next(15)).toEqual(OVER)
  })

  it('in the warm-up it does not count', () => {
    const rated = new Pace(amount({ requests: 2, warmup: 20, rate: { every: 10, phase: 0 } }))
    const steps = [0, 10, 20, 30, 40].map(now => rated.next(now))
    expect(steps).toEqual([begin(0, 0, false), begin(1, 10, false), begin(2, 20), begin(3, 30), OVER])
    const closed = new Pace(amount({ milliseconds: 10, warmup: 20 }))
    expect([closed.next(19), closed.next(20), closed.next(30)]).toEqual([
      begin(0, 19, false),
      begin(1, 20),
      OVER,
    ])
    const stalled = new Pace(amount({ milliseconds: 10, warmup: 10, rate: { every: 5, phase: 0 } }))
    expect(stalled.next(50)).toEqual(OVER)
    expect([...stalled.missed()]).toEqual([10, 15])
  })

  it('when it is broken off, what was due until then is missed', () => {
    const pace = new Pace(amount({ requests: 5, rate: { every: 10, phase: 0 } }))
    pace.next(0)
    pace.stop(35)
    expect(pace.next(35)).toEqual(OVER)
    expect([...pace.missed()]).toEqual([10, 20, 30])
  })

  it('threads together do what one would', () => {
    const plan = { connections: 10, requests: 11, rate: { every: 4, phase: 0 } } as Plan
    const parts = shares(plan, 3)
    expect(parts.map(({ connections }) => connections)).toEqual([4, 3, 3])
    const due = parts.flatMap(part => {
      const pace = new Pace(amount(part))
      const found: number[] = []
      for (let step = pace.next(1000); step.type === 'begin'; step = pace.next(1000)) found.push(step.due)
      return found
    })
    expect(due.sort((one, other) => one - other)).toEqual(Array.from({ length: 11 }, (_, i) => i * 4))
    expect(shares({ ...plan, requests: NEVER }, 2).map(({ requests }) => requests)).toEqual([NEVER, NEVER])
  })
})
