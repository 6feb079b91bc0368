import { describe, expect, it } from 'vitest'
import type { CommonConfig } from '../../src/tls13/config.ts'
import { Trifles } from '../../src/tls13/trifles.ts'

let now = 0
const trifles = (more: Partial<CommonConfig> = {}) =>
  new Trifles({
    tinyRecords: { burst: 100, perSecond: 1000 },
    emptyLimit: 1e9,
    now: () => now,
    ...more,
  } as CommonConfig)

/** How often it may be done. */
function times(what: () => void): number {
  for (let count = 0; count < 10_000; count++) {
    try {
      what()
    } catch (error) {
      expect(error).toMatchObject({ alert: 'unexpected_message' })
      return count
    }
  }
  return Infinity
}

describe('what a peer may send that says hardly anything', () => {
  it('is counted by records, and by what each of them costs', () => {
    const records = trifles()
    expect(times(() => records.record(1, 0))).toBe(100)
    const fragments = trifles()
    expect(times(() => fragments.record(1, 10_240))).toBe(9)
    const updates = trifles()
    expect(times(() => updates.empty('KeyUpdates'))).toBe(5)
  })

  it('is paid back by time, by content, and by whatever we send', () => {
    const one = trifles()
    expect(times(() => one.record(63, 0))).toBe(100)
    now += 50
    expect(times(() => one.record(63, 0))).toBeGreaterThanOrEqual(49)
    expect(times(() => one.record(64, 0))).toBe(Infinity)
    for (let i = 0; i < 10; i++) one.record(16_384, 0)
    expect(times(() => one.record(0, 0))).toBeGreaterThan(50)
    const asked = trifles()
    expect(
      times(() => {
        asked.record(30, 0)
        asked.sent(30)
      }),
    ).toBe(Infinity)
  })

  it('in a row is counted by itself', () => {
    const one = trifles({ emptyLimit: 3 })
    expect(times(() => one.empty('records without content'))).toBe(3)
    const other = trifles({ emptyLimit: 3 })
    expect(
      times(() => {
        other.empty('records without content')
        other.heard()
      }),
    ).toBe(Infinity)
  })
})
