import { ALPHA, type Change, compare } from '../harness/compare.ts'
import { letReadersGo } from '../harness/output.ts'
import { readResult } from '../harness/result-file.ts'
import type { BenchResult } from '../harness/run.ts'
import { figure, table } from '../harness/table.ts'

const USAGE = `usage: npm run bench:compare -- BEFORE.json AFTER.json

What changed between two results of the same bench, and whether it is noise: the Mann–Whitney test on what
stands for each round, two-sided, ${ALPHA * 100} % for the whole table (Holm's correction). Exit code 1 if a
figure has become worse.`

/** `npm run bench:compare`. */
function main(words: readonly string[]): void {
  const [first, second] = words
  if (words.length !== 2 || first === undefined || second === undefined || words.includes('--help')) {
    process.stdout.write(`${USAGE}\n`)
    process.exitCode = words.includes('--help') ? 0 : 2
    return
  }
  try {
    const [before, after] = [readResult(first), readResult(second)]
    if (before.bench !== after.bench)
      throw new Error(`one is of ${before.bench}, the other of ${after.bench}`)
    const changes = compare(before.measurements, after.measurements)
    process.stdout.write(`${format(before, after, changes)}\n`)
    process.exitCode = changes.some(({ verdict }) => verdict === 'worse') ? 1 : 0
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 2
  }
}

function format(before: BenchResult, after: BenchResult, changes: readonly Change[]): string {
  const rows = changes.map(({ identity, before: one, after: other, ratio, p, verdict }) => [
    identity,
    `${figure(one.value)} ${one.unit}`,
    `${figure(other.value)} ${other.unit}`,
    `${ratio > 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(1)} %`,
    p < 0.001 ? '< 0.001' : p.toFixed(3),
    verdict,
  ])
  return [
    ...warnings(before, after),
    table(['', 'before', 'after', 'change', 'p', ''], rows),
    summary(changes),
  ].join('\n\n')
}

function summary(changes: readonly Change[]): string {
  const count = (verdict: Change['verdict']): number => changes.filter(one => one.verdict === verdict).length
  return (
    `${changes.length} compared: ${count('better')} better, ${count('worse')} worse, ` +
    `${count('noise')} noise, ${count('too few')} with too few rounds to tell`
  )
}

/** What makes the two hard to compare. */
function warnings(before: BenchResult, after: BenchResult): string[] {
  const found: string[] = []
  const differ = (what: string, one: unknown, other: unknown): void => {
    if (JSON.stringify(one) !== JSON.stringify(other))
      found.push(`note: ${what} differs: ${JSON.stringify(one)}, ${JSON.stringify(other)}`)
  }
  differ('the machine', before.machine, after.machine)
  differ('what it runs on', before.versions, after.versions)
  differ('the environment', before.variables ?? {}, after.variables ?? {})
  differ('the mode', before.mode, after.mode)
  for (const [name, { load, complete }] of Object.entries({ before, after })) {
    if ((load.foreign ?? 0) > 0.1)
      found.push(`note: ${name}, other programs used ${Math.round(load.foreign! * 100)} % of the machine`)
    if (!complete) found.push(`note: the one ${name} was cut off`)
  }
  return found.length === 0 ? [] : [found.join('\n')]
}

letReadersGo()
main(process.argv.slice(2))
