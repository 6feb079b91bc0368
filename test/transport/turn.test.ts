import { expect, it } from 'vitest'
import { Turn } from '../../src/transport/turn.ts'
import { StepLoop } from '../support/step-loop.ts'

/** Steps until the turn is over. */
function steps(turn: Turn): number {
  let count = 0
  while (turn.goesOn()) if (++count > 1000) return Infinity
  return count
}

it('a turn is over after some milliseconds, and begins anew when others have had theirs', () => {
  const loop = new StepLoop()
  let resumed = 0
  const turn = new Turn(() => resumed++, loop)
  loop.each = 0.5
  const first = steps(turn)
  expect(first).toBeGreaterThan(3)
  expect(first).toBeLessThan(20)
  expect(turn.over).toBe(true)
  expect(turn.goesOn()).toBe(false)
  loop.turn()
  expect(resumed).toBe(1)
  expect(turn.over).toBe(false)
  expect(steps(turn)).toBe(first)
})

it('a few steps ask for neither the clock nor the loop', () => {
  const loop = new StepLoop()
  const turn = new Turn(() => {}, loop)
  for (let i = 0; i < 7; i++) expect(turn.goesOn()).toBe(true)
  expect([loop.looks, loop.waiting]).toEqual([0, 0])
})

it('work that is spread over many turns is never over', () => {
  const loop = new StepLoop()
  loop.each = 0.1
  let resumed = 0
  const turn = new Turn(() => resumed++, loop)
  for (let i = 0; i < 1000; i++) {
    expect(turn.goesOn()).toBe(true)
    if (i % 10 === 0) loop.turn()
  }
  expect(resumed).toBe(0)
})

it('one that is stopped calls nothing', () => {
  const loop = new StepLoop()
  loop.each = 1
  const turn = new Turn(() => expect.fail('resumed'), loop)
  steps(turn)
  turn.stop()
  expect(turn.over).toBe(false)
  loop.turn()
})
