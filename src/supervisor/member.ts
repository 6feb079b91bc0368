import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { DESCRIPTORS, type MemberSettings } from '../platform/membership.ts'
import type { MemberSpec } from '../stack/spec.ts'
import type { Clock } from '../time/clock.ts'
import { type Channel, SUPERVISOR } from '../transfer/channel.ts'
import { IpcBroker } from '../transfer/channels/ipc.ts'
import { createPair, NativeChannel, type PairEnd } from '../transfer/channels/native.ts'
import type { ControlMessage, Peer, PeerRole } from '../transfer/control.ts'
import { keepInherited, leaveNoCore } from '../transfer/native/inherited.ts'
import type { Budget } from '../wire/index.ts'
import type { Cgroups } from './cgroups/cgroups.ts'
import type { Group } from './cgroups/group.ts'
import { inherited } from './environment.ts'
import { shareOf } from './isolation/bounds.ts'
import { type Prepared, plain, prepare } from './isolation/launch.ts'
import { Payload } from './isolation/payload.ts'
import { Uids } from './isolation/uids.ts'

/** A process that the supervisor has started. */
export interface Member {
  readonly id: number
  readonly role: PeerRole
  readonly spec: MemberSpec
  readonly child: ChildProcess
  /** The same process, or what it wraps. */
  readonly payload: Payload
  /** As {@link Clock.steady}. */
  readonly startedAt: number
  /** Who it is, once its key is known: signers know it from then on. */
  present: Peer | undefined
  /** The same, once it can work. */
  peer: Peer | undefined
  /** The gateways that expect it, of a process that has been warm. */
  readonly early: Set<number> | undefined
  /** Why it says that it cannot start. */
  failure: string | undefined
  /** How many answers it was asked for, by their kind, and has not given. */
  readonly owed: Map<ControlMessage['kind'], number>
  /** How often it has said what it may not. */
  offences: number
}

/** The supervisor's channel, and the way to connect processes to it and to each other. */
export interface Switchboard {
  readonly channel: Channel
  start(id: number, spec: MemberSpec): Member
  /**
   * The same for one that waits for what it is told.
   * @param words for its command line @param known what it is told at once
   */
  startWaiting(
    id: number,
    entry: URL,
    words: readonly string[],
    known: MemberSpec['settings'],
  ): WaitingProcess
  /** A pair for two processes; nothing on the ipc channel, where the supervisor passes everything on. */
  pair(): readonly [PairEnd, PairEnd] | readonly [readonly [], readonly []]
}

/** A process that does not know yet what it is for. */
export interface WaitingProcess {
  readonly id: number
  readonly child: ChildProcess
  /** Tells it. */
  become(spec: MemberSpec): Member
}

/**
 * Frames that a process may send to the supervisor, where honest ones send a few a second: the longest list
 * of connections is 256 of them.
 */
const BUDGET: Budget = { perSecond: 1000, burst: 4000 }

/**
 * Descriptors that Node needs to start a process with three pipes, beside one for each that the child gets:
 * both ends of each pipe, and a pair for the child's word that it runs. Where the child itself runs out of
 * them, Node never closes our ends.
 */
const SPAWNING = 8

/** Opens the supervisor's end of the channels. @param cgroups of containers; undefined: they get none */
export function openSwitchboard(kind: Channel['kind'], clock: Clock, cgroups?: Cgroups): Switchboard {
  const means = { uids: new Uids(), cgroups }
  keepInherited()
  leaveNoCore()
  return kind === 'native' ? nativeSwitchboard(clock, means) : ipcSwitchboard(clock, means)
}

