import { type GoalResult, goal, goalLines } from '../harness/goal.ts'
import { figuresOf, type Measurement } from '../harness/measurement.ts'
import type { BenchResult } from '../harness/run.ts'
import { acrossRounds, median, round } from '../harness/stats.ts'
import { figure, ratioText, table } from '../harness/table.ts'
import { ADAPTER, isHttp2, nodeOf, PROTOCOLS, type Row, rivalOf } from './rows.ts'

/** What was measured of one server, round by round. */
export interface Measured extends Row {
  /** Requests a second. */
  readonly rates: number[]
  /** µs of CPU time of all processes of the server for one; empty where the kernel does not tell. */
  readonly cpu: number[]
  /** µs from a request to its answer for one client that waits for each; empty: see {@link isAskedAlone}. */
  readonly alone: number[]
}

/** One server. Ratios are medians over the rounds of what was measured in the same round, to Node's. */
export interface HttpRow extends Row {
  readonly rate: number
  readonly rates: readonly number[]
  readonly rateRatio: number | undefined
  /** The same to the server that runs the same function or application; undefined where there is none. */
  readonly rivalRatio: number | undefined
  readonly cpu: number | undefined
  /** Node's CPU time for a request divided by this one's: above 1, this one does with less. */
  readonly cpuRatio: number | undefined
  /** µs from a request to its answer for one client that waits for each. */
  readonly alone: number | undefined
  /** Of that, what there is more than with a raw function. */
  readonly added: number | undefined
}

/** What this bench has besides what all have. */
export interface HttpDetails {
  /** Which programs loaded the servers, with their versions. */
  readonly tools: readonly string[]
  /** Why TLS was ours over node:crypto. */
  readonly evpMissing?: string
  readonly rows: readonly HttpRow[]
}

/** µs that Request and Response objects may add to a request. */
const MOST_ADDED = 10

const ALONE = { name: 'http.alone', title: 'one request at a time', unit: 'µs' } as const
const CPU = { name: 'http.cpu', title: 'the server for one request', unit: 'µs CPU' } as const

/** Everything as measurements. What was stopped before its first round is not among them. */
export function measurementsOf(all: readonly Measured[]): Measurement[] {
  return all
    .filter(({ rates }) => rates.length > 0)
    .flatMap(({ protocol, server, rates, cpu, alone }) => {
      const labels = { protocol, server }
      return [
        figuresOf({ name: 'http.rate', title: 'requests a second', labels }, rates),
        ...(cpu.length === 0 ? [] : [figuresOf({ ...CPU, labels }, cpu)]),
        ...(alone.length === 0 ? [] : [figuresOf({ ...ALONE, labels }, alone)]),
      ]
    })
}

export function httpRows(all: readonly Measured[]): HttpRow[] {
  const done = PROTOCOLS.flatMap(protocol =>
    all.filter(one => one.protocol === protocol && one.rates.length > 0),
  )
  return done.map(({ protocol, server, rates, cpu, alone }) => {
    const seek = (name: string | undefined) =>
      done.find(one => one.protocol === protocol && one.server === name)
    const node = seek(nodeOf(protocol))
    const rival = seek(rivalOf({ protocol, server }))
    const raw = server === 'platform, fetch function' ? seek('platform, raw function') : undefined
    return {
      protocol,
      server,
      rate: round(median(rates)),
      rates: rates.map(round),
      rateRatio: acrossRounds(rates, node?.rates ?? [], (one, other) => one / other),
      rivalRatio: acrossRounds(rates, rival?.rates ?? [], (one, other) => one / other),
      cpu: cpu.length === 0 ? undefined : round(median(cpu)),
      cpuRatio: acrossRounds(cpu, node?.cpu ?? [], (one, other) => other / one),
      alone: alone.length === 0 ? undefined : round(median(alone)),
      added: acrossRounds(alone, raw?.alone ?? [], (one, other) => one - other),
    }
  })
}

/**
 * What was reached of what we aim at: the engine is faster than Node's, the platform is not slower; functions
 * are not slower than on the best adapter, and applications not much slower than in Node's server.
 */
export function goalsOf(rows: readonly HttpRow[]): GoalResult[] {
  return rows.flatMap(row => {
    const { protocol, server, rateRatio, rivalRatio, added } = row
    const rival = rivalOf(row)
    const name = (node: string): string => `${protocol}, ${server}: requests a second, ${node} = 1`
    const aim = aimOf(row)
    return [
      ...(aim === undefined ? [] : [goal(name(nodeOf(protocol)), '≥', aim, rateRatio)]),
      ...(rival === undefined || rivalRatio === undefined
        ? []
        : [goal(name(rival), '≥', rival.startsWith(ADAPTER) ? 1 : 0.8, rivalRatio)]),
      ...(added === undefined ? [] : [goal(`${protocol}: ${ADDED}`, '≤', MOST_ADDED, added, 'µs')]),
    ]
  })
}

const ADDED = 'what a fetch function adds to a request that stays, to one client'

function aimOf({ protocol, server }: Row): number | undefined {
  if (server === 'engine alone') return isHttp2(protocol) ? 1.5 : 1.3
  if (server === 'platform, raw function') return protocol === 'HTTP/1.1 over TLS' ? 1.5 : 1
  return server === 'platform, fetch function' ? 1 : undefined
}

/** What a person wants to read of a result. */
export function format({ tools, evpMissing, rows, goals }: BenchResult & HttpDetails): string {
  const lines = rows.map(({ protocol, server, rate, rateRatio, rivalRatio, cpu, cpuRatio }) => [
    `${protocol}, ${server}`,
    figure(rate),
    ratioText(rateRatio),
    rivalText(rivalRatio),
    figure(cpu),
    ratioText(cpuRatio),
  ])
  return [
    'platform: through the gateway to a container; engine alone: what `hotpotato serve` runs',
    ...(evpMissing === undefined ? [] : [`no evp: ${evpMissing}`]),
    `GET, 200 bytes back, by ${tools.join(' and ')}; server and client on one CPU each ` +
      '(ratios: medians over rounds, node = 1, or the same function or application in Node’s server = 1; ' +
      'above 1 is better)',
    table(['', 'requests/s', 'ratio', 'same = 1', 'CPU µs', 'ratio'], lines),
    'one client that waits for each answer:',
    table(['', 'µs', 'more than raw'], rows.filter(({ alone }) => alone !== undefined).map(aloneLine)),
    goalLines(goals),
  ].join('\n\n')
}

function aloneLine({ protocol, server, alone, added }: HttpRow): string[] {
  return [`${protocol}, ${server}`, figure(alone), added === undefined ? '' : figure(added)]
}

/** A ratio where there is one. */
export function rivalText(ratio: number | undefined): string {
  return ratio === undefined ? '' : ratioText(ratio)
}
