import type { Bin } from '../harness/histogram.ts'

/** A kind of request as it was measured. */
export interface Kind {
  /** µs that one keeps a server's core busy, on average. */
  readonly service: number
  /** µs that one takes when nothing else is going on: how often which, in classes. */
  readonly alone: readonly Bin[]
}

/** A mixture: with which share which kind comes. */
export type Mixture = readonly { readonly share: number; readonly kind: Kind }[]

/** What was found for one core. µs. */
export interface Latency {
  /** Share of the time that the core is busy, as it was simulated; from 1 on the others are infinite. */
  readonly utilisation: number
  readonly mean: number
  readonly p50: number
  readonly p99: number
}

const SATURATED = {
  mean: Number.POSITIVE_INFINITY,
  p50: Number.POSITIVE_INFINITY,
  p99: Number.POSITIVE_INFINITY,
}

/** µs that a request of a mixture keeps a core busy, on average. */
export function meanService(mixture: Mixture): number {
  return mixture.reduce((sum, { share, kind }) => sum + share * kind.service, 0)
}

/**
 * One core that serves requests in the order in which they come (M/G/1), by discrete-event simulation:
 * waiting times follow from each other (Lindley's recursion). A request that takes so many times as long as
 * others when it is alone keeps the core busy so many times as long, too: on average for `service`.
 * @param rate requests a second @param count how many are simulated; the first tenth does not count
 */
export function simulateCore(mixture: Mixture, rate: number, count = 200_000): Latency {
  const expected = (meanService(mixture) * rate) / 1e6
  if (expected >= 1) return { utilisation: expected, ...SATURATED }
  const random = generator(0x9e3779b9)
  const draws = mixture.map(({ share, kind }) => ({ share, kind, draw: drawer(kind.alone) }))
  const times = new Float64Array(count - Math.floor(count / 10))
  let [waiting, worked, passed] = [0, 0, 0]
  for (let i = -Math.floor(count / 10); i < times.length; i++) {
    const { kind, draw } = pick(draws, random())
    const alone = draw.at(random())
    if (i >= 0) times[i] = waiting + alone
    const service = (kind.service * alone) / draw.mean
    const gap = (-Math.log(1 - random()) / rate) * 1e6
    if (i >= 0) {
      worked += service
      passed += gap
    }
    waiting = Math.max(0, waiting + service - gap)
  }
  const utilisation = worked / passed
  if (utilisation >= 1) return { utilisation, ...SATURATED }
  times.sort()
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))]!
  return {
    utilisation,
    mean: times.reduce((sum, time) => sum + time, 0) / times.length,
    p50: at(0.5),
    p99: at(0.99),
  }
}

function pick<T extends { readonly share: number }>(draws: readonly T[], at: number): T {
  let left = at
  for (const one of draws) {
    left -= one.share
    if (left < 0) return one
  }
  return draws.at(-1)!
}

/** Draws values as often as they were measured. */
function drawer(bins: readonly Bin[]): { readonly mean: number; at(share: number): number } {
  const total = bins.reduce((sum, [, count]) => sum + count, 0)
  const edges = bins.map(([edge]) => edge)
  let seen = 0
  const upTo = bins.map(([, count]) => {
    seen += count
    return seen / total
  })
  const mean = bins.reduce((sum, [edge, count]) => sum + edge * count, 0) / total
  return {
    mean,
    at(share) {
      let [low, high] = [0, upTo.length - 1]
      while (low < high) {
        const middle = (low + high) >> 1
        if (upTo[middle]! > share) high = middle
        else low = middle + 1
      }
      return edges[low]!
    },
  }
}

/** Numbers from 0 up to 1, the same every time. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
