import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { MOST_FOREIGN } from '../../bench/harness/goal.ts'
import type { MigrationResult } from '../../bench/migration/result.ts'
import { ENGINE_ROWS, ROWS, type RowName, SWEEPS } from '../../bench/migration/rows.ts'
import { STAGES } from '../../bench/migration/stages.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { probe } from '../../src/transfer/native/libc.ts'
import { faultsOf } from './schema.ts'

// The built bench, as `npm run bench:migration` runs it: `npm test` builds before it tests.
const BENCH = fileURLToPath(new URL('../../dist/bench/migration/main.js', import.meta.url))
const output = mkdtempSync(join(tmpdir(), 'hotpotato-bench-test-'))
afterAll(() => rmSync(output, { recursive: true, force: true }))

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(
  words: readonly string[],
  onError: (text: string, kill: (signal: 'SIGINT') => void) => void = () => {},
): Promise<Ran> {
  const child = spawn(process.execPath, [BENCH, '--output', output, ...words])
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    onError(stderr, signal => child.kill(signal))
  })
  return new Promise(resolve => child.once('close', code => resolve({ code, stdout, stderr })))
}

function kept(): MigrationResult {
  const file = readdirSync(output).sort().at(-1)
  expect(file).toMatch(/^migration-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.json$/)
  return JSON.parse(readFileSync(join(output, file!), 'utf8')) as MigrationResult
}

/** The smallest run that has a bit of everything. */
const SMALL = [
  '--quick --rounds 1 --provider node --placement one',
  '--alpha 0,50 --payload 64,40000 --connections 2 --chain 3 --engines tiny,floor,s2n-tls',
].flatMap(options => options.split(' '))
const native = probe().available
const foreign = native && probeEvp().available
/** Whether to leave out what takes long. */
const SHORT = process.env.HOTPOTATO_LONG !== '1'

