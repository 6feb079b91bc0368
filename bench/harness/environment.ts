import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** Where and with what something was measured. */
export interface Environment {
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly kernel: string
    /** MiB. */
    readonly memory: number
  }
  readonly versions: { readonly node: string; readonly openssl: string; readonly v8: string }
  /** Those that choose another way of doing what is measured; absent if none is set. */
  readonly variables?: Readonly<Record<string, string>>
  /** Of the checkout; absent outside of one. */
  readonly commit?: string
  /** Whether files of the checkout differ from that commit. */
  readonly modified?: boolean
}

/** Variables of the environment that processes of the platform go by. */
const TELLING = ['HOTPOTATO_CHANNEL', 'HOTPOTATO_STREAM', 'NODE_OPTIONS']

/** Looks at machine, runtime and checkout. */
export function environment(): Environment {
  const { node, openssl, v8 } = process.versions
  const commit = git('rev-parse', 'HEAD')
  const variables = Object.fromEntries(
    TELLING.flatMap(name => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
  return {
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      kernel: `${process.platform} ${release()} ${process.arch}`,
      memory: Math.round(totalmem() / 2 ** 20),
    },
    versions: { node, openssl, v8 },
    ...(Object.keys(variables).length === 0 ? {} : { variables }),
    ...(commit === undefined
      ? {}
      : { commit, modified: git('status', '--porcelain', '--untracked-files=no') !== '' }),
  }
}

function git(...words: string[]): string | undefined {
  try {
    return execFileSync('git', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

/** What the machine did while something was measured. */
export interface Load {
  /** Load averages of one minute, at the beginning and the end: our own processes count too. */
  readonly average: readonly [before: number, after: number]
  /** The share of all CPU time that other programs used, 0 to 1; undefined where /proc does not tell. */
  readonly foreign: number | undefined
}

/** Starts watching the machine. @returns ends it; our processes must still be alive then */
export function watchLoad(): () => Load {
  const [before = 0] = loadavg()
  const start = { machine: machineTime(), ours: treeTime(process.pid) }
  return () => {
    const [after = 0] = loadavg()
    const machine = machineTime()
    const ours = treeTime(process.pid)
    const average = [hundredths(before), hundredths(after)] as const
    if (ours === undefined || start.ours === undefined) return { average, foreign: undefined }
    const total = machine.total - start.machine.total
    const foreign = machine.busy - start.machine.busy - (ours - start.ours)
    return { average, foreign: total > 0 ? hundredths(Math.max(0, foreign / total)) : undefined }
  }
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100
}

/** Milliseconds of all CPUs together since the machine was started. */
function machineTime(): { readonly busy: number; readonly total: number } {
  let busy = 0
  let idle = 0
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq
    idle += times.idle
  }
  return { busy, total: busy + idle }
}

/** Clock ticks of /proc: 100 a second wherever Linux runs Node. */
const TICK = 10

/** Milliseconds of CPU that a process, its descendants, and those of them that have ended have used. */
function treeTime(root: number): number | undefined {
  const parents = new Map<number, { parent: number; time: number }>()
  try {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const stat = readStat(name)
      if (stat !== undefined) parents.set(Number(name), stat)
    }
  } catch {
    return undefined
  }
  const belongs = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 0; at = parents.get(at)?.parent)
      if (at === root) return true
    return false
  }
  let total = 0
  for (const [pid, { time }] of parents) if (belongs(pid)) total += time
  return total
}

function readStat(pid: string): { parent: number; time: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold anything; what follows it is numbers, from the third field on.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const number = (field: number): number => Number(fields[field - 3])
    return { parent: number(4), time: (number(14) + number(15) + number(16) + number(17)) * TICK }
  } catch {
    return undefined // it has ended meanwhile
  }
}

/** The lowest CPU that this process may run on, and whether `taskset` is there to pin children to it. */
export function pinnable(): number | undefined {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' })
    const [, list] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? []
    const cpu = Number.parseInt(list ?? '', 10)
    return Number.isNaN(cpu) ? undefined : cpu
  } catch {
    return undefined
  }
}
