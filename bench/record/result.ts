import type { Environment, Load } from '../lib/environment.ts'
import { type GoalResult, goal } from '../lib/goal.ts'
import type { Placement } from '../lib/placement.ts'
import { acrossRounds, median, round, type Series, type Summary } from '../lib/stats.ts'
import type { Pair } from './pair.ts'
import { OPERATIONS, type Operation, SIZES, type Size, type Stack } from './rows.ts'
import { Sealing } from './sealing.ts'

/** One operation: µs for a record, and how fast that is beside `openssl speed` (1: as fast; more: faster). */
export interface SealingResult {
  readonly suite: string
  readonly provider: string
  readonly operation: Operation | 'openssl speed'
  readonly size: Size
  readonly time: Summary
  readonly toOpenssl?: number
}

/** One stack in one placement. Ratios are medians over the rounds of what was measured in the same round, to `node:tls`. */
export interface ConnectionResult {
  readonly placement: Placement
  readonly stack: Stack
  /** µs of a round trip of 64 bytes. */
  readonly roundTrip: Summary
  readonly roundTripRatio: number
  /** MB/s (10^6 bytes of content), the median of the rounds, and each round. */
  readonly bulk: number
  readonly bulkRounds: readonly number[]
  readonly bulkRatio: number
  /** CPU time in bulk, µs for a megabyte, of the server, which sends, and of the client; and to `node:tls`. */
  readonly senderCpu: number
  readonly senderCpuRatio: number
  readonly receiverCpu: number
  readonly receiverCpuRatio: number
}

export interface RecordResult extends Environment {
  readonly bench: 'record'
  readonly format: 1
  readonly date: string
  readonly quick: boolean
  readonly seconds: number
  /** The program that `openssl speed` was of; absent where there is none. */
  readonly openssl?: string
  /** Why there are no rows for evp. */
  readonly evpMissing?: string
  readonly load: Load
  readonly sealing: readonly SealingResult[]
  readonly connections: readonly ConnectionResult[]
  readonly goals: readonly GoalResult[]
}

/** @param limits of `openssl speed`, by suite and size */
export function sealingResults(
  all: readonly Sealing[],
  limits: ReadonlyMap<string, Series>,
): SealingResult[] {
  const suites = [...new Set(all.map(({ suite }) => suite))]
  return suites.flatMap(suite =>
    SIZES.flatMap(size => {
      const limit = limits.get(`${suite} ${size}`)?.summary
      const rows = OPERATIONS.flatMap(operation =>
        all
          .filter(one => one.suite === suite)
          .map(({ provider, series }): SealingResult => {
            const time = series.get(Sealing.key(operation, size))!.summary
            const toOpenssl = limit && { toOpenssl: round(limit.p50 / time.p50) }
            return { suite, provider, operation, size, time, ...toOpenssl }
          }),
      )
      if (limit === undefined) return rows
      return [
        ...rows,
        { suite, provider: '', operation: 'openssl speed' as const, size, time: limit, toOpenssl: 1 },
      ]
    }),
  )
}

export function pairResults(pairs: readonly Pair[]): ConnectionResult[] {
  return pairs.map(pair => {
    const { placement, stack, roundTrips, bulk, senderCpu, receiverCpu } = pair
    const reference = pairs.find(one => one.stack === 'node:tls' && one.placement === placement)!
    const ratio = (one: number, other: number): number => one / other
    return {
      placement,
      stack,
      roundTrip: roundTrips.summary,
      roundTripRatio: acrossRounds(roundTrips.medians, reference.roundTrips.medians, ratio)!,
      bulk: round(median(bulk)),
      bulkRounds: bulk.map(round),
      bulkRatio: acrossRounds(bulk, reference.bulk, ratio)!,
      senderCpu: round(median(senderCpu)),
      senderCpuRatio: acrossRounds(senderCpu, reference.senderCpu, ratio)!,
      receiverCpu: round(median(receiverCpu)),
      receiverCpuRatio: acrossRounds(receiverCpu, reference.receiverCpu, ratio)!,
    }
  })
}

/** What was reached of what we aim at: evp, on one core and on two. */
export function goalsOf(
  sealing: readonly SealingResult[],
  connections: readonly ConnectionResult[],
): GoalResult[] {
  const sealed = (operation: Operation): number | undefined =>
    sealing.find(
      one =>
        one.suite === 'TLS_AES_128_GCM_SHA256' &&
        one.provider === 'evp' &&
        one.operation === operation &&
        one.size === 16_384,
    )?.toOpenssl
  const goals = [
    goal('a 16 KiB record sealed, openssl speed = 1', '≥', 0.85, sealed('sealInto')),
    goal('the same into memory of its own', '≥', 0.85, sealed('seal')),
  ]
  for (const { placement, bulkRatio, roundTripRatio } of connections.filter(({ stack }) => stack === 'evp')) {
    goals.push(goal(`bulk, node:tls = 1, ${placement}`, '≥', 1, bulkRatio))
    goals.push(goal(`64-byte round trip, node:tls = 1, ${placement}`, '≤', 1, roundTripRatio))
  }
  return goals
}
