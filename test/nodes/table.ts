import type { Outcome } from './suites.ts'
import type { Found } from './versions.ts'

/** All that was run on a version; nothing if it is not here. */
export interface Row {
  readonly node: Found
  readonly outcomes: readonly Outcome[]
}

/** One row for each version, as Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ node, outcomes }) => {
    if ('missing' in node) return [String(node.major), '', '', '', `not tried: ${node.missing}`]
    const sum = (of: (outcome: Outcome) => number): string =>
      outcomes.reduce((total, outcome) => total + of(outcome), 0).toLocaleString('en')
    const minutes = outcomes.reduce((total, { seconds }) => total + seconds, 0) / 60
    return [
      node.version.replace(/^v/, ''),
      sum(({ passed }) => passed),
      // What went wrong outside of any test is no test, and a failure all the same.
      sum(({ failed, faults }) => Math.max(failed, faults.length)),
      sum(({ skipped }) => skipped),
      `${minutes.toFixed(1)} min`,
    ]
  })
  const lines = [
    ['Node', 'passed', 'failed', 'skipped', 'took'],
    ['---', '---', '---', '---', '---'],
    ...cells,
  ]
  return lines.map(line => `| ${line.join(' | ')} |`).join('\n')
}

/** Whether everything that was run went well. */
export function isGood(rows: readonly Row[]): boolean {
  return rows.every(({ outcomes }) => outcomes.every(({ faults }) => faults.length === 0))
}
