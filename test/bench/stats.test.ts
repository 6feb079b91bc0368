import { describe, expect, it } from 'vitest'
import { acrossRounds, imprecision, intervalOfMedian, median, Series } from '../../bench/harness/stats.ts'
import { figure, table } from '../../bench/harness/table.ts'

describe('statistics', () => {
  it('the median of odd and even counts', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    expect(() => median([])).toThrow(RangeError)
  })

  it('p50 is the median of the rounds, which one disturbed round does not move; p99 sees all samples', () => {
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

  it('refuses rounds without samples and samples that are no times', () => {
    expect(() => new Series().add([])).toThrow(RangeError)
    expect(() => new Series().add([Number.NaN])).toThrow(RangeError)
    expect(() => new Series().add([-1])).toThrow(RangeError)
  })

  it('the interval of the median: as many values may lie outside as 95 % allow', () => {
    const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => n - i)
    expect(intervalOfMedian(upTo(5))).toBeUndefined()
    // From tables of the sign test: n = 6, 8: the extremes; 9: all but one at either end; 20: the 6th and the
    // 15th.
    expect(intervalOfMedian(upTo(6))).toEqual([1, 6])
    expect(intervalOfMedian(upTo(8))).toEqual([1, 8])
    expect(intervalOfMedian(upTo(9))).toEqual([2, 8])
    expect(intervalOfMedian(upTo(20))).toEqual([6, 15])
    expect(imprecision(upTo(5))).toBe(Number.POSITIVE_INFINITY)
    expect(imprecision([99, 100, 100, 100, 100, 100, 100, 100, 100, 101])).toBe(0)
  })

  it('a series of means, where two kinds of sample are mixed', () => {
    const series = new Series('mean')
    series.add([10, 10, 10, 30])
    expect(series.medians).toEqual([15])
  })

  it('the histogram counts every sample, in classes at most 2.2 % wide', () => {
    const series = new Series()
    series.add([1, 1, 50, 51.5, 4000])
    expect(series.bins.map(([, count]) => count)).toEqual([2, 1, 1, 1])
    for (const [index, value] of [1, 50, 51.5, 4000].entries()) {
      const [edge] = series.bins[index]!
      expect(edge).toBeGreaterThanOrEqual(value)
      expect(edge / value).toBeLessThan(1.023)
    }
  })

  it('relations are made within a round: drift cancels out', () => {
    expect(acrossRounds([20, 200, 40], [10, 100, 20], (one, other) => one / other)).toBe(2)
    expect(acrossRounds([], [1], (one, other) => one / other)).toBeUndefined()
  })

  it('tables line up', () => {
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
