import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toCsv } from '../harness/csv.ts'
import type { BenchResult } from '../harness/run.ts'
import type { MigrationResult } from '../migration/result.ts'
import { complete, WIDE } from './drawing.ts'
import { drawable, type Figure } from './figure.ts'
import { measurementFigures } from './measurements.ts'
import { migrationFigures } from './migration-figures.ts'
import { pdf } from './pdf.ts'
import { svgFile } from './svg.ts'

/** All figures of a result that show something. */
export function figuresIn(result: BenchResult): Figure[] {
  if (result.bench !== 'migration') return drawable(measurementFigures(result))
  const { latency, beside, stages, sweeps } = migrationFigures(result as MigrationResult)
  return drawable([...latency, ...beside, ...stages, ...sweeps])
}

/**
 * Writes a figure as `NAME.svg`, `NAME.pdf` and `NAME.csv`; each says where and when it was measured, and how
 * to have it again. @returns the files
 */
export function saveFigure(one: Figure, result: BenchResult, directory: string): string[] {
  const { name, title, caption, picture, of } = one
  const drawing = picture(WIDE)
  if (drawing === undefined) return []
  const whole = complete(drawing, title, [caption, ...circumstancesOf(result, name)])
  mkdirSync(directory, { recursive: true })
  const files: readonly (readonly [string, string | Uint8Array])[] = [
    ['svg', svgFile(whole)],
    ['pdf', pdf(whole, title, result.date)],
    ['csv', toCsv({ ...result, measurements: of })],
  ]
  return files.map(([ending, content]) => {
    const file = join(directory, `${name}.${ending}`)
    writeFileSync(file, content)
    return file
  })
}

/** Where and when a result was measured, in two lines, and the command that measures and draws it again. */
function circumstancesOf(result: BenchResult, name: string): string[] {
  const { machine, versions, variables = {}, commit, modified, date, mode, load } = result
  const set = Object.entries(variables).map(([variable, value]) => `; ${variable}=${value}`)
  const others =
    load.foreign === undefined ? '' : `, ${Math.round(load.foreign * 100)} % used by other programs`
  const checkout =
    commit === undefined ? '' : `, commit ${commit.slice(0, 12)}${modified ? ' with changes' : ''}`
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}; Node ${versions.node}, ` +
      `OpenSSL ${versions.openssl}${checkout}${set.join('')}; ` +
      `${date.slice(0, 16).replace('T', ' ')} UTC, ${mode}${others}`,
    `npm run bench:figure -- ${name}`,
  ]
}
