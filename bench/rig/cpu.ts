import { readdirSync, readFileSync } from 'node:fs'

/**
 * The CPU time that processes have used with all their threads, from the scheduler's own books, which are
 * exact where `/proc/PID/stat` counts hundredths of a second. @returns µs of all together; undefined where
 * the kernel does not tell
 */
export function cpuTime(...pids: readonly number[]): number | undefined {
  try {
    let nanoseconds = 0
    for (const pid of pids)
      for (const thread of readdirSync(`/proc/${pid}/task`))
        nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0])
    return Number.isFinite(nanoseconds) ? nanoseconds / 1000 : undefined
  } catch {
    return undefined
  }
}
