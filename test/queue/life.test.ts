import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { after, type Outcome, type Patience, pause, revived } from '../../src/queue/life.ts'
import type { CallRecord } from '../../src/queue/record.ts'
import { answered, call } from '../support/calls.ts'

const PATIENCE: Patience = { retries: 2, first: 100, most: 1000 }
const HOW = { now: 5000, random: () => 0.5 }
const FAILED: Outcome = { kind: 'failed', reason: 'refused' }
const IMPOSSIBLE: Outcome = { kind: 'impossible', reason: 'too large' }

const step = (record: CallRecord, outcome: Outcome) => after(record, outcome, PATIENCE, HOW)
const withCallback = call({ callback: 'http://a/' })
const telling = call({ callback: 'http://a/', phase: 'telling', answer: answered(201).answer })

describe('a call of a function', () => {
  it.each([200, 204, 302, 400, 404, 500, 501])('is over when it answers %d and has no callback', status => {
    expect(step(call(), answered(status))).toEqual({ kind: 'done' })
  })

  it.each([429, 502, 503, 504])('is tried again behind %d, later each time, and is buried then', status => {
    const one = step(call(), answered(status))
    expect(one).toMatchObject({ kind: 'keep', record: { phase: 'calling', failures: 1, dueAt: 5050 } })
    const two = step((one as { record: CallRecord }).record, answered(status))
    expect(two).toMatchObject({ kind: 'keep', record: { failures: 2, dueAt: 5100 } })
    const three = step((two as { record: CallRecord }).record, answered(status))
    expect(three).toMatchObject({ kind: 'bury', record: { phase: 'dead', reason: `f answered ${status}` } })
  })

  it('waits for as long as Retry-After asks, and never longer than the limit', () => {
    const asks = (retryAfter: number) => step(call(), { ...answered(503), retryAfter })
    expect(asks(300)).toMatchObject({ record: { dueAt: 5300 } })
    expect(asks(1_000_000)).toMatchObject({ record: { dueAt: 6000 } })
  })

  it('is not tried again when that cannot help', () => {
    expect(step(call(), IMPOSSIBLE)).toMatchObject({ kind: 'bury', record: { reason: 'too large' } })
  })

  it('is told to its callback, at once and with all tries', () => {
    expect(step({ ...withCallback, failures: 2 }, answered(404))).toMatchObject({
      kind: 'keep',
      record: { phase: 'telling', failures: 0, dueAt: 5000, lost: 0, answer: { status: 404 } },
    })
  })

  it('is told to its callback when it was given up, too: with the last answer, or 504', () => {
    const last = { ...withCallback, failures: 2 }
    expect(step(last, answered(503))).toMatchObject({
      record: { phase: 'telling', lost: 1, answer: { status: 503 } },
    })
    expect(step(last, FAILED)).toMatchObject({
      record: { phase: 'telling', lost: 1, answer: { status: 504 } },
    })
  })
})

describe('a callback', () => {
  it('ends the call when it takes the answer', () => {
    expect(step(telling, answered(204))).toEqual({ kind: 'done' })
  })

  it('leaves a dead letter when it has taken that the function was given up', () => {
    const lost = { ...telling, lost: 1, reason: 'f answered 503' }
    expect(step(lost, answered(200))).toMatchObject({ kind: 'bury', record: { reason: 'f answered 503' } })
  })

  it.each([answered(500), answered(429), FAILED])('is tried again: %j', outcome => {
    expect(step(telling, outcome)).toMatchObject({ kind: 'keep', record: { phase: 'telling', failures: 1 } })
    expect(step({ ...telling, failures: 2 }, outcome)).toMatchObject({ kind: 'bury' })
  })

  it.each([answered(404), answered(301), IMPOSSIBLE])('is not tried again: %j', outcome => {
    expect(step(telling, outcome)).toMatchObject({ kind: 'bury', record: { answer: { status: 201 } } })
  })
})

describe('a dead letter that is sent anew', () => {
  it('is called again, or only told, if only that had failed', () => {
    const dead = { ...telling, phase: 'dead', failures: 3 } as const
    expect(revived(dead, 9)).toMatchObject({
      phase: 'telling',
      failures: 0,
      dueAt: 9,
      answer: { status: 201 },
    })
    const lost = revived({ ...dead, lost: 1 }, 9)
    expect(lost).toMatchObject({ phase: 'calling', failures: 0, lost: 0, answer: undefined })
  })
})

describe('every way through', () => {
  it('ends after a bounded number of tries, and never forgets a call that nothing has answered', () => {
    const outcome = fc.oneof(
      fc.constantFrom(FAILED, IMPOSSIBLE),
      fc.constantFrom(200, 404, 429, 500, 503).map(status => answered(status)),
    )
    const run = (callback: string, outcomes: readonly Outcome[]): void => {
      let record = call({ callback })
      for (let tries = 0; tries <= 2 * (PATIENCE.retries + 1); tries++) {
        const next = step(record, outcomes[tries % outcomes.length]!)
        if (next.kind === 'bury') return
        if (next.kind === 'done') {
          expect(outcomes.some(one => one.kind === 'answered')).toBe(true)
          return
        }
        record = next.record
        expect(record.dueAt - HOW.now).toBeLessThanOrEqual(PATIENCE.most)
      }
      expect.fail('it goes on')
    }
    fc.assert(
      fc.property(fc.constantFrom('', 'http://a/'), fc.array(outcome, { minLength: 1, maxLength: 6 }), run),
    )
  })

  it('pauses for any time up to a limit that doubles', () => {
    const pauses = [0, 1, 2, 3, 4, 60].map(failures => pause(failures, PATIENCE, () => 1 - Number.EPSILON))
    expect(pauses).toEqual([100, 200, 400, 800, 1000, 1000])
    expect(pause(3, PATIENCE, () => 0)).toBe(0)
  })
})
