import { writeFileSync } from 'node:fs'
import type { BenchResult } from './run.ts'

const FIGURES = ['min', 'p50', 'p90', 'p99', 'p999', 'max', 'mean'] as const

/** The part of a result that its CSV holds. */
export type Tabular = Pick<
  BenchResult,
  'bench' | 'date' | 'mode' | 'machine' | 'versions' | 'commit' | 'modified' | 'measurements'
>

/**
 * Measurements as CSV (RFC 4180) for gnuplot, pandas and spreadsheets: one line for each, a column for every
 * label that one of them has, and at the end where and with what it was measured, so that lines of several
 * files can stand in one. What a measurement does not have is empty.
 */
export function toCsv({ bench, measurements, ...result }: Tabular): string {
  const { date, mode, machine, versions, commit, modified } = result
  const where = {
    date,
    mode,
    commit,
    modified: modified === undefined ? undefined : String(modified),
    cpu: machine.cpu,
    cores: machine.cores,
    kernel: machine.kernel,
    node: versions.node,
    openssl: versions.openssl,
    v8: versions.v8,
  }
  const labels = [...new Set(measurements.flatMap(one => Object.keys(one.labels)))].sort()
  const own = ['unit', 'value', 'low', 'high', 'rounds', 'samples', ...FIGURES]
  const head = ['bench', 'name', ...labels, ...own, ...Object.keys(where)]
  const lines = measurements.map(one => [
    bench,
    one.name,
    ...labels.map(label => one.labels[label]),
    one.unit,
    one.value,
    one.interval?.[0],
    one.interval?.[1],
    one.rounds.length,
    one.samples,
    ...FIGURES.map(figure => one.distribution?.[figure]),
    ...Object.values(where),
  ])
  return [head, ...lines].map(cells => `${cells.map(cell).join(',')}\r\n`).join('')
}

function cell(value: string | number | undefined): string {
  const text = value === undefined ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export function saveCsv(file: string, result: Tabular): void {
  writeFileSync(file, toCsv(result))
}
