import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { type Fleet, predict } from '../../bench/simulation/fleet.ts'
import { type Kind, simulateCore } from '../../bench/simulation/queue.ts'
import { migrationResult } from './sample.ts'

/** Every request takes so many µs, alone as well. */
const constant = (service: number): Kind => ({ service, alone: [[service, 1]] })
/** Service times that are exponential, in a thousand classes. */
function exponential(mean: number): Kind {
  const alone = Array.from({ length: 1000 }, (_, i) => [-Math.log(1 - (i + 0.5) / 1000) * mean, 1] as const)
  return { service: mean, alone }
}
const only = (kind: Kind) => [{ share: 1, kind }]

describe('one core, against what queueing theory knows in closed form', () => {
  it.each([0.3, 0.6, 0.8])('M/D/1 at %d: the wait is ρ/(2(1-ρ)) of the service', utilisation => {
    const { mean, utilisation: found } = simulateCore(only(constant(100)), utilisation * 10_000, 400_000)
    expect(found).toBeCloseTo(utilisation)
    const wait = (100 * utilisation) / (2 * (1 - utilisation))
    expect(Math.abs(mean - 100 - wait) / wait).toBeLessThan(0.08)
  })

  it('M/M/1 at 0.5: mean 1/(μ-λ), and an exponential sojourn', () => {
    const { mean, p50, p99 } = simulateCore(only(exponential(100)), 5000, 400_000)
    expect(Math.abs(mean - 200) / 200).toBeLessThan(0.05)
    expect(Math.abs(p50 - 200 * Math.log(2)) / 138).toBeLessThan(0.05)
    expect(Math.abs(p99 - 200 * Math.log(100)) / 921).toBeLessThan(0.1)
  })

  it('times with outliers keep the core busy no longer than was measured', () => {
    // One in a hundred took four seconds when it was alone, because other programs were at work.
    const alone = [
      [100, 99],
      [4_000_000, 1],
    ] as const
    const { utilisation, p50 } = simulateCore(only({ service: 100, alone }), 5400, 400_000)
    expect(Math.abs(utilisation - 0.54)).toBeLessThan(0.1)
    expect(p50).toBeLessThan(20_000)
  })

  it('a mixture lies between its parts; too much is never served', () => {
    const mixture = [
      { share: 0.5, kind: constant(50) },
      { share: 0.5, kind: constant(150) },
    ]
    const { utilisation, mean } = simulateCore(mixture, 1000)
    expect(utilisation).toBeCloseTo(0.1)
    expect(mean).toBeGreaterThan(100)
    expect(mean).toBeLessThan(115)
    expect(simulateCore(mixture, 10_000)).toMatchObject({ utilisation: 1, mean: Number.POSITIVE_INFINITY })
  })
})

describe('many hosts', () => {
  const fleet: Fleet = {
    hosts: 10,
    cores: 10,
    memory: 1e9,
    failures: 0.1,
    connections: 100_000,
    rate: 0.1,
    perConnection: 1000,
    handshake: 1000,
  }

  it('capacity, hosts and recovery follow from the parts', () => {
    const found = predict(fleet, only(constant(100)))
    // 10,000 requests a second on 100 cores.
    expect(found.utilisation).toBeCloseTo(0.01)
    expect(found.memory).toBeCloseTo(0.01)
    // A connection keeps a core busy for 10 µs a second: 700,000 on 10 cores that are busy 70 % of the time.
    expect(found.capacity).toEqual({ cores: 700_000, memory: 1_000_000 })
    expect(found.needed).toBe(2)
    expect(found.lost).toBeCloseTo(10_000)
    // 10,000 handshakes of 1 ms are 10 s of work, for 90 cores of which one is busy.
    expect(found.recovery).toBeCloseTo(10 / 89)
  })

  it('hosts that have no time never recover', () => {
    expect(predict({ ...fleet, connections: 1e8 }, only(constant(100)))).toMatchObject({
      mean: Number.POSITIVE_INFINITY,
      recovery: Number.POSITIVE_INFINITY,
    })
  })
})

describe('npm run bench:simulation', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-simulation-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const script = fileURLToPath(new URL('../../dist/bench/simulation/main.js', import.meta.url))
  const ran = (...words: string[]) => promisify(execFile)(process.execPath, [script, ...words])

  it('checks itself against measured points, then predicts', async () => {
    const file = join(directory, 'migration.json')
    writeFileSync(file, JSON.stringify(migrationResult()))
    const { stdout } = await ran(file)
    expect(stdout).toMatch(/half of its medians are wrong by at most \d+ %/)
    expect(stdout).toContain('10,000,000')
    const { stdout: json } = await ran('--json', '--hosts', '7', '--connections', '1000', file)
    const result = JSON.parse(json) as {
      checks: { error: number; rate: number }[]
      predictions: { hosts: number; connections: number }[]
    }
    expect(result.checks.map(({ rate }) => rate)).toEqual([500, 1000, 500, 1000])
    expect(result.predictions).toMatchObject([{ hosts: 7, connections: 1000 }])
  })

  it.each([
    ['quick', { mode: 'quick' }, 'is quick, of few samples'],
    ['noisy', { load: { average: [3, 3], foreign: 0.54 } }, 'other programs used 54 % of the machine'],
    ['both', { mode: 'quick', load: { average: [3, 3], foreign: 0.2 } }, 'few samples, and is noisy'],
  ])('names a source that is %s', async (name, circumstances, doubt) => {
    const file = join(directory, `${name}.json`)
    writeFileSync(file, JSON.stringify({ ...migrationResult(), ...circumstances }))
    const { stdout } = await ran(file)
    expect(stdout.split('\n', 1)[0]).toContain(`note: ${name}.json `)
    expect(stdout).toContain(doubt)
    expect(JSON.parse((await ran('--json', file)).stdout)).toMatchObject({
      doubts: expect.arrayContaining([expect.any(String)]),
    })
  })

  it('without what it needs it says so', async () => {
    const file = join(directory, 'poor.json')
    const result = migrationResult()
    writeFileSync(
      file,
      JSON.stringify({
        ...result,
        measurements: result.measurements.filter(({ name }) => !name.startsWith('open')),
      }),
    )
    await expect(ran(file)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('open loop') })
    writeFileSync(file, JSON.stringify(result))
    await expect(ran('--hosts', 'many', file)).rejects.toMatchObject({ code: 2 })
  })
})
