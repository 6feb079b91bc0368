import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Timer } from '../../src/time/clock.ts'
import { TimerWheel } from '../../src/time/timer-wheel.ts'

/** A wheel that a test turns, and what it has said. */
class Scene {
  now: number
  readonly rung: string[] = []
  readonly wakes: number[] = []
  readonly held: boolean[] = []
  readonly wheel: TimerWheel

  constructor(exact = true, now = 1000) {
    this.now = now
    this.wheel = new TimerWheel({
      now: () => this.now,
      wake: at => this.wakes.push(at),
      hold: held => this.held.push(held),
      exact,
    })
  }

  timer(name: string): Timer {
    return this.wheel.timer(() => this.rung.push(`${name} ${this.now}`))
  }

  /** Turns the wheel at that moment, and whenever it asks for it until then. */
  until(end: number): string[] {
    for (let next = this.wheel.next; next <= end; next = this.wheel.next) {
      this.now = Math.max(this.now, next)
      this.wheel.turn()
    }
    this.now = end
    return this.rung.splice(0)
  }
}

describe('a timer', () => {
  it.each([
    1, 2, 31, 32, 33, 63, 64, 1000, 1023, 1024, 1025, 32_768, 40_000, 1_048_576, 33_554_431, 33_554_432,
    100_000_000, 5_000_000_000,
  ])('of %i ms rings then, and once', delay => {
    for (const start of [0, 1, 31, 1000, 1023, 32_767, 33_554_431, 2 ** 31 - 1, 2 ** 40]) {
      const scene = new Scene(true, start)
      const timer = scene.timer('one').after(delay)
      expect(scene.until(start + delay - 1)).toEqual([])
      expect(timer.armed).toBe(true)
      expect(scene.until(start + delay)).toEqual([`one ${start + delay}`])
      expect([timer.armed, scene.wheel.size, scene.wheel.next]).toEqual([false, 0, Infinity])
    }
  })

  it('rings at no fraction of a millisecond before its time', () => {
    const scene = new Scene(true, 1000.9)
    scene.timer('one').after(5)
    expect(scene.until(1005)).toEqual([])
    expect(scene.until(1006)).toEqual(['one 1006'])
  })

  it('that is late already, or of no delay, rings in the next millisecond, and not at once', () => {
    const scene = new Scene()
    scene.timer('past').at(10)
    scene.timer('none').after(0)
    scene.timer('negative').after(-5)
    scene.timer('senseless').after(Number.NaN)
    expect(scene.rung).toEqual([])
    expect(scene.until(1001)).toEqual(['past', 'none', 'negative', 'senseless'].map(name => `${name} 1001`))
  })

  it('that is put off rings later alone, and one that is brought forward earlier', () => {
    const scene = new Scene()
    const timer = scene.timer('one').after(100)
    timer.after(5000)
    expect(scene.until(5999)).toEqual([])
    timer.after(50_000)
    timer.after(10)
    expect(scene.until(6009)).toEqual(['one 6009'])
    expect(scene.until(100_000)).toEqual([])
  })

  it('that is stopped does not ring, and can be armed again', () => {
    const scene = new Scene()
    const timer = scene.timer('one').after(100)
    timer.stop()
    timer.stop()
    expect([timer.armed, scene.wheel.size, scene.wheel.next]).toEqual([false, 0, Infinity])
    expect(scene.until(2000)).toEqual([])
    timer.after(7)
    expect(scene.until(3000)).toEqual(['one 2007'])
  })

  it('that rings again and again does so until it is stopped', () => {
    const scene = new Scene()
    const timer = scene.wheel.every(400, () => scene.rung.push(String(scene.now)))
    expect(scene.until(2300)).toEqual(['1400', '1800', '2200'])
    timer.stop()
    expect(scene.until(9000)).toEqual([])
  })

  it('may arm itself, stop others that are due, and put them off', () => {
    const scene = new Scene()
    const other = scene.timer('stopped')
    const late = scene.timer('put off')
    const first = scene.wheel.timer(() => {
      scene.rung.push('first')
      other.stop()
      if (scene.now >= 1100) return
      late.after(10)
      first.after(95)
    })
    first.after(5)
    other.after(5)
    late.after(5)
    expect(scene.until(1014)).toEqual(['first'])
    expect(scene.until(1015)).toEqual(['put off 1015'])
    expect(scene.until(1200)).toEqual(['first'])
  })

  it('calls an object, where it was made for one', () => {
    const scene = new Scene()
    const owner = { rung: 0, ring: () => void owner.rung++ }
    scene.wheel.timer(owner).after(5)
    scene.until(1005)
    expect(owner.rung).toBe(1)
  })

  it('that throws keeps no other from ringing: the wheel asks to be turned again', () => {
    const scene = new Scene()
    scene.wheel.after(5, () => {
      throw new Error('a fault')
    })
    scene.timer('other').after(5)
    scene.now = 1005
    expect(() => scene.wheel.turn()).toThrow('a fault')
    expect(scene.wakes.at(-1)).toBe(1006)
    scene.now = 1006
    scene.wheel.turn()
    expect(scene.rung).toEqual(['other 1006'])
  })
})

