import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { beforeEach, describe, expect, it } from 'vitest'
import { lateText } from '../../../src/supervisor/liveness/late.ts'
import { Liveness, type Work } from '../../../src/supervisor/liveness/liveness.ts'
import { waitedOf, workOf } from '../../../src/supervisor/liveness/work.ts'

let now = 0
let liveness: Liveness
/** What the processes have done; `done` says what they do in a period. */
let work: Work | undefined
let done: Partial<Work> = {}
beforeEach(() => {
  now = 1000
  work = undefined
  done = {}
  liveness = new Liveness({ period: 100, failure: 350, busy: 2050, work: () => work, now: () => now })
})
/** Time passes, one period at a time. */
function pass(periods: number): ReturnType<Liveness['look']> {
  let looked = liveness.look()
  for (let i = 0; i < periods; i++) {
    now += 100
    if (work !== undefined) {
      const { processor = 0, calls = 0 } = done
      work = { ...work, processor: work.processor + processor, calls: (work.calls ?? 0) + calls }
    }
    looked = liveness.look()
  }
  return looked
}

describe('liveness', () => {
  it('asks those that it has heard of, and calls hung who is silent for too long', () => {
    liveness.heard(1)
    liveness.heard(2)
    expect(pass(3)).toEqual({ ask: [1, 2], hung: [] })
    liveness.heard(2)
    expect(pass(1)).toEqual({ ask: [2], hung: [1] })
  })

  it('does not wait for a process that has not been heard of, or has ended', () => {
    expect(pass(9)).toEqual({ ask: [], hung: [] })
    liveness.heard(1)
    liveness.forget(1)
    expect(pass(9)).toEqual({ ask: [], hung: [] })
  })

  it('blames no process for a time in which it was away itself', () => {
    liveness.heard(1)
    liveness.look()
    now += 100_000
    expect(liveness.look()).toEqual({ ask: [1], hung: [] })
    expect(pass(4)).toEqual({ ask: [], hung: [1] })
  })

  describe('a silent process', () => {
    /** Periods of silence after which it counts as hung. */
    function periods(running: boolean, each: Partial<Work>): number {
      work = { processor: 5000, calls: 70, running }
      done = each
      liveness.heard(1)
      for (let count = 1; count < 100; count++) if (pass(1).hung.length > 0) return count
      return Infinity
    }

    it.each<[string, boolean, Partial<Work>, number]>([
      ['sleeps or is stopped', false, {}, 4],
      ['computes and says nothing', true, { processor: 500 }, 4],
      ['is hardly let run', true, { processor: 1 }, 21],
      ['is let run at last', true, { processor: 100 }, 12],
      ['computes, reads and writes', true, { processor: 500, calls: 3 }, 21],
    ])('that %s is given up in bounded time', (_, running, each, expected) => {
      expect(periods(running, each)).toBe(expected)
    })
  })
})

describe('the work of a process', () => {
  it('is what the kernel says of it', async () => {
    const own = workOf(process.pid)!
    expect(own.running).toBe(true)
    expect(own.processor).toBeGreaterThan(0)
    expect(own.calls).toBeGreaterThan(0)
    const child = spawn('sleep', ['100'])
    await once(child, 'spawn')
    while (workOf(child.pid)!.running) await new Promise(resolve => setTimeout(resolve, 5))
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(workOf(child.pid)).toBeUndefined()
  })
})

describe('what is said of one that is not ready in time', () => {
  const late = 'a-1 was not ready within 60 s (liveness.startSeconds): '

  it.each([
    [undefined, `${late}its log says what it was at; if that only takes long, give it more time`],
    [14_000, `${late}its log says what it was at; if that only takes long, give it more time`],
    [
      15_400,
      `${late}it waited 15 s for a processor, so busy was the machine; try again, or give it more time; ` +
        'if that does not help, its log says what it was at',
    ],
  ])('names the limit, and the machine if that is to blame: %s ms', (waited, said) => {
    expect(lateText('a-1', 60_000, waited)).toBe(said)
  })

  it('is by what the kernel says, where it does', () => {
    if (existsSync('/proc/self/schedstat')) expect(waitedOf(process.pid)).toBeGreaterThanOrEqual(0)
    expect(waitedOf(undefined)).toBeUndefined()
  })
})