function nativeSwitchboard(clock: Clock, means: Means): Switchboard {
  const channel = NativeChannel.open(SUPERVISOR, BUDGET)
  return {
    channel,
    pair: createPair,
    start(id, spec) {
      const { payload, tell } = connected(id, spec, channel, means)
      tell(spec.settings)
      return member(id, spec, payload, clock.steady())
    },
    startWaiting(id, entry, words, known) {
      const { payload, tell } = connected(id, { entry, words }, channel, means)
      tell(known, true)
      const become = (spec: MemberSpec): Member => {
        limit(spec, payload, means)
        tell(spec.settings)
        return { ...member(id, spec, payload, clock.steady()), early: new Set() }
      }
      return { id, child: payload.child, become }
    },
  }
}

/** Starts a process whose channel is a pair. */
function connected(id: number, spec: Startable, channel: NativeChannel, means: Means): Started {
  const [ours, theirs] = createPair()
  let started: Started | undefined
  try {
    const fds = theirs.map(descriptor => descriptor.fd)
    started = start(id, spec, fds, means)
    channel.addPeer(id, ours)
    return started
  } catch (error) {
    started?.payload.kill()
    for (const descriptor of ours) descriptor.close()
    throw error
  } finally {
    for (const descriptor of theirs) descriptor.close()
  }
}

function ipcSwitchboard(clock: Clock, means: Means): Switchboard {
  const channel = new IpcBroker(SUPERVISOR, BUDGET)
  return {
    channel,
    pair: () => [[], []],
    start(id, spec) {
      const { payload, tell } = start(id, spec, ['ipc'], means)
      channel.attach(id, payload.child)
      tell(spec.settings)
      return member(id, spec, payload, clock.steady())
    },
    startWaiting() {
      throw new Error('there is no warm pool on the channel ipc')
    },
  }
}

/** What is started: a member, or a process that is to become one. */
type Startable = MemberSpec | { readonly entry: URL; readonly words: readonly string[] }

/** What processes are given of the machine. */
interface Means {
  readonly uids: Uids
  readonly cgroups: Cgroups | undefined
}

/** A process, and how it is told what it is for. */
interface Started {
  readonly payload: Payload
  /** @param more something follows, as another line */
  readonly tell: (settings: MemberSpec['settings'], more?: boolean) => void
}

function start(
  id: number,
  spec: Startable,
  channel: readonly ('ipc' | number)[],
  { uids, cgroups }: Means,
): Started {
  const descriptors = 'words' in spec ? [] : (spec.descriptors ?? [])
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe', ...channel, ...descriptors] as const
  const environment = inherited(process.env)
  const confinement = 'words' in spec ? undefined : spec.confinement
  const prepared: Prepared =
    'words' in spec || confinement === undefined
      ? plain(fileURLToPath(spec.entry), environment)
      : prepare(id, { ...spec, confinement }, environment, stdio.length, uids)
  const { command } = prepared
  let group: Group | undefined
  try {
    const more = [...prepared.descriptors, ...command.feeds.map(() => 'pipe' as const)]
    // A descriptor's number there is its place here.
    const given = descriptors.map((_, index) => stdio.length - descriptors.length + index)
    mustBeFree(SPAWNING + stdio.length + more.length)
    const words = 'words' in spec ? spec.words : []
    group = groupFor(id, spec, cgroups)
    const child = spawn(command.file, [...command.args, ...words], {
      env: command.environment,
      stdio: [...stdio, ...more],
      serialization: 'json',
      detached: command.detached === true,
      ...(command.directory === undefined ? {} : { cwd: command.directory }),
    })
    const payload = new Payload(child, command.wrappers, prepared.ended, group)
    let free = false
    const enclosed = payload
      .enclose()
      .catch((error: unknown) => cgroups?.lost(error))
      .then(() => {
        free = true
      })
    const supervisor = command.parent ?? process.pid
    const tell = (settings: MemberSpec['settings'], more = false): void => {
      const say = (): void => {
        const told: MemberSettings = {
          ...settings,
          ...prepared.settings,
          ...counted(prepared.settings, payload.group),
          id,
          supervisor,
          descriptors: given,
        }
        feed(child, DESCRIPTORS.settings, `${JSON.stringify(told)}\n`, more)
      }
      // One that has waited is told before anything else is done for it.
      if (free) say()
      else void enclosed.then(say)
    }
    const firstFeed = stdio.length + prepared.descriptors.length
    // What wraps a container waits for these.
    void enclosed.then(() => {
      for (const [index, bytes] of command.feeds.entries()) feed(child, firstFeed + index, bytes)
    })
    return { payload, tell }
  } catch (error) {
    // There is no process whose end would do that.
    group?.end()
    prepared.ended?.()
    throw error
  } finally {
    for (const fd of prepared.descriptors) closeSync(fd)
  }
}

