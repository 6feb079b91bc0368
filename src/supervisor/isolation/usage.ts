import { readdirSync, readFileSync } from 'node:fs'

/** What a container uses, with all processes that it has started and that still hang on it. */
export interface Usage {
  /** Bytes of memory of its own: neither files nor code that others may have as well. */
  readonly memory: number
  readonly processes: number
}

/**
 * What a process and those that have come from it use, from `/proc`.
 * @param most processes that are looked at: by how many there are too many does not matter
 */
export function usageOf(pid: number, most: number): Usage {
  const pids = family(pid, most)
  return { memory: pids.reduce((sum, one) => sum + memoryOf(one), 0), processes: pids.length }
}

/** A process and those that have come from it, the older ones first. @param most of them that are found */
export function family(pid: number, most: number): number[] {
  const found = [pid]
  for (let at = 0; at < found.length && found.length < most; at++) found.push(...childrenOf(found[at]!))
  return found.slice(0, most)
}

/**
 * The oldest child of a process, whichever of its threads has started it. By its beginning: ids come round
 * again, and what a function has left behind may have a lower one than the function.
 */
export function firstChild(pid: number): number | undefined {
  const children = childrenOf(pid).map(child => ({ child, begun: beginningOf(child) }))
  return children.sort((one, other) => one.begun - other.begun)[0]?.child
}

/** Ticks from the start of the machine to that of a process (proc_pid_stat(5)); of one that is gone: none. */
function beginningOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`)
  // The name stands in brackets, and may hold anything.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
}

/** Each of its threads may have started some. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(thread => listed(`/proc/${pid}/task/${thread}/children`))
  } catch {
    return []
  }
}

function listed(file: string): number[] {
  return read(file).split(' ').filter(Boolean).map(Number)
}

function memoryOf(pid: number): number {
  const kibibytes = [...read(`/proc/${pid}/status`).matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)]
  return kibibytes.reduce((sum, [, count]) => sum + 1024 * Number(count), 0)
}

/** Nothing of a process that has just ended. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
