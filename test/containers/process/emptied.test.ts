import { expect, it } from 'vitest'
import { emptied } from '../../../src/containers/process/emptied.ts'
import { HandClock } from '../../support/hand-clock.ts'

/** Lets time pass until it is over. @returns milliseconds of that */
async function time(left: (passed: number) => number): Promise<number> {
  const clock = new HandClock()
  let over = false
  const begin = clock.steady()
  void emptied(clock, () => left(clock.steady() - begin)).then(() => {
    over = true
  })
  for (let step = 0; step < 10_000; step++) {
    await Promise.resolve()
    await Promise.resolve()
    if (over) break
    clock.pass(10)
  }
  return clock.steady() - begin
}

it('a process that cannot serve waits for its connections to leave, and not for ever', async () => {
  expect(await time(() => 0)).toBe(0)
  expect(await time(passed => (passed < 500 ? 3 : 0))).toBe(500)
  expect(await time(() => 1)).toBe(30_000)
})
