import { describe, expect, it } from 'vitest'
import { type Fault, Load, type Place, type Time } from '../../../src/cli/stress/load.ts'
import { type Amount, Pace } from '../../../src/cli/stress/pace.ts'
import { type Answer, Tally } from '../../../src/cli/stress/tally.ts'
import { Times } from '../../../src/cli/stress/times.ts'
import { HandClock } from '../../support/hand-clock.ts'

const NEVER = Number.POSITIVE_INFINITY
const ANSWER: Answer = { status: 200, bytes: 10, fields: [], problem: '', moves: 0 }
const faultOf = (error: unknown): Fault => {
  const { message } = error as Error
  return { kind: message, reason: '', late: message === 'late' }
}

/** A load whose time is a hand's. */
class Scene {
  readonly clock = new HandClock(0)
  readonly tally = new Tally()
  readonly load: Load
  over = false

  constructor(places: number, amount: Partial<Amount>, ask: (clock: HandClock) => Promise<Answer>) {
    const { clock } = this
    const time: Time = {
      now: () => clock.steady(),
      at: (moment, then) => void clock.timer(then).at(moment),
    }
    const place: Place = { ask: () => ask(clock) }
    const pace = new Pace({ requests: NEVER, milliseconds: NEVER, warmup: 0, ...amount })
    this.load = new Load(Array<Place>(places).fill(place), pace, this.tally, time, faultOf)
    void this.load.run().then(() => {
      this.over = true
    })
  }

  async pass(milliseconds: number): Promise<void> {
    for (let i = 0; i < milliseconds; i++) {
      this.clock.pass(1)
      for (let turn = 0; turn < 6; turn++) await Promise.resolve()
    }
  }
}

const answerAfter = (clock: HandClock, milliseconds: number): Promise<Answer> =>
  new Promise(resolve => void clock.after(milliseconds, () => resolve(ANSWER)))

/** A server that answers in 2 ms, but for the last second of each ten: what comes then waits for its end. */
const stalling = (clock: HandClock): Promise<Answer> => {
  const within = clock.steady() % 10_000
  return answerAfter(clock, within >= 9000 ? 10_000 - within + 2 : 2)
}

describe('a server that stalls for a second of ten', () => {
  it('with a rate: a tenth of the corrected times hold it, evenly; two uncorrected ones do', async () => {
    const scene = new Scene(1, { milliseconds: 20_000, rate: { every: 10, phase: 0 } }, stalling)
    await scene.pass(22_000)
    expect(scene.over).toBe(true)
    const [corrected, uncorrected] = [scene.tally.corrected.summary!, scene.tally.uncorrected.summary!]
    expect(scene.tally.answers + scene.tally.counts.missed).toBe(2000)
    // 100 of 1000 requests fall into each stall; they wait for 1000 ms, 990 ms … and 10 ms for its end.
    expect(corrected.count).toBe(2000)
    expect(corrected.percentiles['50']).toBeCloseTo(2, 0)
    expect(corrected.percentiles['90']).toBeLessThan(200)
    expect(corrected.percentiles['95']).toBeGreaterThan(500)
    expect(corrected.percentiles['99']).toBeGreaterThan(900)
    // The client was busy with one request, and sent no other.
    expect(uncorrected.slowest).toBeGreaterThan(900)
    expect(uncorrected.percentiles['99']).toBeLessThan(5)
  })

  it('without a rate: it is one slow request, or as many as there are connections', async () => {
    const scene = new Scene(3, { milliseconds: 10_000 }, stalling)
    await scene.pass(11_500)
    const times = scene.tally.uncorrected.summary!
    expect(times.slowest).toBeGreaterThan(900)
    expect(times.percentiles['99']).toBeLessThan(5)
    expect(scene.tally.counts.missed).toBe(0)
  })

  it('at its end: what was due and not begun has waited until then', async () => {
    const scene = new Scene(1, { milliseconds: 1000, rate: { every: 100, phase: 0 } }, clock =>
      answerAfter(clock, clock.steady() < 450 ? 1 : 2000),
    )
    await scene.pass(3000)
    expect(scene.over).toBe(true)
    // Due at 0, 100 … 500: answered, the last of them after 2 s. 600, 700, 800, 900: never sent.
    expect([scene.tally.answers, scene.tally.counts.missed]).toEqual([6, 4])
    expect(scene.tally.corrected.count).toBe(10)
    expect(scene.tally.corrected.summary!.slowest).toBeCloseTo(2000, -1)
  })
})

