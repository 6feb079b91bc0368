import type { ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import type { Log } from '../platform/log.ts'
import type { WorkerSettings } from '../platform/worker-settings.ts'
import type { Plan } from '../stack/plan.ts'
import type { MemberSpec } from '../stack/spec.ts'
import type { Clock, Timer } from '../time/clock.ts'
import { type Channel, SUPERVISOR } from '../transfer/channel.ts'
import { CLOSED } from '../transfer/channels/framed.ts'
import {
  type ControlMessage,
  decodeControl,
  mayReport,
  type Peer,
  writeControl,
} from '../transfer/control.ts'
import type { Descriptor } from '../transfer/stream.ts'
import { DecodeError } from '../wire/index.ts'
import { Cgroups } from './cgroups/cgroups.ts'
import type { Controller } from './cgroups/hierarchy.ts'
import { type LogSink, type OutputSource, readOutput } from './child-output.ts'
import { Introductions } from './introductions.ts'
import { LimitWatch, type Watched } from './isolation/limit-watch.ts'
import { type Member, openSwitchboard, presumed, type Switchboard, type WaitingProcess } from './member.ts'
import type { Process, Replica } from './replica.ts'
import { SecretMounts } from './secrets/mounts.ts'
import { type Waiting, WarmPool } from './sleep/warm-pool.ts'
import { Turns } from './turns.ts'

/** What becomes of what the processes write on standard output and error, their logs and crashes among it. */
export interface OutputOptions {
  readonly sink: LogSink
  /** Of one process, in the long run; one that writes more is slowed, and drops what does not fit. */
  readonly bytesPerSecond: number
}

export interface ProcessesOptions {
  readonly channel: Channel['kind']
  /** What waits for functions, as it is configured now. */
  readonly warmPool: () => Plan['warmPool']
  readonly liveness: {
    /** Milliseconds that a process has to become ready. */
    readonly start: number
  }
  readonly output: OutputOptions
  readonly clock: Clock
  readonly log: Log
  readonly onMessage: (process: Process, message: ControlMessage) => void
  /** Its process has been started: it may have waited for that. */
  readonly onStarted: (replica: Replica) => void
  /** It is forgotten already. @param how as `SIGKILL` or `exit code 1`, or why it could not be started */
  readonly onEnded: (ended: Ended, how: string) => void
}

/** What is asked for by which message. */
const ANSWERS: Partial<Record<ControlMessage['kind'], ControlMessage['kind']>> = {
  statusRequest: 'status',
  connectionsRequest: 'connections',
  move: 'moved',
  reveal: 'revealed',
}
/** What a process says by itself. */
const UNASKED: ReadonlySet<ControlMessage['kind']> = new Set([
  'present',
  'ready',
  'failed',
  'leaving',
  'unreachable',
  'wake',
  'sights',
])
/** Messages that a process was not asked for, or may not send: with so many the supervisor ends it. */
const OFFENCES = 64
/** How many of those the log tells. */
const TOLD = 8
/** Milliseconds that a process may live without its channel: one that ends closes that first, and is slow. */
const FAREWELL = 3000

/** Containers that start at a time: so many, or so many for each processor. */
const FEWEST = 4
const STARTS = 2
/** The part of its time to start after which the others do not wait for one. */
const PATIENCE = 4

/** What only the first process of a replica is told. */
export type FirstSettings = Pick<WorkerSettings, 'rehearsesAtOnce' | 'followsCalls' | 'awaited'>

/** A process that has ended, or that could not be started at all. */
export interface Ended {
  readonly replica: Replica
  readonly member: Pick<Member, 'id' | 'failure' | 'peer'>
}

/** A process of the warm pool. */
interface Warm extends Waiting {
  readonly process: WaitingProcess
  /** Whose output it is. */
  readonly source: OutputSource
  /** As soon as it waits. */
  publicKey: Uint8Array | undefined
}

/** Whether nothing sets such a process apart from its beginning. */
function canBeWarm({ role, confinement }: MemberSpec): boolean {
  if (role !== 'container') return false
  return (
    confinement === undefined || (confinement.level === 'process' && confinement.limits.memory === undefined)
  )
}

function nameOf({ name, functionName }: Replica): OutputSource {
  return { name, functionName }
}

/**
 * The processes that the supervisor has started and that have not ended, and what is said to them and between
 * them.
 */
export class Processes {
  readonly #options: ProcessesOptions
  readonly #switchboard: Switchboard
  readonly #byId = new Map<number, Process>()
  readonly #introductions: Introductions
  readonly #secrets = new SecretMounts()
  readonly #cgroups: Cgroups
  readonly #limits: LimitWatch<Watched & Process>
  readonly #warmPool: WarmPool<Warm>
  readonly #warm = new Map<number, Warm>()
  readonly #turns: Turns<Replica>
  /** What is still read of the output of processes, also of those that have ended. */
  readonly #reading = new Set<Promise<void>>()
  #nextId = SUPERVISOR + 1
  /** Where the gateway takes requests without TLS, once that is known. */
  frontDoor: WorkerSettings['frontDoor'] | undefined

  constructor(options: ProcessesOptions) {
    this.#options = options
    this.#cgroups = new Cgroups(options.clock, options.log)
    this.#switchboard = openSwitchboard(options.channel, options.clock, this.#cgroups)
    this.#introductions = new Introductions({
      all: () => this.#byId.values(),
      pair: () => this.#switchboard.pair(),
      tell: (...what) => this.tell(...what),
      end: (process, error) => this.#end(process, unstarted(error)),
      offends: (process, what) => this.offends(process, what),
      nextId: () => this.#nextId++,
    })
    const most = Math.max(FEWEST, availableParallelism() * STARTS)
    this.#turns = new Turns({ clock: options.clock, most, longest: options.liveness.start / PATIENCE })
    const count = (): number => options.warmPool().count
    this.#warmPool = new WarmPool({ ...options, count, start: () => this.#startWarm() })
    this.#switchboard.channel.onMessage = (from, payload, descriptors) => {
      for (const descriptor of descriptors) descriptor.close()
      this.#receive(from, payload)
    }
    this.#switchboard.channel.onLost = (id, reason) => this.lost(id, reason)
    const watched = (): Iterable<Watched & Process> => this.#watched()
    this.#limits = new LimitWatch(options.clock, watched, (one, why) => this.#exceeds(one, why))
  }

  /** Containers of other hosts that can be offered connections. */
  get far(): readonly Peer[] {
    return this.#introductions.far.containers
  }

  get all(): readonly Process[] {
    return [...this.#byId.values()]
  }

  get(id: number): Process | undefined {
    return this.#byId.get(id)
  }

  /** What the kernel holds for containers, by cgroups of ours. */
  get held(): ReadonlySet<Controller> {
    return this.#cgroups.held
  }

  /** Processes that wait for a function. */
  get warmPool(): WarmPool<Warm> {
    return this.#warmPool
  }

  /** One that waits for a function: it has loaded all that a container needs. */
  #startWarm(): Warm {
    const { entry, words, settings } = this.#options.warmPool()
    const process = this.#switchboard.startWaiting(this.#nextId++, entry, words, settings)
    const { child, id } = process
    const source = { name: 'warm', functionName: '' }
    this.#read(child, source)
    const ended = new Promise<void>(resolve => {
      child.once('exit', resolve)
      child.on('error', () => resolve())
    })
    void ended.then(() => this.#warm.delete(id) && this.#switchboard.channel.forget(id))
    const warm = { process, source, ended, publicKey: undefined, kill: () => child.kill('SIGKILL') }
    this.#warm.set(id, warm)
    return warm
  }

  /**
   * Starts one for a replica, a container's when it is its turn: many that start at once would make each
   * other late. @param more settings for this process alone
   */
  start(replica: Replica, more: FirstSettings = {}): void {
    const { spec } = replica
    const warm = more.rehearsesAtOnce === undefined && canBeWarm(spec) ? this.#warmPool.take() : undefined
    if (warm !== undefined || spec.role !== 'container') {
      this.#startNow(replica, more, warm)
      return
    }
    this.#turns.take(replica, () => this.#startNow(replica, more), more.awaited === true)
  }

  /** Whether the process of a replica waits for its turn to start. */
  waits(replica: Replica): boolean {
    return this.#turns.waits(replica)
  }

  /** A replica that waits wants no process any more. */
  withdraw(replica: Replica): void {
    this.#turns.leave(replica)
  }

  #startNow(replica: Replica, more: FirstSettings, warm?: Warm): void {
    const { spec } = replica
    const id = warm?.process.id ?? this.#nextId++
    let member: Member
    try {
      const { frontDoor } = this
      const own = { frontDoor, ...this.#secretsOf(id, spec), ...(warm && { warmed: true }) }
      const told = { ...spec, settings: { ...spec.settings, ...more, ...own } }
      member = warm?.process.become(told) ?? this.#switchboard.start(id, told)
      if (warm !== undefined) Object.assign(warm.source, nameOf(replica))
    } catch (error) {
      // No descriptor is free, or no memory, or a secret is missing: it is tried again.
      this.#secrets.unmount(id)
      this.#turns.leave(replica)
      warm?.kill()
      this.#options.onEnded(
        { replica, member: { id, failure: undefined, peer: undefined } },
        unstarted(error),
      )
      return
    }
    const process = { replica, member }
    replica.member = member
    this.#byId.set(id, process)
    this.#options.onStarted(replica)
    this.#warm.delete(id)
    const { child } = member
    if (warm === undefined) this.#read(child, replica)
    else if (warm.publicKey !== undefined) this.present(process, warm.publicKey)
    const { log } = this.#options
    child.on('error', error => {
      if (child.pid === undefined) this.#ended(process, unstarted(error))
      else log.error({ err: error }, `${replica.name} cannot be reached`)
    })
    child.once(member.payload.end, (code: number | null, signal: string | null) =>
      this.#ended(process, signal ?? `exit code ${code}`),
    )
  }

  #read(child: ChildProcess, source: OutputSource): void {
    const { clock, output } = this.#options
    const read = readOutput(child, source, output.bytesPerSecond, clock, output.sink)
    this.#reading.add(read)
    void read.then(() => this.#reading.delete(read))
  }

  /** What a process is told of its secrets: a path, and never what is in them. @throws SecretError */
  #secretsOf(id: number, { name, settings, secrets }: MemberSpec): Partial<WorkerSettings> {
    if (secrets === undefined) return {}
    const secretsDirectory = this.#secrets.mount(id, name, secrets)
    const { environment } = settings as Partial<WorkerSettings>
    // As OpenFaaS's functions look for it.
    return { secretsDirectory, environment: { secret_mount_path: secretsDirectory, ...environment } }
  }

  tell(to: number, message: ControlMessage, descriptors: readonly Descriptor[] = []): void {
    const answer = ANSWERS[message.kind]
    const owed = this.#byId.get(to)?.member.owed
    if (answer !== undefined) owed?.set(answer, (owed.get(answer) ?? 0) + 1)
    this.#switchboard.channel.send(to, writeControl(message), descriptors)
  }

  /** A process has done what it may not. One that goes on is ended. */
  offends({ replica, member }: Process, what: string): void {
    const { log } = this.#options
    if (++member.offences <= TOLD) log.warn({ from: replica.name }, what)
    if (member.offences === OFFENCES) this.#end({ replica, member }, what)
  }

  /** Tells every process that is ready. @param except an id @param role only those of that role */
  tellAll(message: ControlMessage, except?: number, role?: Member['role']): void {
    for (const [id, { member }] of this.#byId)
      if (id !== except && member.peer !== undefined && (role === undefined || member.role === role))
        this.tell(id, message)
  }

  /** As {@link Introductions.present}. */
  present(process: Process, publicKey: Uint8Array): void {
    this.#introductions.present(process, publicKey)
  }

  /** As {@link Introductions.introduce}. */
  introduce(process: Process, publicKey: Uint8Array): boolean {
    this.#turns.leave(process.replica)
    return this.#introductions.introduce(process, publicKey)
  }

  /** The process of a replica, if there is one, is to go: nothing is offered to it any more. */
  leaveOut({ member }: Replica): void {
    if (member !== undefined) this.#introductions.leaveOut(member)
  }

  /**
   * Tells every process to end, and kills those that have not ended in time; the link last, since others say
   * their goodbyes through it. @param timeout milliseconds, for each of the two
   */
  async stop(timeout: number): Promise<void> {
    this.#warmPool.stop()
    this.#turns.stop()
    const links = this.all.filter(({ member }) => member.role === 'link')
    await this.#stopAll(
      this.all.filter(one => !links.includes(one)),
      timeout,
    )
    await this.#stopAll(links, timeout)
    await this.#cgroups.close()
    await Promise.all(this.#reading)
    this.#limits.stop()
    this.#switchboard.channel.close()
  }

  async #stopAll(processes: readonly Process[], timeout: number): Promise<void> {
    const running = processes.filter(
      ({ member: { child } }) => child.exitCode === null && child.signalCode === null,
    )
    const ended = running.map(({ member: { child } }) => new Promise(done => child.once('exit', done)))
    for (const { member } of running) this.tell(member.id, { kind: 'stop' })
    let timer: Timer | undefined
    const late = new Promise(resolve => {
      timer = this.#options.clock.after(timeout, () => resolve(undefined))
    })
    await Promise.race([Promise.all(ended), late])
    timer?.stop()
    for (const { member } of running) member.payload.kill()
    await Promise.all(ended)
  }

  #receive(from: number, payload: Uint8Array): void {
    const process = this.#byId.get(from)
    if (process === undefined) {
      this.#receiveFromWarm(this.#warm.get(from), payload)
      return
    }
    const message = decodeOrNot(payload, why => this.offends(process, `a malformed message: ${why}`))
    if (message === undefined) return
    const { role } = process.member
    const { kind } = message
    if (!mayReport(role, kind)) this.offends(process, `a message of kind ${kind} from a ${role}`)
    else if (kind === 'reaches' || kind === 'parted' || kind === 'retires')
      this.#introductions.far.heard(process.member, message)
    else if (UNASKED.has(kind) || owes(process.member, kind)) this.#options.onMessage(process, message)
    else this.offends(process, `an unrequested message of kind ${kind}`)
  }

  /** One that waits says its key once, and nothing else. */
  #receiveFromWarm(warm: Warm | undefined, payload: Uint8Array): void {
    if (warm === undefined) return
    const message = decodeOrNot(payload)
    if (message?.kind === 'present' && warm.publicKey === undefined)
      warm.publicKey = message.publicKey.slice()
    else warm.kill()
  }

  /** Nothing can be said to it any more, or a gateway cannot speak to it. It may be ending. */
  lost(id: number, reason: string): void {
    const process = this.#byId.get(id)
    if (process === undefined) return
    if (reason !== CLOSED) this.#end(process, reason)
    else {
      const end = () => this.#byId.get(id) === process && this.#end(process, reason)
      this.#options.clock.after(FAREWELL, end).unref()
    }
  }

  #end({ replica, member }: Process, why: string): void {
    this.#options.log.error({ child: member.payload.pid, why }, `${replica.name} is killed`)
    member.payload.kill(why)
  }

  /** What each container uses, and may use. */
  *#watched(): Iterable<Watched & Process> {
    for (const process of this.#byId.values()) {
      const { payload, spec } = process.member
      if (spec.confinement !== undefined) yield { ...process, payload, limits: spec.confinement.limits }
    }
  }

  #exceeds({ replica, member }: Process, why: string): void {
    this.#options.log.error({ child: member.payload.pid, why }, `${replica.name} is killed`)
    member.payload.killAll(why)
  }

  #ended(process: Process, how: string): void {
    const { replica, member } = process
    const { id } = member
    // One that could not be started closes its pipes, too.
    if (this.#byId.get(id) !== process) return
    // First what it said before its end.
    this.#switchboard.channel.forget(id)
    this.#byId.delete(id)
    this.#secrets.unmount(id)
    this.#turns.leave(replica)
    replica.member = undefined
    this.#introductions.gone(member)
    const why = member.payload.why ?? presumed(how, member.spec.confinement?.limits.memory)
    replica.lastEnd = why === undefined ? how : `${how}: ${why}`
    this.#options.onEnded(process, replica.lastEnd)
  }
}

/** @param failed is called if it is no message */
function decodeOrNot(payload: Uint8Array, failed?: (why: string) => void): ControlMessage | undefined {
  try {
    return decodeControl(payload)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    failed?.(error.message)
    return undefined
  }
}

/** Whether a process was asked for such an answer and has not given it; now it has. */
function owes({ owed }: Member, kind: ControlMessage['kind']): boolean {
  const count = owed.get(kind) ?? 0
  if (count > 0) owed.set(kind, count - 1)
  return count > 0
}

function unstarted(error: unknown): string {
  return `it cannot be started: ${(error as Error).message}`
}
