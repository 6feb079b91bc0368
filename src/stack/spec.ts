import type { MemberSettings } from '../platform/membership.ts'
import type { PeerRole } from '../transfer/control.ts'
import type { IsolationName } from './isolation.ts'
import type { UidRange } from './uids.ts'

/* What a plan asks of the supervisor. */

/** A process to be kept running. */
export interface MemberSpec {
  /** As `echo-1`. */
  readonly name: string
  /** The compiled module that it runs. */
  readonly entry: URL
  readonly role: PeerRole
  /** What it is told, besides what only the process that is started has. */
  readonly settings: Omit<MemberSettings, OfOneProcess>
  /** Open descriptors that it inherits. */
  readonly descriptors?: readonly number[]
  /** The secrets that it is given. */
  readonly secrets?: SecretsSpec | undefined
  /** What the files say that it reads at its start, in a few characters; for comparing alone. */
  readonly digest?: string | undefined
  /** How it is kept apart; undefined: as a process like the supervisor. */
  readonly confinement?: Confinement
}

/** How a container is kept apart from the rest, and what it may use. */
export interface Confinement {
  readonly level: IsolationName
  /** The first and the last user id that functions may be given. */
  readonly uids: UidRange
  /** Bytes of memory, and cores; undefined: as much as there is. */
  readonly limits: Resources
  /** The same that is set aside for it. */
  readonly requests: Resources
  /** Files and directories, absolute, that its function is made of; it starts where the first one is. */
  readonly made: readonly string[]
  /** Whether it connects sockets, and loads no code of others itself: it asks a program. */
  readonly connects: boolean
  /** The same without symbolic links, that it must not see, though they lie where it may read. */
  readonly hidden: readonly string[]
  /** Of the platform. */
  readonly runDirectory: string
}

/** Bytes of memory, and cores. */
export interface Resources {
  readonly memory?: number | undefined
  readonly cpu?: number | undefined
}

/** Secrets of one function. */
export interface SecretsSpec {
  /** The directory in which the platform keeps all. */
  readonly store: string
  readonly names: readonly string[]
}

/** The same process, under a name of its own. */
export function named(spec: MemberSpec, name: string): MemberSpec {
  return { ...spec, name, settings: { ...spec.settings, name } }
}

/** What is different each time that a process is started. */
export type OfOneProcess = 'id' | 'supervisor' | 'descriptors'

/** The function that a process serves; empty for a gateway or a signer. */
export function functionOf({ settings }: MemberSpec): string {
  return (settings as { readonly functionName?: string }).functionName ?? ''
}

/** How replicas are started again. Milliseconds. */
export interface RestartPolicy {
  /** Before the first restart; doubled with each that follows. */
  readonly first: number
  readonly most: number
  /** A process that has been ready for so long is healthy: what ended before it is forgotten. */
  readonly healthyAfter: number
  /** Ends in a row, without a healthy process between them, that make a crash loop. */
  readonly crashLoop: number
}

/** What new containers of a roll-out do before old ones move their connections to them. */
export interface RehearsalPlan {
  /** Moves that each rehearses; 0: none. */
  readonly moves: number
  /** Milliseconds after which it is not waited for any longer; 0: not at all. */
  readonly limit: number
}

/** How many replicas of a function `scale` may ask for. */
export interface ScaleBounds {
  readonly min: number
  readonly max: number
  /** That one container is to have at most: the pool grows and shrinks by it; undefined: it stays. */
  readonly connections?: number | undefined
}
