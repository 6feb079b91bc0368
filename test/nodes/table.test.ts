import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Outcome, type Report, summary } from './suites.ts'
import { isGood, tableOf } from './table.ts'
import { NODES } from './versions.ts'

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

const outcome = (more: Partial<Outcome> = {}): Outcome => ({
  suite: 'some',
  passed: 1000,
  failed: 0,
  skipped: 2,
  seconds: 90,
  faults: [],
  ...more,
})
const node = { major: 24, version: 'v24.1.0', binary: '/node' }

describe('the table of versions', () => {
  it('has a row for each: counts of all that was run, or why nothing was', () => {
    const rows = [
      { node, outcomes: [outcome(), outcome({ passed: 5, seconds: 30 })] },
      { node: { major: 26, missing: 'no network' }, outcomes: [] },
    ]
    expect(tableOf(rows).split('\n').slice(2)).toEqual([
      '| 24.1.0 | 1,005 | 0 | 4 | 2.0 min |',
      '| 26 |  |  |  | not tried: no network |',
    ])
    expect(isGood(rows)).toBe(true)
  })

  it('counts what failed outside of any test', () => {
    const rows = [{ node, outcomes: [outcome(), outcome({ faults: ['it ended with 1'] })] }]
    expect(tableOf(rows)).toContain('| 24.1.0 | 2,000 | 1 | 4 |')
    expect(isGood(rows)).toBe(false)
  })
})

it('of a report, each test that failed is named, and a file that failed as a whole', () => {
  const file = (name: string, status: string, ...tests: [string, string][]) => ({
    name,
    status,
    assertionResults: tests.map(([fullName, how]) => ({ fullName, status: how })),
  })
  const report: Report = {
    numPassedTests: 1,
    numFailedTests: 1,
    numPendingTests: 1,
    testResults: [
      file('a', 'failed', ['does this', 'failed'], ['does that', 'passed']),
      file('b', 'failed', ['was not reached', 'skipped']),
      file('c', 'passed'),
    ],
  }
  expect(summary(report)).toEqual({ passed: 1, failed: 1, skipped: 1, faults: ['a: does this', 'b'] })
})

it('the pages and package.json name the versions that are tried', () => {
  const [oldest, ...others] = NODES
  const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
  expect(engines.node).toBe(`>=${oldest}.19.0`)
  const list = `${oldest}, ${others.slice(0, -1).join(', ')} and ${others.at(-1)}`
  for (const page of ['README.md', 'CONTRIBUTING.md']) expect(read(page)).toContain(`Node ${list}`)
})
