import { identityOf, type Measurement } from './measurement.ts'

/** Chance of calling any difference real that is none, over all rows of a comparison together. */
export const ALPHA = 0.05

/** How one measurement differs between two results. */
export interface Change {
  readonly identity: string
  readonly before: Measurement
  readonly after: Measurement
  /** Value after / before; infinite if it was 0. */
  readonly ratio: number
  /** Two-sided, of the Mann–Whitney test on the rounds. */
  readonly p: number
  /**
   * `noise`: it may well be chance. `too few`: so few rounds could not tell whatever they said. Otherwise it
   * is real (Holm's correction for many rows).
   */
  readonly verdict: 'better' | 'worse' | 'noise' | 'too few'
}

/**
 * What two results have in common, and whether it changed. Measurements in other units are not comparable and
 * left out.
 */
export function compare(before: readonly Measurement[], after: readonly Measurement[]): Change[] {
  const others = new Map(after.map(one => [identityOf(one), one]))
  const pairs = before.flatMap(one => {
    const other = others.get(identityOf(one))
    return other === undefined || other.unit !== one.unit
      ? []
      : [{ identity: identityOf(one), before: one, after: other, p: mannWhitney(one.rounds, other.rounds) }]
  })
  const limits = holm(pairs.map(({ p }) => p))
  return pairs.map((pair, index) => {
    const [one, other] = [pair.before.value, pair.after.value]
    const ratio = one === other ? 1 : other / one
    const significant = pair.p <= limits[index]!
    const verdict =
      leastP(pair.before.rounds.length, pair.after.rounds.length) > ALPHA
        ? 'too few'
        : !significant || ratio === 1
          ? 'noise'
          : ratio < 1 === (pair.before.better === 'less')
            ? 'better'
            : 'worse'
    return { ...pair, ratio, verdict }
  })
}

/**
 * For each p the limit that it has to keep, so that over all of them together one error in `ALPHA` happens
 * (Holm's step-down method).
 */
function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, index) => index).sort((one, other) => ps[one]! - ps[other]!)
  const limits = new Array<number>(ps.length).fill(0)
  for (const [rank, index] of order.entries()) {
    const limit = ALPHA / (ps.length - rank)
    // Behind the first that does not keep its limit nothing counts.
    if (ps[index]! > limit) break
    limits[index] = limit
  }
  return limits
}

/**
 * The chance that two samples of one distribution differ in rank as much as these: two-sided Mann–Whitney
 * test; exact for up to 400 pairs without ties, else by the normal approximation with corrections for ties
 * and continuity.
 */
export function mannWhitney(one: readonly number[], other: readonly number[]): number {
  const [n, m] = [one.length, other.length]
  if (n === 0 || m === 0) return 1
  let u = 0
  let tied = false
  for (const x of one)
    for (const y of other) {
      u += x > y ? 1 : x === y ? 0.5 : 0
      tied ||= x === y
    }
  const smaller = Math.min(u, n * m - u)
  if (!tied && n * m <= 400) return Math.min(1, 2 * exactTail(n, m, smaller))
  const all = [...one, ...other]
  const ties = [...counts(all).values()].reduce((sum, count) => sum + count ** 3 - count, 0)
  const N = n + m
  const variance = ((n * m) / 12) * (N + 1 - ties / (N * (N - 1)))
  if (variance <= 0) return 1
  const z = (Math.abs(u - (n * m) / 2) - 0.5) / Math.sqrt(variance)
  return Math.min(1, 2 * normalTail(Math.max(0, z)))
}

/** The smallest p that so many rounds can give. */
function leastP(n: number, m: number): number {
  let ways = 1
  for (let i = 1; i <= m; i++) ways = (ways * (n + i)) / i
  return 2 / ways
}

function counts(values: readonly number[]): Map<number, number> {
  const found = new Map<number, number>()
  for (const value of values) found.set(value, (found.get(value) ?? 0) + 1)
  return found
}

/**
 * P(U ≤ u) where all orders of n and m values are as likely: counted by the recurrence of Mann and Whitney.
 */
function exactTail(n: number, m: number, u: number): number {
  // ways[i][k]: orders of i of the one and the j of the other at hand with U = k; j grows from step to step.
  let ways: number[][] = Array.from({ length: n + 1 }, () => [1])
  for (let j = 1; j <= m; j++) {
    const next: number[][] = [[1]]
    for (let i = 1; i <= n; i++) {
      const row = new Array<number>(i * j + 1).fill(0)
      // The largest value is one of the other (U as with j - 1) or of the one (it beats all j).
      for (const [k, count] of ways[i]!.entries()) row[k]! += count
      for (const [k, count] of next[i - 1]!.entries()) row[k + j]! += count
      next.push(row)
    }
    ways = next
  }
  const all = ways[n]!
  const total = all.reduce((sum, count) => sum + count, 0)
  return all.slice(0, Math.floor(u) + 1).reduce((sum, count) => sum + count, 0) / total
}

/** P(Z > z), z ≥ 0, to seven digits (Abramowitz and Stegun, 26.2.17). */
function normalTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z)
  const polynomial =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial
}
