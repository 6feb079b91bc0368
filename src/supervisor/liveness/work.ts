import { readFileSync } from 'node:fs'
import type { Work } from './liveness.ts'

/** Milliseconds of one tick of `/proc`, on every Linux (USER_HZ is 100). */
const TICK = 10

/** What a process has done so far, from `/proc`; undefined if that cannot be read. */
export function workOf(pid: number | undefined): Work | undefined {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // The name stands in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const processor = (Number(fields[11]) + Number(fields[12])) * TICK
  return { processor, calls: callsOf(read(`/proc/${pid}/io`)), running: fields[0] === 'R' }
}

/** Milliseconds that the main thread of a process has waited for a processor; undefined: not known. */
export function waitedOf(pid: number | undefined): number | undefined {
  const [, nanoseconds] = /^\d+ (\d+) \d+$/m.exec(read(`/proc/${pid}/schedstat`) ?? '') ?? []
  return nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e6
}

function callsOf(io: string | undefined): number | undefined {
  const found = /^syscr: (\d+)\nsyscw: (\d+)$/m.exec(io ?? '')
  return found === null ? undefined : Number(found[1]) + Number(found[2])
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}