describe.sequential('bench:migration', () => {
  // family.test.ts has another bench in a short run.
  it.skipIf(SHORT)(
    'measures every row, the sweeps and the stages; the JSON fits the schema',
    {
      timeout: 300_000,
    },
    async () => {
      const { code, stdout, stderr } = await run(SMALL)
      expect(stderr).not.toMatch(/Error/)
      expect(code).toBe(0)
      expect(stdout).toContain('goals, compared with: one core, node')
      const result = kept()
      expect(faultsOf(result)).toEqual([])
      expect(result).toMatchObject({ bench: 'migration', mode: 'quick', complete: true })
      expect(result.parameters).toMatchObject({
        alpha: [0, 50],
        payload: [64, 40_000],
        connections: [2],
        chain: [3],
      })
      const names = new Set(result.measurements.map(({ name }) => name))
      for (const name of Object.keys(ROWS) as RowName[]) {
        if (name.startsWith('h2.')) expect(names.has(name), name).toBe(result.scenes[0]!.facts!.http2)
        else expect(names.has(name), name).toBe(name !== 'limit' || native)
      }
      const engines = result.measurements.filter(({ labels }) => labels.engine !== undefined)
      for (const name of Object.keys(ENGINE_ROWS)) {
        const found = engines.filter(one => one.name === name).map(({ labels }) => labels.engine)
        expect(found, name).toEqual(foreign ? ['tiny', 'floor'] : ['tiny'])
      }
      const sweeps = Object.keys(SWEEPS).filter(name => !name.startsWith('open.'))
      for (const name of sweeps) expect(names, name).toContain(name)
      const values = (name: string, label: string) =>
        result.measurements.filter(one => one.name === name).map(one => one.labels[label])
      expect(values('alpha', 'alpha')).toEqual([0, 50])
      expect(values('payload.forwarded', 'payload')).toEqual([64, 40_000])
      const skipped = result.skipped.map(({ name }) => name)
      expect(skipped).toEqual(expect.arrayContaining(['node.early', 'raw.early', 'open', 'engine']))
      expect(result.skipped).toContainEqual(
        expect.objectContaining({ name: 'engine', labels: { engine: 's2n-tls' } }),
      )
      // Beside other programs too many of the few requests may be interrupted between two marks.
      const busy = (result.load.foreign ?? 0) > MOST_FOREIGN
      if (native && !(busy && skipped.includes('stage'))) {
        const stages = result.measurements.filter(
          ({ name, labels }) => name === 'stage' && labels.request === 'migrated',
        )
        expect(stages.map(({ labels }) => labels.stage)).toEqual([...Object.keys(STAGES), 'whole'])
        const whole = stages.find(({ labels }) => labels.stage === 'whole')!.value
        const sum = stages
          .filter(({ labels }) => labels.stage !== 'whole')
          .reduce((all, { value }) => all + value, 0)
        expect(Math.abs(sum - whole) / whole).toBeLessThan(0.01)
      }
      for (const { distribution, unit } of result.measurements) {
        if (unit !== 'µs') continue
        expect(distribution!.max).toBeGreaterThanOrEqual(distribution!.p99)
        expect(distribution!.min).toBeGreaterThanOrEqual(0)
      }
      expect(result.scenes[0]!.facts!.state.idleSealed).toBeGreaterThan(result.scenes[0]!.facts!.state.idle)
      for (const { name, reached, met } of result.goals) {
        // The provider is not the usual one here.
        if (name.startsWith('user CPU') || !foreign) continue
        expect(reached).toBeTypeOf('number')
        // Beside other programs no time is judged.
        if (!busy) expect(met).toBeTypeOf('boolean')
      }
      const readme = readFileSync(new URL('../../bench/results/README.md', import.meta.url), 'utf8')
      const fields = [...Object.keys(result), ...Object.keys(result.scenes[0]!.relations), ...names]
      for (const field of fields) expect(readme, `the README on ${field}`).toContain(`\`${field}`)
    },
  )

  it('one wrong byte ends it with exit code 1, and nothing is kept', { timeout: 240_000 }, async () => {
    const before = readdirSync(output)
    const lying = fileURLToPath(new URL('./lying.mjs', import.meta.url))
    const words = [...SMALL, '--only', 'rows', '--raw-function', lying]
    const { code, stdout, stderr } = await run(words)
    expect(code).toBe(1)
    expect(stderr).toMatch(/a wrong answer.*byte 150 of the content/)
    expect(stdout).toBe('')
    expect(readdirSync(output)).toEqual(before)
  })

  it.skipIf(SHORT)(
    'Ctrl-C: what was measured is kept, and says that it is not all',
    { timeout: 300_000 },
    async () => {
      let interrupted = false
      const { code } = await run(
        [
          ...SMALL.filter(word => word !== '--rounds' && word !== '1'),
          '--rounds',
          '1000',
          '--seconds',
          '1000',
        ],
        (text, kill) => {
          if (interrupted || !text.includes('warming up')) return
          interrupted = true
          setTimeout(() => kill('SIGINT'), 25_000)
        },
      )
      expect(code).toBe(0)
      const result = kept()
      expect(faultsOf(result)).toEqual([])
      expect(result.complete).toBe(false)
    },
  )

  it('what cannot be is refused, or skipped by name', { timeout: 240_000 }, async () => {
    expect(await run(['--quick', '--payload', 'much'])).toMatchObject({ code: 2 })
    expect(await run(['--quick', '--provider', 'rot13'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('evp, node, noble'),
    })
  })

  it.skipIf(SHORT)('--quick as it is (npm run test:long)', { timeout: 400_000 }, async () => {
    const { code } = await run([
      '--quick',
      '--seal',
      'on,off',
      '--channel',
      'native,ipc',
      '--provider',
      'evp,node',
    ])
    expect(code).toBe(0)
    const result = kept()
    expect(faultsOf(result)).toEqual([])
    const scenes = result.scenes.map(({ name }) => name)
    const others = ['two cores, evp', 'one core, node', 'one core, evp, ipc', 'one core, evp, unsealed']
    expect(scenes).toContain('one core, evp')
    // A machine that takes long to start the first one has no time for the others, and says so.
    const left = result.skipped.filter(({ reason }) => reason.startsWith('the machine is busy'))
    if (left.length === 0) expect(scenes).toEqual(expect.arrayContaining(others))
    else expect(left.length).toBeGreaterThanOrEqual(others.length)
    // Ends by its clock: what a busy machine adds is the end of many processes.
    expect(result.seconds).toBeLessThan(60)
    // It ends by the clock: where the machine does other things, it names what it had no time for.
    const open = result.measurements.some(({ name }) => name === 'open.migrated')
    expect(open || result.skipped.some(({ name }) => name === 'open')).toBe(true)
    if (!open) return
    // What bench:simulation needs is all there.
    const simulation = fileURLToPath(new URL('../../dist/bench/simulation/main.js', import.meta.url))
    const file = join(output, readdirSync(output).sort().at(-1)!)
    const { stdout } = await promisify(execFile)(process.execPath, [simulation, '--json', file])
    expect(JSON.parse(stdout)).toMatchObject({
      checks: expect.arrayContaining([expect.objectContaining({ kind: 'migrated' })]),
      predictions: [{ connections: 1e5 }, { connections: 1e6 }, { connections: 1e7 }],
    })
  })
})
