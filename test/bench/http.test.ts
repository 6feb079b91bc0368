import { describe, expect, it } from 'vitest'
import { pageOf } from '../../bench/http/page.ts'
import { goalsOf, httpRows, type Measured, measurementsOf } from '../../bench/http/result.ts'
import { functionOf, nodeOf, PROTOCOLS, ROWS, type ServerKind } from '../../bench/http/rows.ts'
import { otherResult } from './sample.ts'

const row = (server: ServerKind, rates: number[], cpu = rates.map(rate => 1e6 / rate)): Measured => ({
  protocol: 'HTTP/2 over TLS',
  server,
  rates,
  cpu,
})

describe('what bench:http compares', () => {
  it.each(PROTOCOLS)(
    "%s: Node's server, the engine alone, and the platform with both kinds of function",
    one => {
      const servers = ROWS.filter(({ protocol }) => protocol === one).map(({ server }) => server)
      const all = [nodeOf(one), 'engine alone', 'platform, raw function', 'platform, fetch function']
      expect(servers).toEqual(expect.arrayContaining(all))
      expect(new Set(servers).size).toBe(servers.length)
    },
  )

  it('a row of the platform says which kind of function is behind it, and others have none', () => {
    const kinds = ROWS.map(row => [row.server, functionOf(row)] as const)
    for (const [server, kind] of kinds)
      expect(kind, server).toBe(/^platform, (\w+) function$/.exec(server)?.[1])
  })
})

describe('what bench:http finds', () => {
  it('a ratio is the median of the rounds’, each to the server of Node in the same round', () => {
    const rows = httpRows([row('node:http2', [100, 200, 50]), row('platform, raw function', [200, 300, 400])])
    expect(rows.map(({ rateRatio }) => rateRatio)).toEqual([1, 2])
    // Less CPU time is better, and above 1.
    expect(rows[1]!.cpuRatio).toBe(2)
    expect(rows[1]!.rate).toBe(300)
  })

  it('a round that was broken off compares what it has; a row without any is no row', () => {
    const rows = httpRows([
      row('node:http2', [100, 100]),
      row('engine alone', [300]),
      row('platform, fetch function', []),
    ])
    expect(rows.map(({ server, rateRatio }) => [server, rateRatio])).toEqual([
      ['node:http2', 1],
      ['engine alone', 3],
    ])
  })

  it('without Node’s server there is no ratio, and without CPU times there are rates', () => {
    const measured = [row('engine alone', [300], [])]
    expect(httpRows(measured)).toMatchObject([{ rate: 300, rateRatio: undefined, cpu: undefined }])
    expect(measurementsOf(measured).map(({ name }) => name)).toEqual(['http.rate'])
  })

  it('the engine is to be faster than Node’s, the platform not slower', () => {
    const rows = httpRows([
      row('node:http2', [100]),
      row('engine alone', [140]),
      row('platform, raw function', [140]),
      row('platform, fetch function', [140]),
    ])
    expect(goalsOf(rows).map(({ goal, met }) => [goal, met])).toEqual([
      [1.5, false],
      [1, true],
      [1, true],
    ])
  })

  it('its page says when and with what, names every server, and which goals were missed', () => {
    const rows = httpRows([row('node:http2', [100]), row('platform, raw function', [90])])
    const page = pageOf({
      ...otherResult(),
      tools: ['h2load 1'],
      rows,
      goals: goalsOf(rows),
      skipped: [{ name: 'http.rate', labels: { protocol: 'HTTP/1.1' }, reason: 'wrk is missing' }],
    })
    expect(page).toContain('Measured on 2026-')
    expect(page).toContain('| platform, raw function | 90.0 | 0.90 |')
    expect(page).not.toContain('## HTTP/1.1')
    expect(page).toContain('Not measured: HTTP/1.1.')
    expect(page).toMatch(/Goals missed: .*platform, raw function/)
  })
})
