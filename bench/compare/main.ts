import { ALPHA, type Change, compare } from '../harness/compare.ts'
import { MOST_FOREIGN } from '../harness/goal.ts'
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
    changeText(ratio),
    p < 0.001 ? '< 0.001' : p.toFixed(3),
    verdict,
  ])
  return [
    ...warnings(before, after),
    narrow(['', 'before', 'after', 'change', 'p', ''], rows),
    summary(changes),
  ].join('\n\n')
}

/** Columns of a line. */
const WIDTH = 110

/** A table that fits: names that are too long take several lines, and their figures stand in the last. */
function narrow(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const others = head
    .map((title, column) => Math.max(title.length, ...rows.map(row => row[column]!.length)) + 2)
    .slice(1)
    .reduce((sum, width) => sum + width, 0)
  const lines = rows.flatMap(([name = '', ...figures]) => {
    const parts = wrapped(name, WIDTH - others)
    return parts.map((part, i) => [part, ...(i === parts.length - 1 ? figures : [])])
  })
  return table(head, lines)
}

/** A text in lines of so many characters, broken at blanks; what goes on is indented. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = `  ${word}`
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

function changeText(ratio: number): string {
  if (!Number.isFinite(ratio)) return 'from 0'
  return `${ratio > 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(1)} %`
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
  const differ = (what: string, one: object, other: object): void => {
    const [ones, others] = [new Map(Object.entries(one)), new Map(Object.entries(other))]
    for (const key of new Set([...ones.keys(), ...others.keys()]))
      if (JSON.stringify(ones.get(key)) !== JSON.stringify(others.get(key)))
        found.push(`note: ${what}${key} differs: ${ones.get(key)}, ${others.get(key)}`)
  }
  differ('machine, ', before.machine, after.machine)
  differ('version of ', before.versions, after.versions)
  differ('', before.variables ?? {}, after.variables ?? {})
  differ('', { mode: before.mode }, { mode: after.mode })
  for (const [name, { load, complete }] of Object.entries({ before, after })) {
    if ((load.foreign ?? 0) > MOST_FOREIGN)
      found.push(`note: ${name}, other programs used ${Math.round(load.foreign! * 100)} % of the machine`)
    if (!complete) found.push(`note: the one ${name} was cut off`)
  }
  return found.length === 0 ? [] : [found.join('\n')]
}

letReadersGo()
main(process.argv.slice(2))
