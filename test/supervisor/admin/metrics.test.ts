import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Traffic } from '../../../src/containers/protocol/traffic.ts'
import { wrapped } from '../../../src/platform/counters/calls.ts'
import { expose } from '../../../src/supervisor/admin/exposition.ts'
import { COUNTERS, metricsOf } from '../../../src/supervisor/admin/metrics.ts'
import { Tally } from '../../../src/supervisor/admin/tally.ts'
import type { MemberStatus } from '../../../src/supervisor/status.ts'

const file = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8')

const member = (name: string, functionName: string, more: Partial<MemberStatus> = {}): MemberStatus => ({
  name,
  functionName,
  role: functionName === '' ? 'gateway' : 'container',
  state: 'ready',
  ready: true,
  id: 1,
  pid: 1,
  age: 1,
  restarts: 0,
  counters: { rssKiB: 2 },
  ...more,
})

/** What containers have told: two of echo, of which one has ended, and a gateway. */
function observed() {
  const tally = new Tally(COUNTERS)
  const traffic = new Traffic()
  for (const milliseconds of [0, 5, 6, 20_000]) {
    traffic.began()
    traffic.ended(200, milliseconds)
  }
  traffic.began()
  traffic.ended(500, 30)
  traffic.began()
  const calls = Object.fromEntries(traffic.counters())
  tally.heard(
    1,
    { functionName: 'echo' },
    { ...calls, inFlight: 1, connections: 3, moved: 2, refused: 1, tooMany: 4 },
  )
  tally.heard(2, { functionName: 'echo' }, { ...calls, inFlight: 1, connections: 5, moved: 7 })
  tally.ended(2)
  tally.heard(3, { functionName: '' }, { uncleanLost: 1, hibernating: 9 })
  const members = [member('echo-1', 'echo', { restarts: 2 }), member('gateway', '')]
  return { tally, members: [...members, member('idle-1', 'idle', { ready: false })] }
}

const text = async (): Promise<string> => (await expose(metricsOf(observed()))).text

describe('metrics', () => {
  it('have the names and labels of OpenFaaS, and go on behind the end of a container', async () => {
    const lines = (await text()).split('\n')
    for (const line of [
      '# TYPE gateway_function_invocation_total counter',
      'gateway_function_invocation_total{function_name="echo",code="200"} 8',
      'gateway_function_invocation_total{function_name="echo",code="500"} 2',
      'gateway_function_invocation_started{function_name="echo"} 11',
      '# TYPE gateway_functions_seconds histogram',
      'gateway_functions_seconds_bucket{le="0.005",function_name="echo",code="200"} 4',
      'gateway_functions_seconds_bucket{le="0.01",function_name="echo",code="200"} 6',
      'gateway_functions_seconds_bucket{le="10",function_name="echo",code="200"} 6',
      'gateway_functions_seconds_bucket{le="+Inf",function_name="echo",code="200"} 8',
      'gateway_functions_seconds_count{function_name="echo",code="200"} 8',
      'gateway_functions_seconds_sum{function_name="echo",code="200"} 40.022',
      'gateway_service_count{function_name="echo"} 1',
      'gateway_service_count{function_name="idle"} 0',
      'http_requests_total{function_name="echo",code="200"} 8',
      'http_requests_in_flight{function_name="echo"} 1',
    ])
      expect(lines).toContain(line)
  })

  it('have ours beside them', async () => {
    const lines = (await text()).split('\n')
    for (const line of [
      'hotpotato_connections{function_name="echo"} 3',
      'hotpotato_hops_total{function_name="echo"} 9',
      'hotpotato_refused_total{function_name="echo",kind="connection"} 1',
      'hotpotato_refused_total{function_name="echo",kind="request"} 4',
      'hotpotato_unclean_ends_total{kind="lost"} 1',
      'hotpotato_hibernating_connections 9',
      'hotpotato_restarts{name="echo-1",role="container"} 2',
      'hotpotato_resident_bytes{name="gateway",role="gateway"} 2048',
    ])
      expect(lines).toContain(line)
  })

  it('are valid as Prometheus reads them: each has a help, a type, and no sample twice', async () => {
    const lines = (await text()).split('\n').filter(line => line !== '' && !line.startsWith('#'))
    expect(lines.length).toBeGreaterThan(40)
    for (const line of lines) expect(line).toMatch(/^[a-z_]+(\{([a-z_]+="[^"\\]*",?)+\})? [0-9.e+-]+$/)
    const names = lines.map(line => line.slice(0, line.lastIndexOf(' ')))
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('a tally', () => {
  it('adds up what is new, over the turn of a counter', () => {
    const tally = new Tally(['moved'])
    tally.heard(1, { functionName: 'echo' }, { moved: wrapped(2 ** 32 - 2) })
    tally.heard(1, { functionName: 'echo' }, { moved: wrapped(2 ** 32 + 3) })
    expect(tally.totals('echo').get('moved')).toBe(2 ** 32 + 3)
  })

  it('counts for a new process from zero', () => {
    const tally = new Tally(['moved'])
    tally.heard(1, { functionName: 'echo' }, { moved: 5 })
    tally.ended(1)
    tally.heard(2, { functionName: 'echo' }, { moved: 2, other: 7 })
    expect(tally.totals('echo')).toEqual(new Map([['moved', 7]]))
    expect(tally.now('echo', 'other')).toBe(7)
  })
})

describe('pages that name metrics', () => {
  /** Metrics there are, each with what a histogram has besides. */
  const known = new Set(
    metricsOf(observed()).flatMap(({ name, type }) =>
      type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  )
  const NAME = /\b(?:gateway|http|hotpotato)_[a-z_]+\b/g

  it('ask in the dashboard for nothing else', () => {
    const dashboard = JSON.parse(file('docs/grafana-hotpotato.json'))
    const queries: string[] = dashboard.panels.flatMap((panel: { targets?: { expr: string }[] }) =>
      (panel.targets ?? []).map(({ expr }) => expr),
    )
    expect(queries.length).toBeGreaterThan(8)
    const named = queries.flatMap(query => query.match(NAME) ?? [])
    for (const query of queries) expect(query).toMatch(NAME)
    expect(named.filter(name => !known.has(name))).toEqual([])
  })

  it('tell each of them in docs/metrics.md, and no other', () => {
    const told = [...file('docs/metrics.md').matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, name]) => name!)
    expect(told.toSorted()).toEqual(
      metricsOf(observed())
        .map(({ name }) => name)
        .toSorted(),
    )
  })
})
