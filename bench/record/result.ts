import { type GoalResult, goal } from '../harness/goal.ts'
import { figuresOf, type Measurement, timesOf } from '../harness/measurement.ts'
import type { BenchResult } from '../harness/run.ts'
import { acrossRounds, median, round, type Series, type Summary } from '../harness/stats.ts'
import type { Placement } from '../rig/placement.ts'
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

/**
 * One stack in one placement. Ratios are medians over the rounds of what was measured in the same round, to
 * `node:tls`.
 */
export interface ConnectionResult {
  readonly placement: Placement
  readonly stack: Stack
  /** µs of a round trip of 64 bytes. */
  readonly roundTrip: Summary
  readonly roundTripRatio: number | undefined
  /** MB/s (10^6 bytes of content), the median of the rounds, and each round. */
  readonly bulk: number
  readonly bulkRounds: readonly number[]
  readonly bulkRatio: number | undefined
  /**
   * CPU time in bulk, µs for a megabyte, of the server, which sends, and of the client; and to `node:tls`.
   */
  readonly senderCpu: number
  readonly senderCpuRatio: number | undefined
  readonly receiverCpu: number
  readonly receiverCpuRatio: number | undefined
}

/** What this bench has besides what all have. */
export interface RecordDetails {
  /** The program that `openssl speed` was of; absent where there is none. */
  readonly openssl?: string
  /** Why there are no rows for evp. */
  readonly evpMissing?: string
  readonly sealing: readonly SealingResult[]
  readonly connections: readonly ConnectionResult[]
}

export type RecordResult = BenchResult & RecordDetails

/** Everything as measurements. What was stopped before its first round is not among them. */
export function measurementsOf(
  all: readonly Sealing[],
  limits: ReadonlyMap<string, Series>,
  pairs: readonly Pair[],
): Measurement[] {
  const sealed = all.flatMap(({ provider, suite, series }) =>
    SIZES.flatMap(size =>
      OPERATIONS.flatMap(operation => {
        const one = series.get(Sealing.key(operation, size))
        const labels = { provider, suite, size }
        return one === undefined
          ? []
          : [
              timesOf(
                { name: `record.${operation}`, title: `${operation} a record`, labels, unit: 'µs CPU' },
                one,
              ),
            ]
      }),
    ),
  )
  const openssl = [...limits].map(([key, series]) => {
    const [suite, size] = key.split(' ') as [string, string]
    const labels = { suite, size: Number(size) }
    return timesOf({ name: 'record.openssl', title: 'openssl speed', labels, unit: 'µs CPU' }, series)
  })
  const connections = pairs
    .filter(({ bulk }) => bulk.length > 0)
    .flatMap(({ placement, stack, roundTrips, bulk, senderCpu, receiverCpu }) => {
      const labels = { placement, stack }
      return [
        timesOf({ name: 'connection.round-trip', title: 'a round trip of 64 bytes', labels }, roundTrips),
        figuresOf({ name: 'connection.bulk', title: 'bulk', labels, unit: 'MB/s' }, bulk),
        figuresOf(
          { name: 'connection.sender', title: "the sender's CPU", labels, unit: 'µs CPU/MB' },
          senderCpu,
        ),
        figuresOf(
          { name: 'connection.receiver', title: "the receiver's CPU", labels, unit: 'µs CPU/MB' },
          receiverCpu,
        ),
      ]
    })
  return [...sealed, ...openssl, ...connections]
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
          .filter(one => one.suite === suite && one.series.size > 0)
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
  return pairs
    .filter(({ bulk }) => bulk.length > 0)
    .map(pair => {
      const { placement, stack, roundTrips, bulk, senderCpu, receiverCpu } = pair
      const reference = pairs.find(one => one.stack === 'node:tls' && one.placement === placement)!
      const ratio = (one: number, other: number): number => one / other
      return {
        placement,
        stack,
        roundTrip: roundTrips.summary,
        roundTripRatio: acrossRounds(roundTrips.medians, reference.roundTrips.medians, ratio),
        bulk: round(median(bulk)),
        bulkRounds: bulk.map(round),
        bulkRatio: acrossRounds(bulk, reference.bulk, ratio),
        senderCpu: round(median(senderCpu)),
        senderCpuRatio: acrossRounds(senderCpu, reference.senderCpu, ratio),
        receiverCpu: round(median(receiverCpu)),
        receiverCpuRatio: acrossRounds(receiverCpu, reference.receiverCpu, ratio),
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