describe('a wheel', () => {
  it('that is turned late rings all that was due, in its order', () => {
    const scene = new Scene()
    for (const delay of [70_000, 3, 1500, 40, 33_000, 900_000]) scene.timer(`${delay}`).after(delay)
    scene.now = 101_000
    scene.wheel.turn()
    expect(scene.rung).toEqual(['3', '40', '1500', '33000', '70000'].map(one => `${one} 101000`))
    scene.rung.length = 0
    expect(scene.until(1_000_000)).toEqual(['900000 901000'])
  })

  it('says when it has to be turned, and only when that is earlier than was known', () => {
    const scene = new Scene()
    const one = scene.timer('one').after(30)
    expect(scene.wakes).toEqual([1030])
    scene.timer('later').after(31)
    for (let i = 0; i < 80; i++) {
      one.stop()
      scene.now += 0.125
      one.after(30)
    }
    expect(scene.wakes).toEqual([1030])
    scene.timer('earlier').after(2)
    expect(scene.wakes).toEqual([1030, 1012])
  })

  it('is not woken for what was stopped, once it has been turned', () => {
    const scene = new Scene()
    scene.timer('one').after(20).stop()
    scene.now = 1020
    scene.wheel.turn()
    expect(scene.wakes).toEqual([1020])
  })

  it('has waited for nothing before the first timer, however long ago it was made', () => {
    const scene = new Scene()
    scene.now = 5_000_000
    scene.timer('one').after(20)
    expect(scene.wakes).toEqual([5_000_020])
  })

  it('says whether any of its timers keeps the process alive', () => {
    const scene = new Scene()
    const free = scene.timer('free').unref().after(50)
    expect(scene.held).toEqual([])
    const one = scene.timer('one').after(10)
    scene.timer('other').after(20)
    one.stop()
    expect(scene.held).toEqual([true])
    scene.until(1030)
    expect(scene.held).toEqual([true, false])
    const freed = scene.timer('freed').after(10)
    freed.unref()
    freed.unref()
    free.stop()
    freed.stop()
    expect(scene.held).toEqual([true, false, true, false])
  })

  it('rings those of many connections together: late by a sixteenth of the delay, at most by 16 ms', () => {
    const scene = new Scene(false)
    for (let i = 0; i < 1000; i++) {
      scene.now += 0.37
      scene.timer('idle').after(30_000)
    }
    const end = scene.now + 30_016
    let turns = 0
    for (let next = scene.wheel.next; next <= end; next = scene.wheel.next) {
      scene.now = next
      scene.wheel.turn()
      turns++
    }
    expect(scene.rung.length).toBe(1000)
    // 370 ms in steps of 16, and the slots that lead there.
    expect(turns).toBeLessThan(40)
    scene.timer('short').after(31)
    expect(scene.wheel.next).toBe(Math.ceil(scene.now + 31))
  })
})

/** What can be done with one of a few timers, or with the time. */
const step = fc.oneof(
  fc.record({ do: fc.constant('after' as const), timer: fc.nat(7), delay: fc.oneof(delays(), fc.nat(300)) }),
  fc.record({ do: fc.constant('at' as const), timer: fc.nat(7), delay: fc.integer({ min: -50, max: 3000 }) }),
  fc.record({ do: fc.constant('stop' as const), timer: fc.nat(7), delay: fc.constant(0) }),
  fc.record({
    do: fc.constant('pass' as const),
    timer: fc.constant(0),
    delay: fc.oneof(delays(), fc.nat(50)),
  }),
)
function delays() {
  return fc.integer({ min: 0, max: 26 }).chain(bits => fc.integer({ min: 0, max: 2 ** bits }))
}

it.each([true, false])('is a list of moments, looked through all the time (exact: %s)', exact => {
  const property = fc.property(
    fc.double({ min: 0, max: 2 ** 42, noNaN: true }),
    fc.array(step, { maxLength: 60 }),
    (start, steps) => {
      const scene = new Scene(exact, start)
      /** By timer: when it may ring first, and when it must have. */
      const moments = new Map<number, readonly [from: number, until: number]>()
      const timers = Array.from({ length: 8 }, (_, i) =>
        scene.wheel.timer(() => {
          const moment = moments.get(i)
          expect(moment?.[0]).toBeLessThanOrEqual(scene.now)
          moments.delete(i)
        }),
      )
      const expectAt = (timer: number, at: number, delay: number): void => {
        const late = exact ? 1 : Math.max(1, Math.min(delay / 16, 16))
        moments.set(timer, [at, Math.max(at + late, scene.now + 2)])
      }
      for (const { do: what, timer, delay } of steps) {
        if (what === 'after') {
          timers[timer]!.after(delay)
          expectAt(timer, scene.now + Math.max(1, delay), delay)
        } else if (what === 'at') {
          timers[timer]!.at(scene.now + delay)
          expectAt(timer, scene.now + delay, delay)
        } else if (what === 'stop') {
          timers[timer]!.stop()
          moments.delete(timer)
        } else {
          scene.now += delay
          scene.wheel.turn()
          for (const [one, [, until]] of moments) {
            expect(until, `timer ${one} should have rung`).toBeGreaterThan(Math.floor(scene.now))
          }
        }
        expect(scene.wheel.size).toBe(moments.size)
        expect(timers.map(({ armed }) => armed)).toEqual(timers.map((_, i) => moments.has(i)))
        // It is woken before anything is late.
        const first = Math.min(...[...moments.values()].map(([, until]) => until))
        expect(scene.wheel.next).toBeLessThanOrEqual(Math.max(first, Math.floor(scene.now) + 1))
      }
    },
  )
  fc.assert(property, { numRuns: process.env.HOTPOTATO_LONG ? 100_000 : 500 })
})
