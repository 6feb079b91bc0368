import { expect, it } from 'vitest'
import { untilRehearsed } from '../../src/supervisor/rehearsing.ts'
import type { Counters } from '../../src/supervisor/status.ts'
import { HandClock } from '../support/hand-clock.ts'

/** Lets time go by until the wait is over. @returns what was reported, and for how long it was waited */
async function waited(
  answers: readonly (Counters | undefined)[],
  plan = { moves: 6000, limit: 2000 },
): Promise<{ reports: number[]; milliseconds: number }> {
  const clock = new HandClock()
  const reports: number[] = []
  let looks = 0
  let over = false
  const look = async (): Promise<Counters | undefined> => answers[Math.min(looks++, answers.length - 1)]
  const wait = untilRehearsed({ ...plan, look, report: moves => reports.push(moves), clock })
  void wait.then(() => {
    over = true
  })
  const start = clock.steady()
  while (!over) {
    for (let turn = 0; turn < 5 && !over; turn++) await Promise.resolve()
    if (!over) clock.pass(100)
  }
  return { reports, milliseconds: clock.steady() - start }
}

it('waits until the container has rehearsed, and tells how far that is', async () => {
  const answers = [0, 1500, 4000].map(rehearsed => ({ rehearsed, rehearsing: 1 }))
  const { reports, milliseconds } = await waited([...answers, { rehearsed: 6000, rehearsing: 0 }])
  expect(reports).toEqual([0, 1500, 4000])
  expect(milliseconds).toBeLessThan(1000)
})

it('waits no longer than the limit and a second, also for a container that does not answer', async () => {
  for (const answer of [{ rehearsed: 10, rehearsing: 1 }, {}]) {
    const { milliseconds } = await waited([answer])
    expect(milliseconds).toBeGreaterThanOrEqual(2000)
    expect(milliseconds).toBeLessThanOrEqual(3200)
  }
})

it('does not wait for a process that has ended, nor where nothing is to be rehearsed', async () => {
  expect(await waited([undefined])).toEqual({ reports: [], milliseconds: 0 })
  const endless = { rehearsed: 0, rehearsing: 1 }
  for (const plan of [
    { moves: 0, limit: 2000 },
    { moves: 6000, limit: 0 },
  ])
    expect(await waited([endless], plan)).toEqual({ reports: [], milliseconds: 0 })
})
