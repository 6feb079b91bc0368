import { figure } from '../harness/table.ts'
import { BESIDE_HEAD, besideRows } from '../migration/beside.ts'
import { PUBLISHED_HEAD, publishedRow } from '../migration/published.ts'
import type { MigrationResult } from '../migration/result.ts'
import { ROWS, type RowName } from '../migration/rows.ts'
import { type Figure, figureHtml } from './figure.ts'
import { escaped, section, tableOf } from './html.ts'
import { fits, migrationFigures } from './migration-figures.ts'
import { stateSection } from './state.ts'

/** The pictures and tables of a result of `bench:migration`. */
export function migrationSections(result: MigrationResult): string[] {
  const { latency, beside, stages, sweeps } = migrationFigures(result)
  return [
    section('How long a request takes', latency.map(figureHtml)),
    section('Beside other engines', [...beside.map(figureHtml), besideTable(result)]),
    section('Where each microsecond goes', stages.map(figureHtml)),
    section('Under which circumstances', sweeps.map(titled)),
    scenes(result),
    stateSection(),
    published(result),
  ]
}

function titled(one: Figure): string {
  const picture = figureHtml(one)
  return picture === '' ? '' : `<h3>${escaped(one.title)}</h3>${picture}`
}

function besideTable({ measurements, scenes: all }: MigrationResult): string {
  const tables = all
    .filter(({ marks }) => !marks)
    .flatMap(({ name, circumstances }) => {
      const rows = besideRows(measurements, circumstances)
      return rows.length === 0 ? [] : [`<h3>${escaped(name)} (µs)</h3>${tableOf(BESIDE_HEAD, rows)}`]
    })
  return tables.join('')
}

function scenes({ measurements, scenes: all }: MigrationResult): string {
  const plain = all.filter(({ marks }) => !marks)
  const rows = (Object.keys(ROWS) as RowName[]).map(name => [
    ROWS[name],
    ...plain.map(({ circumstances }) => {
      const one = measurements.find(found => found.name === name && fits(found.labels, circumstances))
      return one === undefined ? '–' : `${figure(one.value)} (${figure(one.distribution?.p99)})`
    }),
  ])
  const sizes = plain[0]?.facts?.state
  return section('All measurements of every scene', [
    tableOf(['µs: p50 (p99)', ...plain.map(({ name }) => name)], rows),
    sizes === undefined
      ? ''
      : `<p>State of a connection: ${sizes.idle} B when idle, ${sizes.idleSealed} B sealed; ` +
        `with a request on board ${sizes.request} B, ${sizes.requestSealed} B sealed.</p>`,
  ])
}

function published({ published: { source, figures } }: MigrationResult): string {
  const table = tableOf(PUBLISHED_HEAD, figures.map(publishedRow))
  return section('Other systems: not of this run', [table, `<p>${escaped(source)}</p>`])
}
