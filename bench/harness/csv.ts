import { writeFileSync } from 'node:fs'
import type { Measurement } from './measurement.ts'

const FIGURES = ['min', 'p50', 'p90', 'p99', 'p999', 'max', 'mean'] as const

/**
 * Measurements as CSV (RFC 4180) for gnuplot, pandas and spreadsheets: one line for each, a column for every
 * label that one of them has. What a measurement does not have is empty.
 */
export function toCsv(bench: string, measurements: readonly Measurement[]): string {
  const labels = [...new Set(measurements.flatMap(one => Object.keys(one.labels)))].sort()
  const head = ['bench', 'name', ...labels, 'unit', 'value', 'low', 'high', 'rounds', 'samples', ...FIGURES]
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
  ])
  return [head, ...lines].map(cells => `${cells.map(cell).join(',')}\r\n`).join('')
}

function cell(value: string | number | undefined): string {
  const text = value === undefined ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export function saveCsv(file: string, bench: string, measurements: readonly Measurement[]): void {
  writeFileSync(file, toCsv(bench, measurements))
}
