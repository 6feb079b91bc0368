import { beforeEach, expect, it } from 'vitest'
import { Inquiries } from '../../src/supervisor/inquiries.ts'
import { HandClock } from '../support/hand-clock.ts'

let clock: HandClock
let sent: number
let inquiries: Inquiries<string>
const ask = (id: number, what = 'a') => inquiries.ask(id, what, () => void sent++)
beforeEach(() => {
  clock = new HandClock()
  sent = 0
  inquiries = new Inquiries(clock, 1000)
})

it('an answer goes to all who ask the same, and is asked for once', async () => {
  const answers = Promise.all([ask(1), ask(1), ask(2), ask(1, 'b')])
  expect(sent).toBe(3)
  inquiries.answered(1, 'a', 'one')
  inquiries.answered(2, 'a', 'two')
  inquiries.answered(1, 'b', 'three')
  inquiries.answered(7, 'a', 'not asked for')
  expect(await answers).toEqual(['one', 'one', 'two', 'three'])
  const again = ask(1)
  expect(sent).toBe(4)
  inquiries.answered(1, 'a', 'four')
  expect(await again).toBe('four')
})

it('there is none after the timeout, or when the process has ended', async () => {
  const late = ask(1)
  clock.pass(1000)
  expect(await late).toBeUndefined()
  expect(clock.waiting).toBe(0)
  inquiries.answered(1, 'a', 'too late')
  const [dead, other] = [ask(1), ask(11)]
  inquiries.forget(1)
  expect(await dead).toBeUndefined()
  inquiries.answered(11, 'a', 'alive')
  expect(await other).toBe('alive')
})
