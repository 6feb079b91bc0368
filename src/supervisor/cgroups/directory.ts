import { readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/* A cgroup is a directory, and what it does is files in it. */

/** Rounds in which processes are ended that were started meanwhile. */
const ROUNDS = 20

/** A file of the kernel's; empty if it is not there any more. */
export function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Writes what can be done without, or has perhaps ended. */
export function tryWrite(file: string, value: string): void {
  try {
    writeFileSync(file, value)
  } catch {
    // It is not there in this kernel, or not any more.
  }
}

/** @returns whether there is no such cgroup any more: the kernel keeps it while a process is in it */
export function removeDirectory(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

/** Processes of our namespace that are in it, also those that have lost their parents. */
export function processesIn(directory: string): number[] {
  const lines = read(join(directory, 'cgroup.procs')).split('\n').filter(Boolean)
  // Version 1 may name one twice, and 0 is one of another namespace.
  return [...new Set(lines.map(Number))].filter(pid => pid > 0)
}

/** Lets nothing more be started in it, and ends all that is. Files that it does not have are left out. */
export function killIn(directory: string): void {
  tryWrite(join(directory, 'pids.max'), '0')
  tryWrite(join(directory, 'cgroup.kill'), '1')
  const seen = new Set<number>()
  for (let round = 0; round < ROUNDS; round++) {
    const fresh = processesIn(directory).filter(pid => !seen.has(pid))
    if (fresh.length === 0) return
    for (const pid of fresh) {
      seen.add(pid)
      end(pid)
    }
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
