import { describe, expect, test } from 'vitest'
import { acrossRounds, median, Series } from '../../bench/lib/stats.ts'
import { figure, table } from '../../bench/lib/table.ts'

describe('statistics', () => {
  test('the median of odd and even counts', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    expect(() => median([])).toThrow(RangeError)
  })

  test('p50 is the median of the rounds, so that one disturbed round does not move it; p99 sees every sample', () => {
    const series = new Series()
    series.add(Array(10).fill(10))
    series.add(Array(10).fill(12))
    series.add(Array(10).fill(5000))
    const { p50, p99, min, max, samples, rounds } = series.summary
    expect(p50).toBe(12)
    expect(rounds).toEqual([10, 12, 5000])
    expect(samples).toBe(30)
    // The histogram keeps three figures.
    expect(p99).toBeGreaterThan(4990)
    expect(min).toBeCloseTo(10, 1)
    expect(max).toBeGreaterThan(4990)
  })

  test('refuses rounds without samples and samples that are no times', () => {
    expect(() => new Series().add([])).toThrow(RangeError)
    expect(() => new Series().add([Number.NaN])).toThrow(RangeError)
    expect(() => new Series().add([-1])).toThrow(RangeError)
  })

  test('relations are made within a round: drift cancels out', () => {
    expect(acrossRounds([20, 200, 40], [10, 100, 20], (one, other) => one / other)).toBe(2)
    expect(acrossRounds([], [1], (one, other) => one / other)).toBeUndefined()
  })

  test('tables line up', () => {
    const text = table(
      ['', 'µs'],
      [
        ['stays', figure(9.994)],
        ['migrated', figure(1234.5)],
      ],
    )
    expect(text).toBe('            µs\nstays     9.99\nmigrated  1235')
  })
})
