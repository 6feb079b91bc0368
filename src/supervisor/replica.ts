import { functionOf, type MemberSpec, type RestartPolicy } from '../stack/spec.ts'
import type { Timer } from '../time/clock.ts'
import type { Diary } from './diary.ts'
import { LifeCycle } from './life-cycle.ts'
import type { Member } from './member.ts'

/** One place in the platform, with a name, that one process after the other fills. */
export class Replica {
  /** What its next process is. */
  spec: MemberSpec
  /** The function that it serves; empty for a gateway or a signer. */
  readonly functionName: string
  readonly life: LifeCycle
  /** The process that fills it now. */
  member: Member | undefined
  /** How its last process ended, and why if that is known. */
  lastEnd: string | undefined
  /** Why its last process could not start; undefined: it could, or none has been started. */
  broken: string | undefined
  /**
   * One of its processes was ready, or had its time to become so: the start does not wait for it any more.
   */
  settled = false
  /** What will start the next one. */
  restart: Timer | undefined

  constructor(spec: MemberSpec, policy: RestartPolicy, diary?: Diary, begins?: 'asleep') {
    this.spec = spec
    this.functionName = functionOf(spec)
    this.life = new LifeCycle(policy, step => diary?.note(spec.name, this.functionName, step), begins)
    // The start does not wait for one that sleeps.
    this.settled = begins === 'asleep'
  }

  get name(): string {
    return this.spec.name
  }

  /** Its process can work. */
  get ready(): boolean {
    return this.member?.peer !== undefined
  }
}

/** A process, and the replica that it fills. */
export interface Process {
  readonly replica: Replica
  readonly member: Member
}

/** The first name of a replica of that function, as `echo-2`, that none of these has. */
export function freeName(functionName: string, replicas: Iterable<Replica>): string {
  const taken = new Set([...replicas].map(({ name }) => name))
  for (let number = 1; ; number++) {
    const name = `${functionName}-${number}`
    if (!taken.has(name)) return name
  }
}
