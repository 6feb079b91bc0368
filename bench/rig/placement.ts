import { execFileSync } from 'node:child_process'
import { pinnable } from '../harness/environment.ts'

/** Where the two ends of a connection run: on one CPU, or on one each. */
export type Placement = 'one core' | 'two cores'

/** One CPU, and another one if there is one. @throws Error there is no `taskset` */
export function usableCpus(): readonly [number, number | undefined] {
  const cpu = pinnable()
  if (cpu === undefined)
    throw new Error('this bench pins its processes, and needs taskset (package util-linux)')
  try {
    execFileSync('taskset', ['-c', String(cpu + 1), 'true'], { stdio: 'ignore' })
    return [cpu, cpu + 1]
  } catch {
    return [cpu, undefined]
  }
}
