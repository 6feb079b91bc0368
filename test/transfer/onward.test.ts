import { expect, it } from 'vitest'
import type { LoanAnswer } from '../../src/transfer/loans/loan.ts'
import { lendOnward } from '../../src/transfer/loans/onward.ts'

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
