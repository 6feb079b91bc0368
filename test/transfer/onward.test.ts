import { describe, expect, it } from 'vitest'
import type { LoanAnswer } from '../../src/transfer/loans/loan.ts'
import { lendInTime, lendOnward } from '../../src/transfer/loans/onward.ts'
import { HandClock } from '../support/hand-clock.ts'

const busy = (detail: string): LoanAnswer => ({ outcome: 'refused', reason: 'busy', detail })
const ANSWERED: LoanAnswer = {
  ...{ outcome: 'answered', status: 200, headers: [], length: undefined, trailers: [] },
  body: new Uint8Array(0),
}

/** Containers by id, and what each answers. @returns who was asked, and how it ended, which is once */
function lend(containers: Readonly<Record<number, LoanAnswer | undefined>>) {
  const asked: number[] = []
  const settled: (LoanAnswer | undefined)[] = []
  const ids = Object.keys(containers).map(Number)
  lendOnward(
    refusedBy => ids.find(id => !refusedBy.has(id)),
    (target, settle) => {
      asked.push(target)
      settle(containers[target])
    },
    answer => settled.push(answer),
  )
  return { asked, settled }
}

it('a request goes on to another container as long as each is about to stop', () => {
  expect(lend({ 1: busy('one'), 2: busy('two'), 3: ANSWERED })).toEqual({
    asked: [1, 2, 3],
    settled: [ANSWERED],
  })
})

it('a request that all refuse gets the last refusal; without any container there is none', () => {
  expect(lend({ 1: busy('one'), 2: busy('two') })).toEqual({ asked: [1, 2], settled: [busy('two')] })
  expect(lend({})).toEqual({ asked: [], settled: [undefined] })
})

it.each([
  ['a container that is gone', undefined],
  ['another refusal', { outcome: 'refused', reason: 'broken', detail: '' } as LoanAnswer],
])('a request goes on after nothing else: %s', (_, answer) => {
  expect(lend({ 1: answer, 2: ANSWERED })).toEqual({ asked: [1], settled: [answer] })
})

describe('a request that all refuse', () => {
  const LATER = 20
  /** Answers of one attempt after the other; what follows them is refused. */
  function lendLater(
    answers: readonly (LoanAnswer | undefined)[],
    { milliseconds = 1000, there = true, wanted = true } = {},
  ) {
    const clock = new HandClock()
    const settled: (LoanAnswer | undefined)[] = []
    const scene = { clock, settled, attempts: 0, there, wanted }
    lendInTime(
      settle => settle(scene.attempts < answers.length ? answers[scene.attempts++] : busy('all')),
      { clock, milliseconds, reaches: () => scene.there, wanted: () => scene.wanted },
      answer => settled.push(answer),
    )
    return scene
  }

  it('waits for a container that takes it, and asks none as long as there is none', () => {
    const scene = lendLater([busy('one'), ANSWERED])
    scene.there = false
    scene.clock.pass(40 * LATER)
    expect([scene.attempts, scene.settled]).toEqual([1, []])
    scene.there = true
    scene.clock.pass(LATER)
    expect([scene.attempts, scene.settled, scene.clock.waiting]).toEqual([2, [ANSWERED], 0])
  })

  it('waits no longer than it may, and for ever without a limit', () => {
    const scene = lendLater([busy('one')])
    scene.there = false
    scene.clock.pass(2000)
    expect([scene.settled, scene.clock.waiting]).toEqual([[busy('one')], 0])
    const patient = lendLater([busy('one'), busy('two'), ANSWERED], { milliseconds: 0 })
    patient.there = false
    patient.clock.pass(3_600_000)
    expect(patient.settled).toEqual([])
    patient.there = true
    patient.clock.pass(2 * LATER)
    expect(patient.settled).toEqual([ANSWERED])
  })

  it('is given up when its client is gone, also where it may wait for ever', () => {
    const scene = lendLater([busy('one'), ANSWERED], { milliseconds: 0 })
    scene.wanted = false
    scene.clock.pass(LATER)
    expect([scene.attempts, scene.settled, scene.clock.waiting]).toEqual([1, [], 0])
  })

  it.each([undefined, ANSWERED, { outcome: 'refused', reason: 'broken', detail: '' } as LoanAnswer])(
    'does not wait after anything else: %j',
    answer => {
      const { settled, clock } = lendLater([answer])
      expect([settled, clock.waiting]).toEqual([[answer], 0])
    },
  )
})
