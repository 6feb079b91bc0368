import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import type { BenchResult } from '../../bench/lib/run.ts'
import { faultsOf } from './schema.ts'

const run = promisify(execFile)
const directory = mkdtempSync(join(tmpdir(), 'hotpotato-benches-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** What each bench leaves besides what all of them do. */
const BENCHES: Readonly<Record<string, readonly string[]>> = {
  record: ['sealing', 'connections'],
  handshake: ['handshakes'],
  memory: ['servers', 'connections'],
  handover: [],
}

function resultOf(name: string): BenchResult {
  const file = readdirSync(directory).find(one => one.startsWith(`${name}-2`))!
  return JSON.parse(readFileSync(join(directory, file), 'utf8')) as BenchResult
}

const script = (name: string): string =>
  fileURLToPath(new URL(`../../dist/bench/${name}.js`, import.meta.url))

it('a bench runs in --quick, its JSON fits the schema, and its CSV has a line for each measurement', async () => {
  const csv = join(directory, 'handover.csv')
  const words = ['--quick', '--connections', '20', '--output', directory, '--csv', csv]
  await run(process.execPath, [script('handover'), ...words])
  const result = resultOf('handover')
  expect(faultsOf(result)).toEqual([])
  expect(result).toMatchObject({ bench: 'handover', mode: 'quick', complete: true })
  const lines = readFileSync(csv, 'utf8').trimEnd().split('\r\n')
  expect(lines[0]).toMatch(/^bench,name,connections,unit,value/)
  expect(lines).toHaveLength(result.measurements.length + 1)
}, 30_000)

it('a command line that makes no sense is refused with the usage', async () => {
  const refused = run(process.execPath, [script('record'), '--rounds', 'many'])
  await expect(refused).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('usage: npm run bench:record'),
  })
})

/** A minute in all: `npm run test:long` has the time. `bench:migration` has a test of its own. */
describe.skipIf(process.env.HOTPOTATO_LONG !== '1')('every bench (npm run test:long)', () => {
  it.each(Object.entries(BENCHES))(
    '%s runs in --quick and says where and what it measured',
    async (name, fields) => {
      for (const old of readdirSync(directory)) rmSync(join(directory, old))
      const { stdout } = await run(process.execPath, [script(name), '--quick', '--output', directory])
      expect(stdout).toContain('kept in')
      const result = resultOf(name)
      expect(faultsOf(result)).toEqual([])
      expect(result).toMatchObject({ bench: name, mode: 'quick' })
      for (const field of fields) expect(result, field).toHaveProperty(field)
      expect(result.goals.length).toBeGreaterThan(0)
      expect(result.goals.every(({ reached }) => (reached ?? 0) > 0)).toBe(true)
      expect(new Set(result.measurements.map(one => JSON.stringify([one.name, one.labels]))).size).toBe(
        result.measurements.length,
      )
    },
    60_000,
  )

  it('the micro-benchmarks', async () => {
    const env = { ...process.env, HOTPOTATO_BENCH_SECONDS: '0.01', HOTPOTATO_BENCH_OUTPUT: directory }
    await run(process.execPath, [script('micro/all'), 'http', 'envelope'], { env })
    for (const name of ['micro-http', 'micro-envelope']) expect(faultsOf(resultOf(name)), name).toEqual([])
  }, 60_000)
})
