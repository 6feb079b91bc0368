import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { figure, table } from '../harness/table.ts'
import type { MoveCounts } from './moves.ts'

const MOVES = fileURLToPath(new URL('./moves.js', import.meta.url))
/** Room for all that a run makes: then nothing is collected while the heap is looked at. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=256']
/** What is to be reached, and what a program with no rules needs for the same work where that is known. */
const GOALS: Readonly<Record<string, number>> = {
  'foreign calls': 50,
  'system calls': 20,
  'typed arrays': 12,
  'bytes on the heap': 4096,
  timers: 0,
}

/**
 * `npm run bench:counts`: what does one move call and make? Source, target and client are in one process, and
 * hand one connection to and fro. Counts do not depend on how busy the machine is.
 */
function main(): void {
  const counted = moves(1000)
  const { heapBytes } = moves(1000, 'uncounted')
  const counts: Readonly<Record<string, number | undefined>> = {
    'foreign calls': counted.foreignCalls,
    'system calls': systemCalls(),
    'typed arrays': counted.typedArrays,
    'bytes on the heap': heapBytes,
    timers: counted.timers,
  }
  const rows = Object.entries(counts).map(([name, count]) => [name, figure(count), String(GOALS[name])])
  const named = Object.entries(counted.byName).sort(([, one], [, other]) => other - one)
  process.stdout.write(`${table(['for one move', 'count', 'goal'], rows)}\n\n`)
  process.stdout.write(
    `${table(
      ['of these', 'count'],
      named.map(([name, n]) => [name, figure(n)]),
    )}\n`,
  )
}

function moves(count: number, ...words: readonly string[]): MoveCounts {
  const out = execFileSync(process.execPath, [...FLAGS, MOVES, String(count), ...words], { encoding: 'utf8' })
  return JSON.parse(out) as MoveCounts
}

/** Of all threads, from two runs of which one has a thousand moves more; undefined without `strace`. */
function systemCalls(): number | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-counts-'))
  try {
    const [few, many] = [1000, 2000].map(count => {
      const file = join(directory, String(count))
      const program = [process.execPath, ...FLAGS, MOVES, String(count), 'uncounted']
      const { error } = spawnSync('strace', ['-f', '-c', '-o', file, ...program], { stdio: 'ignore' })
      if (error !== undefined) return undefined
      return Number(/(\d+)(?:\s+\d+)? total$/m.exec(readFileSync(file, 'latin1'))?.[1])
    })
    if (few === undefined || many === undefined) {
      process.stderr.write('system calls: skipped, because there is no strace (Debian package strace)\n')
      return undefined
    }
    return (many - few) / 1000
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

main()
