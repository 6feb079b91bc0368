import { isCallCounter } from '../platform/counters/calls.ts'
import type { PeerRole } from '../transfer/control.ts'
import type { ReplicaState } from './life-cycle.ts'
import type { Replica } from './replica.ts'

/** What a process has counted, by name. */
export type Counters = Readonly<Record<string, number>>

/** One replica, as `status` shows it. */
export interface MemberStatus {
  readonly name: string
  readonly role: PeerRole
  /** The function that it serves; empty for the gateway and the signer. */
  readonly functionName: string
  readonly state: ReplicaState
  readonly ready: boolean
  /** Of its process; undefined while there is none. */
  readonly id: number | undefined
  readonly pid: number | undefined
  /** Milliseconds since its process was started. */
  readonly age: number | undefined
  readonly restarts: number
  /** How its last process ended, and why if that is known; undefined: none has. */
  readonly lastEnd?: string | undefined
  /** Why its last process could not start; undefined: it could, or none has been started. */
  readonly broken?: string | undefined
  readonly counters: Counters
}

/** @param now milliseconds, as the clock of the supervisor says */
export function statusOf(replica: Replica, counters: Counters, now: number): MemberStatus {
  const { name, functionName, life, member, spec } = replica
  return {
    name,
    role: spec.role,
    functionName,
    state: life.state,
    ready: member?.peer !== undefined,
    id: member?.id,
    pid: member?.payload.pid,
    age: member && Math.round(now - member.startedAt),
    restarts: life.restarts,
    lastEnd: replica.lastEnd,
    broken: replica.broken,
    counters: Object.fromEntries(Object.entries(counters).filter(([name]) => !isCallCounter(name))),
  }
}
