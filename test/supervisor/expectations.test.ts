import { expect, it } from 'vitest'
import { Expectations } from '../../src/supervisor/expectations.ts'
import { Replica } from '../../src/supervisor/replica.ts'
import { HandClock } from '../support/hand-clock.ts'

const SETTINGS = { name: 'a-1', channel: 'native', provider: 'node', logLevel: 'info' } as const
const RESTART = { first: 10, most: 10, healthyAfter: 1000, crashLoop: 5 }

function scene(waits: boolean) {
  const clock = new HandClock()
  const expected = new Expectations(clock, 100, { waits: () => waits })
  const spec = { name: 'a-1', role: 'container', entry: new URL('file:///a'), settings: SETTINGS } as const
  const replica = new Replica(spec, RESTART)
  const outcomes: string[] = []
  const wait = () =>
    expected.untilReady(replica).then(
      () => outcomes.push('ready'),
      (error: Error) => outcomes.push(error.message),
    )
  return { clock, expected, replica, outcomes, wait }
}

it('gives a process its time from its start on, however long it has waited for its turn', async () => {
  const { clock, expected, replica, outcomes, wait } = scene(true)
  const both = [wait(), wait()]
  clock.pass(10_000)
  expected.started(replica)
  clock.pass(99)
  await Promise.resolve()
  expect(outcomes).toEqual([])
  clock.pass(1)
  await Promise.all(both)
  const said = expect.stringContaining('a-1 was not ready within 0.1 s (liveness.startSeconds): its log')
  expect(outcomes).toEqual([said, said])
  expect(clock.waiting).toBe(0)
})

it('gives one that runs its time at once, and forgets it when it is ready or will not be', async () => {
  const { clock, expected, replica, outcomes, wait } = scene(false)
  const ready = wait()
  expect(clock.waiting).toBe(1)
  expected.settle(replica)
  await ready
  const ended = wait()
  expected.settle(replica, new Error('it ended'))
  await ended
  expect([outcomes, clock.waiting]).toEqual([['ready', 'it ended'], 0])
})
