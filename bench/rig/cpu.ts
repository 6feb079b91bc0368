import { readdirSync, readFileSync } from 'node:fs'

/**
 * The CPU time that a process has used with all its threads, from the scheduler's own books, which are exact
 * where `/proc/PID/stat` counts hundredths of a second. @returns µs; undefined where the kernel does not tell
 */
export function cpuTime(pid: number): number | undefined {
  try {
    let nanoseconds = 0
    for (const thread of readdirSync(`/proc/${pid}/task`))
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0])
    return Number.isFinite(nanoseconds) ? nanoseconds / 1000 : undefined
  } catch {
    return undefined
  }
}
