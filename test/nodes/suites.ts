import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, readFileSync, rmSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import { environmentWith } from './versions.ts'

/** What is run on a version: tests, or a program that ends with 0 if all is well. */
export interface Suite {
  readonly name: string
  /** Files and folders of tests; all of them if there is none. */
  readonly tests?: readonly string[]
  readonly program?: readonly string[]
}

export const EVERYTHING: readonly Suite[] = [{ name: 'all tests', tests: [] }]

/**
 * What shows within minutes whether a version will do: what is computed, what is carried, and a platform as a
 * whole.
 */
export const CORE: readonly Suite[] = [
  { name: 'the platform starts, moves, warns of nothing', tests: ['test/end-to-end/without.test.ts'] },
  { name: 'vectors', tests: ['test/tls13/crypto', 'test/tls13/rfc8448', 'test/http/h2/hpack'] },
  { name: 'providers', tests: ['test/providers'] },
  { name: 'transfer', tests: ['test/transfer'] },
  { name: 'end to end, by every road', tests: ['test/end-to-end/core.test.ts'] },
  {
    name: 'bench:migration --quick',
    program: ['dist/bench/migration/main.js', '--quick', '--output', '.nodes/results'],
  },
]

/** How a suite went. */
export interface Outcome {
  readonly suite: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly seconds: number
  /** Names of the tests that failed, and what went wrong outside of them. */
  readonly faults: readonly string[]
}

/**
 * Runs a suite under a Node, from the root of the repository. @param log where everything that it says goes,
 * and stays
 */
export async function runSuite(suite: Suite, binary: string, log: string): Promise<Outcome> {
  const began = performance.now()
  const report = `${log}.json`
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile=${report}`]
  const words = suite.program ?? ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...suite.tests!]
  rmSync(report, { force: true })
  const child = spawn(binary, [...words], {
    env: environmentWith(binary),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const file = createWriteStream(log)
  child.stdout.pipe(file, { end: false })
  child.stderr.pipe(file, { end: false })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  file.end()
  await finished(file)
  const how = code === 0 ? undefined : `it ended with ${code ?? signal}: ${log}`
  const seconds = (performance.now() - began) / 1000
  const counts = suite.program === undefined ? readReport(report) : NO_TESTS
  const faults = counts.faults.length === 0 && how !== undefined ? [how] : counts.faults
  return { suite: suite.name, ...counts, faults, seconds }
}

const NO_TESTS = { passed: 0, failed: 0, skipped: 0, faults: [] as readonly string[] }

/** What is read of a report of Vitest's. */
export interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

function readReport(file: string): typeof NO_TESTS {
  try {
    return summary(JSON.parse(readFileSync(file, 'utf8')) as Report)
  } catch (error) {
    return { ...NO_TESTS, faults: [`there is no report: ${(error as Error).message}`] }
  }
}

/**
 * Counts, and the names of what failed: of a file's own failure, where none of its tests failed, the file's.
 */
export function summary(report: Report): typeof NO_TESTS {
  const faults = report.testResults.flatMap(({ name, status, assertionResults }) => {
    const failed = assertionResults
      .filter(one => one.status === 'failed')
      .map(one => `${name}: ${one.fullName}`)
    return failed.length === 0 && status === 'failed' ? [name] : failed
  })
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests,
    faults,
  }
}
