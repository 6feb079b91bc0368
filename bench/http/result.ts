import { type GoalResult, goal, goalLines } from '../harness/goal.ts'
import { figuresOf, type Measurement } from '../harness/measurement.ts'
import type { BenchResult } from '../harness/run.ts'
import { acrossRounds, median, round } from '../harness/stats.ts'
import { figure, ratioText, table } from '../harness/table.ts'
import { isHttp2, nodeOf, PROTOCOLS, type Row } from './rows.ts'

/** What was measured of one server, round by round. */
export interface Measured extends Row {
  /** Requests a second. */
  readonly rates: number[]
  /** µs of CPU time of all processes of the server for one; empty where the kernel does not tell. */
  readonly cpu: number[]
}

/** One server. Ratios are medians over the rounds of what was measured in the same round, to Node's. */
export interface HttpRow extends Row {
  readonly rate: number
  readonly rates: readonly number[]
  readonly rateRatio: number | undefined
  readonly cpu: number | undefined
  /** Node's CPU time for a request divided by this one's: above 1, this one does with less. */
  readonly cpuRatio: number | undefined
}

/** What this bench has besides what all have. */
export interface HttpDetails {
  /** Which programs loaded the servers, with their versions. */
  readonly tools: readonly string[]
  /** Why TLS was ours over node:crypto. */
  readonly evpMissing?: string
  readonly rows: readonly HttpRow[]
}

const CPU = { name: 'http.cpu', title: 'the server for one request', unit: 'µs CPU' } as const

/** Everything as measurements. What was stopped before its first round is not among them. */
export function measurementsOf(all: readonly Measured[]): Measurement[] {
  return all
    .filter(({ rates }) => rates.length > 0)
    .flatMap(({ protocol, server, rates, cpu }) => {
      const labels = { protocol, server }
      return [
        figuresOf({ name: 'http.rate', title: 'requests a second', labels }, rates),
        ...(cpu.length === 0 ? [] : [figuresOf({ ...CPU, labels }, cpu)]),
      ]
    })
}

export function httpRows(all: readonly Measured[]): HttpRow[] {
  const done = PROTOCOLS.flatMap(protocol =>
    all.filter(one => one.protocol === protocol && one.rates.length > 0),
  )
  return done.map(({ protocol, server, rates, cpu }) => {
    const node = done.find(one => one.protocol === protocol && one.server === nodeOf(protocol))
    return {
      protocol,
      server,
      rate: round(median(rates)),
      rates: rates.map(round),
      rateRatio: acrossRounds(rates, node?.rates ?? [], (one, other) => one / other),
      cpu: cpu.length === 0 ? undefined : round(median(cpu)),
      cpuRatio: acrossRounds(cpu, node?.cpu ?? [], (one, other) => other / one),
    }
  })
}

/** What was reached of what we aim at: the engine is faster than Node's, and the platform is not slower. */
export function goalsOf(rows: readonly HttpRow[]): GoalResult[] {
  return rows.flatMap(({ protocol, server, rateRatio }) => {
    const alone = isHttp2(protocol) ? 1.5 : 1.3
    const aims = { 'engine alone': alone, 'platform, raw function': 1, 'platform, fetch function': 1 }
    const aim = (aims as Readonly<Record<string, number>>)[server]
    const name = `${protocol}, ${server}: requests a second, ${nodeOf(protocol)} = 1`
    return aim === undefined ? [] : [goal(name, '≥', aim, rateRatio)]
  })
}

/** What a person wants to read of a result. */
export function format({ tools, evpMissing, rows, goals }: BenchResult & HttpDetails): string {
  const lines = rows.map(({ protocol, server, rate, rateRatio, cpu, cpuRatio }) => [
    `${protocol}, ${server}`,
    figure(rate),
    ratioText(rateRatio),
    figure(cpu),
    ratioText(cpuRatio),
  ])
  return [
    'platform: through the gateway to a container; engine alone: what `hotpotato serve` runs',
    ...(evpMissing === undefined ? [] : [`no evp: ${evpMissing}`]),
    `GET, 200 bytes back, by ${tools.join(' and ')}; server and client on one CPU each ` +
      '(ratios: medians over rounds, node = 1; above 1 is better)',
    table(['', 'requests/s', 'ratio', 'CPU µs', 'ratio'], lines),
    goalLines(goals),
  ].join('\n\n')
}
