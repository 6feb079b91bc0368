import { readdirSync, readFileSync } from 'node:fs'
import { cpuTime } from './cpu.ts'

/** Milliseconds between two looks at the CPU time of processes, which is gone with them. */
const LOOK = 200

/** The processes that descend from some, with these. */
export function descendants(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const parent = parentOf(Number(name))
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found = [...roots]
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

function parentOf(pid: number): number | undefined {
  if (!Number.isInteger(pid)) return undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' ? undefined : Number(parent)
  } catch {
    return undefined
  }
}

/** @returns bytes of memory that are a process's share; 0: it has ended */
export function memoryOf(pid: number): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
    return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

export function isAlive(pid: number): boolean {
  return parentOf(pid) !== undefined
}

/** The CPU time of processes that come and go. What one uses in its last moments is missed. */
export class CpuMeter {
  readonly #pids: () => readonly number[]
  readonly #first = new Map<number, number>()
  readonly #last = new Map<number, number>()
  readonly #timer: NodeJS.Timeout

  /** @param pids the processes that there are now */
  constructor(pids: () => readonly number[]) {
    this.#pids = pids
    for (const pid of pids()) this.#first.set(pid, cpuTime(pid) ?? 0)
    this.#timer = setInterval(() => this.#look(), LOOK)
  }

  /** @returns seconds of CPU time since it was made */
  stop(): number {
    clearInterval(this.#timer)
    this.#look()
    let microseconds = 0
    for (const [pid, time] of this.#last) microseconds += time - (this.#first.get(pid) ?? 0)
    return microseconds / 1e6
  }

  #look(): void {
    for (const pid of this.#pids()) {
      const time = cpuTime(pid)
      if (time !== undefined) this.#last.set(pid, time)
    }
  }
}
