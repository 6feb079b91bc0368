import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { letReadersGo } from '../harness/output.ts'
import { figure, table } from '../harness/table.ts'
import type { Mover } from '../rig/one-process.ts'
import type { MoveCounts } from './moves.ts'
import { touched } from './touched.ts'

const MOVES = fileURLToPath(new URL('./moves.js', import.meta.url))
/** Room for all that a run makes: then nothing is collected while the heap is looked at. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=256', '--min-semi-space-size=256']
const USAGE = `usage: npm run bench:counts

Counts what one move calls and makes, beside the floor of this runtime, and what an idle connection does that
is handed over with many others. It takes a minute, knows no options and keeps no file: counts are the same on
every machine.`
/** What the client calls of it, in either: it seals, opens and sends. */
const CLIENT: Readonly<Record<string, number>> = { 'foreign calls': 11, 'system calls': 3 }
/** What is counted, and what is to be reached without the client. */
const GOALS: Readonly<Record<string, number | undefined>> = {
  'foreign calls': 50,
  'system calls': 20,
  'typed arrays': 12,
  'bytes on the heap': 4096,
  timers: 0,
  'KiB of machine code touched': undefined,
  'KiB of other memory touched': undefined,
}

/**
 * `npm run bench:counts`: what does one move call and make? Source, target and client are in one process, and
 * hand one connection to and fro; the floor of this runtime (`bench/floor`) does the same without rules. And
 * what does one of 500 idle connections that are handed over when a host drains? Counts do not depend on how
 * busy the machine is.
 */
async function main(): Promise<void> {
  const [word] = process.argv.slice(2)
  if (word !== undefined) {
    const help = word === '--help'
    process[help ? 'stdout' : 'stderr'].write(`${help ? '' : `${word} is not known here\n\n`}${USAGE}\n`)
    process.exitCode = help ? 0 : 2
    return
  }
  const platform = await countsOf('platform')
  const floor = await countsOf('floor')
  const drains = await countsOf('drains')
  const rows = Object.keys(GOALS).map(name => [
    name,
    figure(platform.counts[name]),
    figure(floor.counts[name]),
    figure(drains.counts[name]),
    figure(CLIENT[name]),
    String(GOALS[name] ?? '–'),
  ])
  const heads = [
    'for one move',
    'platform',
    'floor',
    'at a drain',
    "of a move the client's",
    'goal without it',
  ]
  process.stdout.write(`${table(heads, rows)}\n\n`)
  const most = (name: string): number => platform.byName[name] ?? 0
  const names = [...new Set([platform, floor, drains].flatMap(({ byName }) => Object.keys(byName)))]
  const named = names
    .sort((one, other) => most(other) - most(one))
    .map(name => [name, ...[platform, floor, drains].map(({ byName }) => figure(byName[name]))])
  process.stdout.write(`${table(['of these', 'platform', 'floor', 'at a drain'], named)}\n`)
}

async function countsOf(mover: Mover | 'drains'): Promise<{
  readonly counts: Readonly<Record<string, number | undefined>>
  readonly byName: MoveCounts['byName']
}> {
  const words = mover === 'platform' ? [] : [mover]
  const { foreignCalls, typedArrays, timers, byName } = moves(1000, ...words)
  const { heapBytes } = moves(1000, 'uncounted', ...words)
  const pages = mover === 'drains' ? undefined : await touched(mover)
  const counts = {
    'foreign calls': foreignCalls,
    'system calls': systemCalls(words),
    'typed arrays': typedArrays,
    'bytes on the heap': heapBytes,
    timers,
    'KiB of machine code touched': pages?.code,
    'KiB of other memory touched': pages?.memory,
  }
  return { counts, byName }
}

function moves(count: number, ...words: readonly string[]): MoveCounts {
  const out = execFileSync(process.execPath, [...FLAGS, MOVES, String(count), ...words], { encoding: 'utf8' })
  return JSON.parse(out) as MoveCounts
}

/** Of all threads, from two runs of which one has a thousand moves more; undefined without `strace`. */
function systemCalls(words: readonly string[]): number | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'hotpotato-counts-'))
  try {
    const [few, many] = [1000, 2000].map(count => {
      const file = join(directory, String(count))
      const program = [process.execPath, ...FLAGS, MOVES, String(count), 'uncounted', ...words]
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

letReadersGo()
await main()