/** Where a cgroup counts processes no limit of the user does: that one refuses, and counts nothing. */
function counted({ restraint }: Prepared['settings'], group: Group | undefined): Prepared['settings'] {
  if (restraint === undefined || group?.holds('pids') !== true) return {}
  const { processes: _, ...others } = restraint
  return { restraint: others }
}

/** Sets what the kernel holds of one that was warm. */
function limit({ name, confinement }: MemberSpec, { group }: Payload, { cgroups }: Means): void {
  if (group !== undefined) cgroups?.set(group, name, shareOf(confinement))
}

/** A runtime of OCI makes that of its container itself. */
function groupFor(id: number, spec: Startable, cgroups: Cgroups | undefined): Group | undefined {
  if ('words' in spec) return cgroups?.make(`warm-${id}`, shareOf(undefined))
  const { confinement, name } = spec
  if (confinement === undefined || confinement.level === 'oci') return undefined
  return cgroups?.make(`${name}-${id}`, shareOf(confinement))
}

/** Writes into one of a child's pipes, and closes it unless more follows. */
function feed(child: ChildProcess, fd: number, bytes: Uint8Array | string, more = false): void {
  // There are no pipes if no process could be started.
  const pipe = child.stdio?.[fd] as Writable | null | undefined
  // One that has ended before it read them is started again like any other.
  pipe?.on('error', () => {})
  if (more) pipe?.write(bytes)
  else pipe?.end(bytes, () => pipe.destroy())
}

/** Opens that many descriptors and closes them again. @throws Error EMFILE: there are not so many */
function mustBeFree(count: number): void {
  const opened: number[] = []
  try {
    while (opened.length < count) opened.push(openSync(devNull, 'r'))
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

function member(id: number, spec: MemberSpec, payload: Payload, now: number): Member {
  return {
    id,
    role: spec.role,
    spec,
    child: payload.child,
    payload,
    startedAt: now,
    present: undefined,
    peer: undefined,
    early: undefined,
    failure: undefined,
    owed: new Map(),
    offences: 0,
  }
}

/**
 * Who the other one is to a process, as soon as both may talk; undefined before. A signer speaks to
 * containers alone, and to them as soon as they have a key.
 */
export function acquaintance({ role }: Pick<Member, 'role'>, other: Member): Peer | undefined {
  // A link stands behind the pairs with processes of other hosts, and has none of its own.
  if (role === 'link' || other.role === 'link') return undefined
  if (role === 'signer') return other.role === 'container' ? other.present : undefined
  return other.role === 'signer' && role !== 'container' ? undefined : other.peer
}

/** Whether both have been told of each other. */
export function areKnown(one: Member, other: Member): boolean {
  if (one.early?.has(other.id) === true || other.early?.has(one.id) === true) return true
  return acquaintance(other, one) !== undefined && acquaintance(one, other) !== undefined
}

/**
 * Why a container has ended whose memory is limited, if neither it nor we say so: the kernel's SIGKILL, or
 * that of V8, which has given up.
 * @param memory the limit, in bytes
 */
export function presumed(how: string, memory: number | undefined): string | undefined {
  if (memory === undefined || !/^(SIGKILL|SIGABRT|SIGTRAP|exit code (137|134|133))$/.test(how))
    return undefined
  return `most likely it needed more than its memory of ${Math.round(memory / 2 ** 20)} MiB`
}
