import type { IsolationName } from '../../stack/isolation.ts'
import type { UidRange } from '../../stack/uids.ts'
import type { Share } from '../cgroups/knobs.ts'

/** A process that is to be started, as every level is told of it. */
export interface Launch {
  /** As `echo-1`. */
  readonly name: string
  /** Of this process alone, never used twice. */
  readonly id: number
  /** The program, and its arguments. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The first number of a descriptor that is free: it inherits all below. */
  readonly firstFree: number
  /** Files and directories that it sees, absolute; what else lies in their folders it does not. */
  readonly visible: readonly string[]
  /** A directory with its secrets, and nothing else. */
  readonly secrets: string | undefined
  /** Where it starts. */
  readonly workingDirectory: string
  /** A user id, and the group of the same number, of its own; undefined where there is no right to it. */
  readonly uid: number | undefined
  /** As in {@link Needs}. */
  readonly connects: boolean
  readonly share: Share
  /** A directory of the platform that its functions never see, for files of this process. */
  readonly bundles: string
}

/** How a process is started. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What it reads from pipes, at the descriptors from {@link Launch.firstFree} on. */
  readonly feeds: readonly Uint8Array[]
  /** Where it starts, if not where the supervisor did. */
  readonly directory?: string
  /** In a session of its own: without the terminal that the supervisor was started in. */
  readonly detached?: boolean
  /** Processes between the one that is started and the container's own. */
  readonly wrappers: number
  /** The parent's process id as the container sees it; undefined: the supervisor's. */
  readonly parent: number | undefined
}

/** Why a level cannot be had on this machine, and what to do. */
export interface Problem {
  readonly what: string
  readonly remedy: string
}

/** What a check has to know. */
export interface Circumstances {
  /** The user ids that functions may be given. */
  readonly uids: UidRange
  /** Whether foreign calls work: settings and connections travel by them. */
  readonly native: boolean
}

/** One level. */
export interface Isolation {
  readonly level: IsolationName
  /** Tries what it needs. @returns undefined if it can be had */
  check(circumstances: Circumstances): Problem | undefined
  /** How such a process is started; what has to lie in files is written. */
  command(launch: Launch): Command
  /** What is left of a process that has ended, or could not be started, is removed. */
  ended?(launch: Pick<Launch, 'name' | 'id' | 'bundles'>): void
}

/** Where functions of OpenFaaS read their secrets. */
export const SECRETS_FOLDER = '/var/openfaas/secrets'

/** Why a level needs foreign calls. */
export const NEEDS_NATIVE: Problem = {
  what: 'foreign calls do not work here, and without them a container shares its channel with Node',
  remedy: 'install koffi for this machine (npm install koffi), or choose isolation: process',
}
