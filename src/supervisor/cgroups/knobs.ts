import type { Controller } from './hierarchy.ts'

/** What is held of one container, and what is set aside for it. */
export interface Share {
  /** Bytes. */
  readonly memory?: number | undefined
  /** Cores. */
  readonly cpu?: number | undefined
  /** Processes and threads. */
  readonly tasks?: number | undefined
  /** Set aside when others want it, too. */
  readonly requests?: { readonly memory?: number | undefined; readonly cpu?: number | undefined } | undefined
}

/** A file of a cgroup, and what is written there. */
export interface Knob {
  readonly file: string
  readonly value: string
  /** Some kernels do not have it, and it can be done without. */
  readonly optional?: boolean
}

/** Microseconds in which a share of the processors is counted. */
export const CPU_PERIOD = 100_000
/** The least that the kernel takes. */
const LEAST_QUOTA = 1000
/** What a container without a request weighs beside others: as one core. */
const SHARES = 1024
const WEIGHT = 100

/** Microseconds of each {@link CPU_PERIOD}. */
export function quotaOf(cores: number): number {
  return Math.max(LEAST_QUOTA, Math.round(cores * CPU_PERIOD))
}

/** How version 1 counts a request of processor time. */
export function sharesOf(cores: number): number {
  return Math.max(2, Math.round(cores * SHARES))
}

/** As `Documentation/admin-guide/cgroup-v1` and `cgroup-v2.rst` of the kernel name the files. */
export function knobs(version: 1 | 2, controller: Controller, share: Share): Knob[] {
  const { memory, cpu, tasks, requests = {} } = share
  switch (controller) {
    case 'memory':
      return [
        ...(memory === undefined ? [] : version === 1 ? firstMemory(memory) : secondMemory(memory)),
        ...(requests.memory === undefined
          ? []
          : [
              {
                file: version === 1 ? 'memory.soft_limit_in_bytes' : 'memory.low',
                value: `${requests.memory}`,
                optional: true,
              },
            ]),
      ]
    case 'cpu':
      return [
        ...(cpu === undefined ? [] : cpuKnobs(version, quotaOf(cpu))),
        ...(requests.cpu === undefined ? [] : [weightKnob(version, requests.cpu)]),
      ]
    case 'pids':
      return tasks === undefined ? [] : [{ file: 'pids.max', value: `${tasks}` }]
  }
}

/** Memory that is swapped out counts, too. */
function firstMemory(bytes: number): Knob[] {
  return [
    { file: 'memory.limit_in_bytes', value: `${bytes}` },
    { file: 'memory.memsw.limit_in_bytes', value: `${bytes}`, optional: true },
  ]
}

/** Nothing is swapped out, and at the limit the container ends whole. */
function secondMemory(bytes: number): Knob[] {
  return [
    { file: 'memory.max', value: `${bytes}` },
    { file: 'memory.swap.max', value: '0', optional: true },
    { file: 'memory.oom.group', value: '1', optional: true },
  ]
}

function cpuKnobs(version: 1 | 2, quota: number): Knob[] {
  if (version === 2) return [{ file: 'cpu.max', value: `${quota} ${CPU_PERIOD}` }]
  return [
    { file: 'cpu.cfs_period_us', value: `${CPU_PERIOD}` },
    { file: 'cpu.cfs_quota_us', value: `${quota}` },
  ]
}

function weightKnob(version: 1 | 2, cores: number): Knob {
  return version === 1
    ? { file: 'cpu.shares', value: `${sharesOf(cores)}` }
    : { file: 'cpu.weight', value: `${Math.min(10_000, Math.max(1, Math.round(cores * WEIGHT)))}` }
}

/** The file that counts what was refused, and the word before the count. */
export function refusals(version: 1 | 2, of: 'memory' | 'pids'): readonly [file: string, word: string] {
  if (of === 'pids') return ['pids.events', 'max']
  return version === 1 ? ['memory.oom_control', 'oom_kill'] : ['memory.events', 'oom_kill']
}
