import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import type { MigrationResult } from '../../bench/migration/result.ts'
import { ROWS, type RowName } from '../../bench/migration/rows.ts'
import { probe } from '../../src/transfer/native/libc.ts'

// The built bench, as `npm run bench:migration` runs it: `npm test` builds before it tests.
const BENCH = fileURLToPath(new URL('../../dist/bench/migration.js', import.meta.url))
const output = mkdtempSync(join(tmpdir(), 'hotpotato-bench-test-'))
afterAll(() => rmSync(output, { recursive: true, force: true }))

function run(...words: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [BENCH, '--quick', '--output', output, ...words])
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  return new Promise(resolve => child.once('close', code => resolve({ code, stdout, stderr })))
}

describe.sequential('bench:migration', () => {
  test('measures every row and keeps what its README describes', { timeout: 120_000 }, async () => {
    const { code, stdout, stderr } = await run()
    expect(stderr).not.toMatch(/Error/)
    expect(code).toBe(0)
    expect(stdout).toContain('goals, held against')
    const [file] = readdirSync(output)
    expect(file).toMatch(/^migration-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.json$/)
    const result = JSON.parse(readFileSync(join(output, file!), 'utf8')) as MigrationResult
    expect(result).toMatchObject({ bench: 'migration', format: 1, quick: true, complete: true })
    expect(Object.keys(result.machine)).toEqual(['cpu', 'cores', 'kernel', 'memory'])
    expect(result.versions.node).toBe(process.versions.node)
    expect(result.load.average).toHaveLength(2)
    expect(result.scenes.map(({ provider }) => provider)).toEqual(expect.arrayContaining(['node', 'noble']))
    const names = (Object.keys(ROWS) as RowName[]).filter(name => name !== 'limit' || probe().available)
    for (const { rows, relations, facts } of result.scenes) {
      expect(Object.keys(rows).sort()).toEqual([...names].sort())
      for (const row of Object.values(rows)) {
        expect(row.samples).toBeGreaterThan(0)
        expect(row.min).toBeGreaterThan(0)
        expect(row.max).toBeGreaterThanOrEqual(row.p99)
      }
      expect(Object.keys(relations)).toHaveLength(8)
      expect(facts?.state.idleSealed).toBeGreaterThan(facts!.state.idle)
    }
    expect(result.goals).toHaveLength(9)
    for (const { reached, met } of result.goals) {
      expect(reached).toBeTypeOf('number')
      expect(met).toBeTypeOf('boolean')
    }
    const readme = readFileSync(new URL('../../bench/results/README.md', import.meta.url), 'utf8')
    const fields = [
      ...Object.keys(result),
      ...Object.keys(result.scenes[0]!),
      ...Object.keys(result.scenes[0]!.relations),
      ...names,
    ]
    for (const field of fields) expect(readme, `the README on ${field}`).toContain(`\`${field}`)
  })

  test('one wrong byte ends it with exit code 1, and nothing is kept', { timeout: 60_000 }, async () => {
    const before = readdirSync(output)
    const lying = fileURLToPath(new URL('./lying.mjs', import.meta.url))
    const { code, stdout, stderr } = await run(
      '--provider',
      'node',
      '--placement',
      'free',
      '--raw-function',
      lying,
    )
    expect(code).toBe(1)
    expect(stderr).toMatch(/a wrong answer.*byte 150 of the content/)
    expect(stdout).toBe('')
    expect(readdirSync(output)).toEqual(before)
  })
})
