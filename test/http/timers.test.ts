import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { problem } from '../../src/http/problem.ts'
import {
  DEFAULT_TIMERS,
  HttpTimers,
  LONGEST_TIMER,
  TIMER_NAMES,
  timerProblem,
  timersLeft,
} from '../../src/http/timers.ts'
import { decode, encode } from '../../src/wire/index.ts'

const SETTINGS = { headers: 10, 'request-body': 20, 'keep-alive': 30, handler: 40, container: 0 }

describe('timers', () => {
  it('run out at their setting, not before', () => {
    const timers = new HttpTimers(SETTINGS)
    expect([timers.expired(1e9), timers.next(0)]).toEqual([undefined, undefined])
    timers.start('headers', 100)
    expect([timers.expired(109), timers.next(103)]).toEqual([undefined, 7])
    expect([timers.expired(110), timers.next(110), timers.next(120)]).toEqual(['headers', 0, 0])
    timers.stop('headers')
    expect(timers.expired(1e9)).toBeUndefined()
  })

  it('started again count anew, begun again do not', () => {
    const timers = new HttpTimers(SETTINGS)
    timers.start('request-body', 0)
    timers.start('request-body', 15)
    expect(timers.expired(34)).toBeUndefined()
    expect(timers.expired(35)).toBe('request-body')
    timers.begin('headers', 0)
    timers.begin('headers', 9)
    expect(timers.expired(10)).toBe('headers')
  })

  it('several at a time: the first to run out is named', () => {
    const timers = new HttpTimers(SETTINGS)
    timers.start('handler', 0)
    timers.start('request-body', 0)
    expect(timers.expired(50)).toBe('request-body')
    timers.start('request-body', 50)
    expect(timers.expired(50)).toBe('handler')
    timers.stopAll()
    expect(timers.next(0)).toBeUndefined()
  })

  it('0 is for ever', () => {
    const timers = new HttpTimers(SETTINGS)
    timers.start('container', 0)
    expect([timers.running('container'), timers.expired(1e15)]).toEqual([false, undefined])
  })

  it('travel as time left, whatever the clocks are', () => {
    const calls = fc.array(
      fc.record({ name: fc.constantFrom(...TIMER_NAMES), at: fc.nat(1000), stop: fc.boolean() }),
      { maxLength: 10 },
    )
    fc.assert(
      fc.property(calls, fc.nat(1000), fc.nat(1e9), fc.nat(100), (list, moved, clock, later) => {
        const here = new HttpTimers(SETTINGS)
        for (const { name, at, stop } of list.sort((a, b) => a.at - b.at)) {
          if (stop) here.stop(name)
          else here.start(name, at)
        }
        const carried = decode(timersLeft, encode(timersLeft, here.export(moved)))
        const there = new HttpTimers(SETTINGS, carried, clock)
        const next = here.next(moved)
        expect(there.next(clock)).toBe(next)
        expect(there.expired(clock + later) !== undefined).toBe(here.expired(moved + later) !== undefined)
        for (const name of TIMER_NAMES) expect(there.running(name)).toBe(here.running(name))
      }),
    )
  })

  it('carry no more than the format can', () => {
    const timers = new HttpTimers({ ...SETTINGS, handler: 1e15 })
    timers.start('handler', 0)
    expect(timers.export(0)).toEqual({ running: [{ name: 'handler', left: LONGEST_TIMER }] })
  })
})

describe('the rate of content', () => {
  const settings = { ...SETTINGS, 'request-body': 1000, rate: { bytesPerSecond: 100, grace: 500 } }

  it('counts the time in which content is waited for', () => {
    const timers = new HttpTimers(settings)
    timers.start('request-body', 0)
    // 400 ms, and 10 ms for the byte.
    expect(timers.content(1, 400)).toBe(true)
    expect(timers.rate(1e6)).toBe(110)
    timers.start('request-body', 5000)
    timers.start('request-body', 5050)
    expect(timers.rate(5100)).toBe(10)
    expect(timers.expired(5109)).toBeUndefined()
    expect(timers.content(0, 5111)).toBe(false)
    expect([timers.expired(5111), timers.next(5111)]).toEqual(['request-rate', 0])
    timers.stop('request-rate')
    expect(timers.expired(5111)).toBeUndefined()
  })

  it('lets no client save up more than the grace', () => {
    const timers = new HttpTimers(settings)
    for (let now = 0; now < 1000; now += 10) {
      timers.start('request-body', now)
      timers.content(1e6, now + 9)
    }
    expect(timers.rate(1000)).toBe(500)
  })

  it('is no matter without a setting, or when the next request begins', () => {
    const without = new HttpTimers(SETTINGS)
    without.start('request-body', 0)
    expect([without.content(0, 1e9), without.expired(1e9)]).toEqual([true, undefined])
    const timers = new HttpTimers(settings)
    timers.start('request-body', 0)
    timers.content(0, 499)
    timers.stopAll()
    expect(timers.rate(0)).toBe(500)
  })

  it('goes on elsewhere, and what comes a second time pays nothing', () => {
    const here = new HttpTimers(settings)
    here.start('request-body', 0)
    here.content(20, 450)
    here.start('request-body', 450)
    const there = new HttpTimers(settings, undefined, 7000)
    there.resume(here.rate(500), 20)
    expect(there.rate(7000)).toBe(200)
    there.content(15, 7000)
    expect(there.rate(7000)).toBe(200)
    there.content(15, 7000)
    expect(there.rate(7000)).toBe(300)
  })
})

describe('answers', () => {
  it.each([
    ['headers', 408],
    ['request-body', 408],
    ['handler', 504],
    ['container', 503],
  ] as const)('%s gets %i, which names it', (name, status) => {
    const view = problem(timerProblem(name, DEFAULT_TIMERS[name])!)
    expect(view.status).toBe(status)
    const said = JSON.parse(new TextDecoder().decode(view.body as Uint8Array))
    expect(said).toMatchObject({ status, timer: name, milliseconds: DEFAULT_TIMERS[name] })
    expect(view.headers?.some(([field]) => field === 'retry-after')).toBe(status === 503)
  })

  it('an idle connection is not answered', () => {
    expect(timerProblem('keep-alive', 1)).toBeUndefined()
  })
})