describe('a load', () => {
  it('lets the connection go first that has been free for longest', async () => {
    const turns: number[] = []
    const clock = new HandClock(0)
    const places = [0, 1, 2].map(name => ({
      ask: () => {
        turns.push(name)
        return answerAfter(clock, 1)
      },
    }))
    const time: Time = { now: () => clock.steady(), at: (at, then) => void clock.timer(then).at(at) }
    const pace = new Pace({ requests: 7, milliseconds: NEVER, warmup: 0, rate: { every: 5, phase: 0 } })
    const done = new Load(places, pace, new Tally(), time, faultOf).run()
    for (let i = 0; i < 60; i++) {
      clock.pass(1)
      for (let turn = 0; turn < 6; turn++) await Promise.resolve()
    }
    await done
    expect(turns).toEqual([0, 1, 2, 0, 1, 2, 0])
  })

  it('that is broken off tells what there is, and nothing that comes later', async () => {
    const scene = new Scene(2, { rate: { every: 10, phase: 0 } }, clock =>
      answerAfter(clock, clock.steady() < 25 ? 1 : 500),
    )
    await scene.pass(80)
    scene.load.stop()
    await scene.pass(1000)
    expect(scene.over).toBe(true)
    const { answers, counts, corrected } = scene.tally
    // Due at 0, 10, 20: answered. 30 and 40: underway. 50, 60, 70: no place.
    expect([answers, counts.unfinished, counts.missed, corrected.count]).toEqual([3, 2, 3, 8])
  })

  it('of a warm-up alone counts nothing', async () => {
    const scene = new Scene(1, { warmup: 100, milliseconds: 50 }, clock => answerAfter(clock, 10))
    await scene.pass(99)
    expect([scene.tally.answers, scene.tally.counts.warmup]).toEqual([0, 10])
    await scene.pass(100)
    expect([scene.over, scene.tally.answers, scene.tally.counts.warmup]).toEqual([true, 5, 10])
  })

  it('of failures rests between them, and counts the time that was waited for nothing', async () => {
    const scene = new Scene(1, { milliseconds: 20, rate: { every: 1, phase: 0 } }, async () => {
      throw new Error('refused')
    })
    await scene.pass(40)
    expect(scene.over).toBe(true)
    expect(scene.tally.errors.get('refused')).toBeLessThanOrEqual(20)
    expect([scene.tally.answers, scene.tally.uncorrected.count]).toEqual([0, 0])
    const late = new Scene(1, { requests: 1, rate: { every: 1, phase: 0 } }, async clock => {
      await answerAfter(clock, 50)
      throw new Error('late')
    })
    await late.pass(60)
    expect(late.tally.corrected.count).toBe(1)
    expect(late.tally.corrected.summary!.slowest).toBeCloseTo(50, 1)
    expect(late.tally.uncorrected.count).toBe(0)
  })
})

describe('what is counted', () => {
  it('of several threads is the same as of one', () => {
    const [one, first, second] = [new Tally(), new Tally(), new Tally()]
    for (let i = 1; i <= 1000; i++) {
      const moments = { due: i, began: i + (i % 7), ended: i + 10 + (i % 90) }
      const fields = [
        ['X-Hotpotato-Container', `echo-${i % 2}`],
        ...(i % 10 === 0 ? [['x-hotpotato-lent-by', 'echo-9']] : []),
      ] as [string, string][]
      const status = i % 50 === 0 ? 503 : 200
      const answer = { status, bytes: i, fields, problem: '{"detail":"busy"}', moves: i % 3 }
      for (const tally of [one, i % 3 === 0 ? first : second]) {
        if (i % 100 === 1) tally.failed('protocol', 'it broke', moments, false)
        else tally.answered(answer, moments)
      }
    }
    const both = new Tally()
    both.add(first.state)
    both.add(second.state)
    const told = (tally: Tally): unknown => {
      const { counts, statuses, errors, reasons, containers, answers, failures, requests } = tally
      const times = [tally.corrected, tally.uncorrected].map(all => [all.summary, all.classes(10)])
      const sorted = (map: ReadonlyMap<unknown, unknown>): unknown => [...map].sort()
      const maps = [statuses, errors, reasons, containers].map(sorted)
      return { counts, maps, times, answers, failures, requests }
    }
    expect(told(both)).toEqual(told(one))
    expect(one).toMatchObject({ answers: 990, failures: 30, requests: 1000 })
    expect(one.reasons.get('status 503')).toBe('busy')
    expect(one.containers.get('echo-0')).toBe(500)
    expect(one.counts.lent).toBe(100)
  })

  it('lies in classes that hold every answer, at most so many of them', () => {
    const all = new Times()
    const times = Array.from({ length: 1000 }, (_, i) => 0.01 * 1.01 ** i)
    for (const time of times) all.record(time)
    const classes = all.classes(12)
    expect(classes.length).toBeLessThanOrEqual(12)
    let below = 0
    for (const { upTo, count } of classes) {
      below += count
      expect(times.filter(time => time <= upTo)).toHaveLength(below)
    }
    expect(below).toBe(1000)
  })
})
