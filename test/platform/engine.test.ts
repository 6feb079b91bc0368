import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

const BUILT = new URL('../../dist/src/platform/engine.js', import.meta.url).href

/** What a process says on both outputs that compiles early and stays small, as if V8 had that version. */
function said(version: string): { readonly out: string; readonly told: number } {
  const script = `
    const { compileEarly, staySmall } = await import(${JSON.stringify(BUILT)})
    console.log(compileEarly(${version}).length + staySmall(${version}).length)`
  const out = execFileSync('sh', ['-c', '"$0" --input-type=module -e "$1" 2>&1', process.execPath, script], {
    encoding: 'utf8',
  }).trim()
  return { out, told: Number(out) }
}

it('the engine of this Node knows what it is told', () => {
  // It would say aloud what it does not know.
  const { out, told } = said('process.versions.v8')
  expect(out).toMatch(/^\d$/)
  if (Number.parseInt(process.versions.v8, 10) <= 14) expect(told).toBeGreaterThan(0)
})

it('an engine that this was not tried with is told nothing', () => {
  expect(said("'10.2'").out).toBe('0')
  expect(said("'15.0'").out).toBe('0')
})

it('a process that stays small keeps little for objects that are soon gone', () => {
  const script = `
    const { staySmall } = await import(${JSON.stringify(BUILT)})
    const { getHeapSpaceStatistics } = await import('node:v8')
    staySmall()
    let kept = []
    for (let round = 0; round < 200; round++) kept = Array.from({ length: 20_000 }, () => ({ round }))
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size)`
  const bytes = Number(
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }),
  )
  expect(bytes).toBeGreaterThan(0)
  expect(bytes).toBeLessThanOrEqual(4 * 2 ** 20)
})
