import { describe, expect, it } from 'vitest'
import { pageOf } from '../../bench/http/page.ts'
import { goalsOf, httpRows, type Measured, measurementsOf } from '../../bench/http/result.ts'
import {
  functionOf,
  nodeOf,
  PROTOCOLS,
  packagesOf,
  ROWS,
  rivalOf,
  type ServerKind,
} from '../../bench/http/rows.ts'
import { otherResult } from './sample.ts'

const row = (server: ServerKind, rates: number[], cpu = rates.map(rate => 1e6 / rate)): Measured => ({
  protocol: 'HTTP/2 over TLS',
  server,
  rates,
  cpu,
  alone: [],
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

  it('functions and applications are compared with the same in a server of Node’s', () => {
    for (const row of ROWS) {
      const rival = rivalOf(row)
      const kind = functionOf(row)
      if (row.protocol.startsWith('HTTP/2') || kind === undefined || kind === 'raw')
        expect(rival).toBeUndefined()
      else expect(ROWS).toContainEqual({ protocol: row.protocol, server: rival })
    }
  })

  it('rows say which packages they need besides the project’s', () => {
    const needed = new Set(ROWS.flatMap(packagesOf))
    expect([...needed].sort()).toEqual(['@hono/node-server', 'express', 'fastify', 'hono'])
    expect(packagesOf({ protocol: 'HTTP/1.1', server: 'platform, raw function' })).toEqual([])
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

  it('an application is to be nearly as fast as in Node’s server, a function as on the adapter', () => {
    const one = (server: ServerKind, rate: number): Measured => ({
      ...row(server, [rate]),
      protocol: 'HTTP/1.1',
    })
    const rows = httpRows([
      one('platform, fetch function', 90),
      one('@hono/node-server', 100),
      one('platform, Express function', 90),
      one('node:http, Express', 100),
    ])
    expect(rows.map(({ rivalRatio }) => rivalRatio)).toEqual([0.9, undefined, 0.9, undefined])
    const goals = goalsOf(rows).filter(({ name }) => !name.includes('node:http = 1'))
    expect(goals.map(({ goal, met }) => [goal, met])).toEqual([
      [1, false],
      [0.8, true],
    ])
  })

  it('what a fetch function adds is taken within each round', () => {
    const both = [
      { ...row('platform, raw function', [100, 100, 100]), alone: [20, 50, 30] },
      { ...row('platform, fetch function', [100, 100, 100]), alone: [24, 56, 47] },
    ]
    const rows = httpRows(both)
    expect(rows.map(({ alone, added }) => [alone, added])).toEqual([
      [30, undefined],
      [47, 6],
    ])
    expect(goalsOf(rows).find(({ unit }) => unit === 'µs')).toMatchObject({ reached: 6, goal: 10, met: true })
    expect(measurementsOf(both).map(({ name }) => name)).toContain('http.alone')
    const page = pageOf({ ...otherResult(), tools: [], rows, goals: [], skipped: [] })
    expect(page).toContain('| HTTP/2 over TLS, platform, fetch function | 47.0 | 6.00 |')
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
    expect(page).toContain('| platform, raw function | 90.0 | 0.90 |  |')
    expect(page).not.toContain('## HTTP/1.1')
    expect(page).toContain('Not measured: HTTP/1.1.')
    expect(page).toMatch(/Goals missed: .*platform, raw function/)
  })
})
