import type { Environment, Load } from '../lib/environment.ts'
import { type GoalResult, goal, goalLines } from '../lib/goal.ts'
import { acrossRounds, median, round } from '../lib/stats.ts'
import { figure, table } from '../lib/table.ts'
import { isHttp2, type Protocol, type ServerKind } from './rows.ts'

/** What was measured of one server, round by round. */
export interface Measured {
  readonly protocol: Protocol
  readonly server: ServerKind
  /** Requests a second. */
  readonly rates: number[]
  /** µs of CPU time of the server for one. */
  readonly cpu: number[]
}

/** One server. Ratios are medians over the rounds of what was measured in the same round, to Node's. */
export interface HttpRow {
  readonly protocol: Protocol
  readonly server: ServerKind
  readonly rate: number
  readonly rates: readonly number[]
  readonly rateRatio: number
  readonly cpu: number
  /** Node's CPU time for a request divided by this one's: above 1, this one does with less. */
  readonly cpuRatio: number
}

export interface HttpResult extends Environment {
  readonly bench: 'http'
  readonly format: 1
  readonly date: string
  readonly quick: boolean
  readonly seconds: number
  /** Of `wrk` and `h2load`. */
  readonly tools: readonly string[]
  /** Why TLS was ours over node:crypto. */
  readonly evpMissing?: string
  readonly load: Load
  readonly rows: readonly HttpRow[]
  readonly goals: readonly GoalResult[]
}

export function httpRows(all: readonly Measured[]): HttpRow[] {
  return all.map(({ protocol, server, rates, cpu }) => {
    const node = all.find(one => one.protocol === protocol && one.server === 'node')!
    return {
      protocol,
      server,
      rate: round(median(rates)),
      rates: rates.map(round),
      rateRatio: acrossRounds(rates, node.rates, (one, other) => one / other)!,
      cpu: round(median(cpu)),
      cpuRatio: acrossRounds(cpu, node.cpu, (one, other) => other / one)!,
    }
  })
}

/** What was reached of what we aim at. */
export function goalsOf(rows: readonly HttpRow[]): GoalResult[] {
  return rows
    .filter(({ server }) => server === 'ours')
    .map(({ protocol, rateRatio }) =>
      goal(`${protocol}, requests a second, node = 1`, '≥', isHttp2(protocol) ? 1.5 : 1.3, rateRatio),
    )
}

/** What a person wants to read of a result. */
export function format({
  machine,
  versions,
  load,
  tools,
  evpMissing,
  quick,
  rows,
  goals,
}: HttpResult): string {
  const head = [
    `${machine.cpu}, ${machine.cores} cores; Node ${versions.node} with OpenSSL ${versions.openssl}; ${tools.join(', ')}`,
    `load ${load.average.join(' → ')}${load.foreign === undefined ? '' : `, ${Math.round(load.foreign * 100)} % of the machine used by others`}`,
    ...(evpMissing === undefined ? [] : [`no evp: ${evpMissing}`]),
    ...(quick ? ['few samples: no figures to quote'] : []),
  ]
  const lines = rows.map(({ protocol, server, rate, rateRatio, cpu, cpuRatio }) => [
    `${protocol}, ${server}`,
    figure(rate),
    rateRatio.toFixed(2),
    figure(cpu),
    cpuRatio.toFixed(2),
  ])
  return [
    head.join('\n'),
    'GET, 200 bytes back; server and client on one CPU each (ratios: medians over rounds, node = 1; above 1 is better)',
    table(['', 'requests/s', 'ratio', 'CPU µs', 'ratio'], lines),
    goalLines(goals),
  ].join('\n\n')
}
