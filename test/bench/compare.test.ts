import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { compare, mannWhitney } from '../../bench/harness/compare.ts'
import { figuresOf, type Measurement } from '../../bench/harness/measurement.ts'

function measured(name: string, rounds: readonly number[], unit: Measurement['unit'] = 'µs'): Measurement {
  return figuresOf({ name, title: name, labels: { placement: 'one core' }, unit }, rounds)
}

const around = (center: number, count = 10): number[] =>
  Array.from({ length: count }, (_, i) => center + i * 0.1)

describe('Mann–Whitney', () => {
  it('exact values that can be counted by hand', () => {
    // 2 of the 20 orders of 3 and 3 are as extreme as complete separation.
    expect(mannWhitney([1, 2, 3], [4, 5, 6])).toBeCloseTo(0.1, 10)
    expect(mannWhitney([4, 5, 6], [1, 2, 3])).toBeCloseTo(0.1, 10)
    // U = 1: 2 of 20 on either side.
    expect(mannWhitney([1, 2, 4], [3, 5, 6])).toBeCloseTo(0.2, 10)
    expect(mannWhitney([1, 4], [2, 3])).toBe(1)
  })

  it('the approximation is near the exact value where both can be had', () => {
    const [one, other] = [around(10, 20), around(10.95, 20).map(value => value + 0.05)]
    const exact = mannWhitney(one, other)
    // A tie of two equal values among themselves forces the approximation and changes little.
    const approximated = mannWhitney(
      [...one.slice(0, 19), one[18]!],
      other.map((value, i) => (i === 0 ? one[18]! : value)),
    )
    expect(Math.abs(exact - approximated)).toBeLessThan(0.02)
    expect(mannWhitney([5, 5, 5], [5, 5, 5])).toBe(1)
  })
})

describe('a comparison', () => {
  it('tells what is better and what is worse, whatever way round the unit goes', () => {
    const before = [
      measured('time', around(100)),
      measured('rate', around(100), '1/s'),
      measured('same', around(100)),
    ]
    const after = [
      measured('time', around(120)),
      measured('rate', around(120), '1/s'),
      measured('same', around(100.05)),
    ]
    expect(compare(before, after).map(({ verdict }) => verdict)).toEqual(['worse', 'better', 'noise'])
    expect(compare(after, before).map(({ verdict }) => verdict)).toEqual(['better', 'worse', 'noise'])
  })

  it('does not pretend with few rounds, and compares only what is the same', () => {
    expect(compare([measured('time', [1, 1, 1])], [measured('time', [9, 9, 9])])[0]?.verdict).toBe('too few')
    const other = { ...measured('time', around(100)), labels: { placement: 'two cores' } }
    expect(compare([measured('time', around(100))], [other])).toEqual([])
    expect(compare([measured('time', around(1))], [measured('time', around(1), 'B')])).toEqual([])
  })

  it('many rows need stronger evidence each', () => {
    const [one, other] = [
      [1, 2, 3, 4, 5],
      [4.5, 6, 7, 8, 9],
    ]
    const row = (name: string): [Measurement, Measurement] => [measured(name, one), measured(name, other)]
    const alone = [row('a')]
    const many = Array.from({ length: 30 }, (_, i) => row(`row ${i}`))
    expect(
      compare(
        alone.map(([a]) => a),
        alone.map(([, b]) => b),
      )[0]?.verdict,
    ).toBe('worse')
    expect(
      compare(
        many.map(([a]) => a),
        many.map(([, b]) => b),
      ).every(({ verdict }) => verdict === 'noise'),
    ).toBe(true)
  })
})

describe('npm run bench:compare', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-compare-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  const script = fileURLToPath(new URL('../../dist/bench/compare/main.js', import.meta.url))

  function kept(name: string, center: number, more = {}): string {
    const file = join(directory, name)
    const [machine, versions] = [
      { cpu: 'x', cores: 2, kernel: 'linux', memory: 1 },
      { node: '20', openssl: '3', v8: '1' },
    ]
    const measurements = [measured('time', around(center))]
    const result = {
      bench: 'example',
      format: 2,
      mode: 'default',
      complete: true,
      machine,
      versions,
      load: { average: [0, 0] },
      measurements,
      ...more,
    }
    writeFileSync(file, JSON.stringify(result))
    return file
  }

  it('fits 110 columns, whatever the names, and knows no change of infinitely many percent', async () => {
    const label = (i: number): string => `a label with the number ${i}`
    const labels = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [label(i), 'a value']))
    const named = (name: string, rounds: readonly number[]): Measurement =>
      figuresOf({ name, title: name, labels, unit: 'µs' }, rounds)
    const zero = around(0).map(() => 0)
    const more = (grown: readonly number[]) => ({
      measurements: [named('grown', grown), named('still', zero), named('time', around(100))],
    })
    const machine = { cpu: 'a processor with a name of its own, of many letters', cores: 4, kernel: 'x' }
    const [a, b] = [kept('d.json', 1, more(zero)), kept('e.json', 1, { ...more(around(5)), machine })]
    const { stdout } = await promisify(execFile)(process.execPath, [script, a, b]).catch(error => error)
    expect(stdout.split('\n').filter((line: string) => line.length > 110)).toEqual([])
    expect(stdout).not.toMatch(/Infinity|NaN/)
    expect(stdout).toMatch(/from 0 .*worse/)
    expect(stdout).toMatch(/ 0\.0 % /)
    expect(stdout).toContain('note: machine, cores differs: 2, 4')
  })

  it('prints a table; exit code 1 if something is worse, 2 if a file is no result', async () => {
    const [a, b] = [kept('a.json', 100), kept('b.json', 80)]
    const { stdout } = await promisify(execFile)(process.execPath, [script, a, b])
    expect(stdout).toMatch(/time \{placement=one core\}.*-19.9 %.*better/)
    expect(stdout).toContain('1 compared: 1 better, 0 worse')
    await expect(promisify(execFile)(process.execPath, [script, b, a])).rejects.toMatchObject({ code: 1 })
    writeFileSync(join(directory, 'c.json'), '{}')
    await expect(
      promisify(execFile)(process.execPath, [script, a, join(directory, 'c.json')]),
    ).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('not a result of format 2'),
    })
  })
})
