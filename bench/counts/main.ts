import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { letReadersGo } from '../harness/output.ts'
import { figure, table } from '../harness/table.ts'
import type { Mover } from '../rig/one-process.ts'
import type { MoveCounts } from './moves.ts'
import { systemCalls } from './system-calls.ts'
import { touched } from './touched.ts'

const MOVES = fileURLToPath(new URL('./moves.js', import.meta.url))
/** Room for all that a run makes: then nothing is collected while the heap is looked at. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=256', '--min-semi-space-size=256']
const QUICK = process.argv.includes('--quick')
/** Moves that are counted; drains have 500 connections each. */
const COUNTED = QUICK ? 500 : 1000
const USAGE = `usage: npm run bench:counts [-- --quick]

Counts what one move calls and makes, beside the floor of this runtime, and what an idle connection does that
is handed over with many others. It takes half a minute, and on a busy machine a minute or more; it says what
it is at, and keeps no file: counts are the same on every machine.

  --quick  fewer moves, and no look at the pages that they touch`
/** What the client calls of it, in either: it seals, opens and sends. */
const CLIENT: Readonly<Record<string, number>> = { 'foreign calls': 11, 'system calls': 3, 'typed arrays': 1 }
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
  const odd = process.argv.slice(2).find(word => word !== '--quick')
  if (odd !== undefined) {
    const help = odd === '--help'
    process[help ? 'stdout' : 'stderr'].write(`${help ? '' : `${odd} is not known here\n\n`}${USAGE}\n`)
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
  const at = (what: string): void => void process.stderr.write(`${mover}: ${what}\n`)
  at('foreign calls, typed arrays and timers')
  const { foreignCalls, typedArrays, timers, byName } = moves(...words)
  at('bytes on the heap')
  const { heapBytes } = moves('uncounted', ...words)
  at('system calls')
  const called = await systemCalls(
    [...FLAGS, MOVES, String(COUNTED), 'uncounted', 'stepped', ...words],
    COUNTED,
  )
  const looks = mover !== 'drains' && !QUICK
  if (looks) at('pages of memory')
  const pages = looks ? await touched(mover) : undefined
  const counts = {
    'foreign calls': foreignCalls,
    'system calls': called,
    'typed arrays': typedArrays,
    'bytes on the heap': heapBytes,
    timers,
    'KiB of machine code touched': pages?.code,
    'KiB of other memory touched': pages?.memory,
  }
  return { counts, byName }
}

/** A busy machine may not let a process go on for seconds, and a move that takes so long is given up. */
const TRIES = 3

function moves(...words: readonly string[]): MoveCounts {
  const program = [...FLAGS, MOVES, String(COUNTED), ...words]
  for (let tries = 1; ; tries++) {
    const { stdout, stderr, status } = spawnSync(process.execPath, program, { encoding: 'utf8' })
    if (status === 0) return JSON.parse(stdout) as MoveCounts
    const reason = /^\w*Error: .*$/m.exec(stderr)?.[0] ?? `it ended with ${status}`
    if (tries === TRIES) throw new Error(`moves could not be counted, ${TRIES} times: ${reason}`)
    process.stderr.write(`once more, because of ${reason}\n`)
  }
}

letReadersGo()
await main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
})
