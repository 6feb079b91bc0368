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

it('work that comes with a read has its steps anew, and does not prolong a turn that is underway', () => {
  const loop = new StepLoop()
  loop.each = 0.5
  const turn = new Turn(() => {}, loop)
  for (let read = 0; read < 20; read++) {
    turn.begin()
    for (let i = 0; i < 5; i++) turn.goesOn()
  }
  expect([loop.looks, loop.waiting]).toEqual([0, 0])
  for (let i = 0; i < 8; i++) turn.goesOn()
  let more = 0
  for (; turn.goesOn() && more < 1000; more++) turn.begin()
  expect(more).toBeLessThan(20)
  turn.begin()
  expect([turn.over, turn.goesOn()]).toEqual([true, false])
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
