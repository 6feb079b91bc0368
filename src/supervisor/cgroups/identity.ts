import { readlinkSync } from 'node:fs'
import { read } from './directory.ts'

const PREFIX = 'hotpotato'
const NAME = new RegExp(`^${PREFIX}-(\\d+)-(\\d+)-(\\d+)(-supervisor)?$`)

/** A supervisor's cgroup: as `hotpotato-PID-START-NAMESPACE`, and no other process is ever called so. */
export function ownName(): string {
  return [PREFIX, process.pid, startOf(process.pid), namespace()].join('-')
}

/** Where the supervisor itself is, if it had to leave its cgroup. @param name as {@link ownName} */
export function refugeOf(name: string): string {
  return `${name}-supervisor`
}

/** Whether that is the name of such a place, be it of a supervisor that has ended. */
export function isRefuge(name: string): boolean {
  return NAME.exec(name)?.[4] !== undefined
}

/** Whether that is the name of one of both, of a supervisor that has ended. */
export function isLeftBehind(name: string): boolean {
  const [, pid, start, space] = NAME.exec(name) ?? []
  // What another namespace of process ids counts we cannot judge.
  return pid !== undefined && space === namespace() && startOf(Number(pid)) !== start
}

/** When a process was started, in ticks since the machine was (proc_pid_stat(5)); empty if there is none. */
function startOf(pid: number): string {
  const text = read(`/proc/${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

/** The number of our namespace of process ids. */
function namespace(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))![0]
}
