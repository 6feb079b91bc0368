import type { Log } from '../containers/handler.ts'
import { SUPERVISOR } from '../containers/membership.ts'
import type { WorkerSettings } from '../containers/worker-settings.ts'
import type { Channel } from '../transfer/channel.ts'
import { type ControlMessage, decodeControl, encodeControl, type Peer } from '../transfer/control.ts'
import { DecodeError } from '../wire/index.ts'
import { type LogSink, readOutput } from './child-output.ts'
import { type Member, openSwitchboard, type Switchboard } from './member.ts'
import type { Replica } from './replica.ts'

/** What becomes of what the processes write on standard output and error, their logs and crashes among it. */
export interface OutputOptions {
  readonly sink: LogSink
  /** Of one process, in the long run; one that writes more is slowed, and drops what does not fit. */
  readonly bytesPerSecond: number
}

export interface ProcessesOptions {
  readonly channel: Channel['kind']
  readonly output: OutputOptions
  readonly log: Log
  readonly onMessage: (process: Process, message: ControlMessage) => void
  /** It is forgotten already. @param how as `SIGKILL` or `exit code 1`, or why it could not be started */
  readonly onEnded: (ended: Ended, how: string) => void
}

/** What only the first process of a replica is told. */
export type FirstSettings = Pick<WorkerSettings, 'rehearsesFirst'>

/** A process, and the replica that it fills. */
export interface Process {
  readonly replica: Replica
  readonly member: Member
}

/** A process that has ended, or that could not be started at all. */
export interface Ended {
  readonly replica: Replica
  readonly member: Pick<Member, 'id' | 'failure'>
}

/** The processes that the supervisor has started and that have not ended, and what is said to them and between them. */
export class Processes {
  readonly #options: ProcessesOptions
  readonly #switchboard: Switchboard
  readonly #byId = new Map<number, Process>()
  /** What is still read of the output of processes, also of those that have ended. */
  readonly #reading = new Set<Promise<void>>()
  #nextId = SUPERVISOR + 1

  constructor(options: ProcessesOptions) {
    this.#options = options
    this.#switchboard = openSwitchboard(SUPERVISOR, options.channel)
    this.#switchboard.channel.onMessage = (from, payload, descriptors) => {
      for (const descriptor of descriptors) descriptor.close()
      this.#receive(from, payload)
    }
  }

  get all(): readonly Process[] {
    return [...this.#byId.values()]
  }

  get(id: number): Process | undefined {
    return this.#byId.get(id)
  }

  /** Starts one for a replica. @param more settings for this process alone */
  start(replica: Replica, more: FirstSettings = {}): void {
    const id = this.#nextId++
    const { spec } = replica
    const told = { ...spec, settings: { ...spec.settings, ...more } }
    let member: Member
    try {
      member = this.#switchboard.start(id, told)
    } catch (error) {
      // No descriptor is free, or no memory: it is tried again.
      this.#options.onEnded({ replica, member: { id, failure: undefined } }, unstarted(error))
      return
    }
    const process = { replica, member }
    replica.member = member
    this.#byId.set(id, process)
    const { child } = member
    const { log, output } = this.#options
    const read = readOutput(child, replica, output.bytesPerSecond, output.sink)
    this.#reading.add(read)
    void read.then(() => this.#reading.delete(read))
    child.on('error', error => {
      if (child.pid === undefined) this.#ended(process, unstarted(error))
      else log.error({ err: error }, `${replica.name} cannot be reached`)
    })
    child.once('exit', (code, signal) => this.#ended(process, signal ?? `exit code ${code}`))
  }

  /** @param introduced whose inbox goes along */
  tell(to: number, message: ControlMessage, introduced?: Member): void {
    const token = this.#byId.get(to)?.member.token
    this.#switchboard.channel.send(to, encodeControl(message, token), introduced?.ends ?? [])
  }

  /** Tells everybody who can work. @param except an id */
  tellAll(message: ControlMessage, except?: number): void {
    for (const [id, { member }] of this.#byId)
      if (id !== except && member.peer !== undefined) this.tell(id, message)
  }

  /** Introduces a process to all others that can work, and them to it. */
  introduce(member: Member, peer: Peer): void {
    member.peer = peer
    for (const { replica, member: other } of this.#byId.values()) {
      if (other === member || other.peer === undefined) continue
      // The newcomer first: when the others hear of it, it knows them already.
      this.tell(member.id, { kind: 'introduce', peer: other.peer }, other)
      if (!replica.life.stays) this.tell(member.id, { kind: 'draining', id: other.id })
      this.tell(other.id, { kind: 'introduce', peer }, member)
    }
  }

  /** Tells everybody to say goodbye, and kills who has not ended in time. @param timeout milliseconds */
  async stop(timeout: number): Promise<void> {
    const ended = this.all.map(({ member: { child } }) =>
      child.exitCode !== null || child.signalCode !== null
        ? undefined
        : new Promise(resolve => child.once('exit', resolve)),
    )
    for (const id of this.#byId.keys()) this.tell(id, { kind: 'stop' })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise(resolve => {
      timer = setTimeout(resolve, timeout)
    })
    await Promise.race([Promise.all(ended), late])
    clearTimeout(timer)
    for (const { member } of this.#byId.values()) member.child.kill('SIGKILL')
    await Promise.all(ended)
    await Promise.all(this.#reading)
    this.#switchboard.channel.close()
  }

  #receive(from: number, payload: Uint8Array): void {
    const process = this.#byId.get(from)
    if (process === undefined) return
    let message: ControlMessage
    try {
      message = decodeControl(payload, process.member.token)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      const { name } = process.replica
      this.#options.log.warn({ from: name, reason: error.message }, 'a message that makes no sense')
      return
    }
    this.#options.onMessage(process, message)
  }

  #ended(process: Process, how: string): void {
    const { replica, member } = process
    const { id } = member
    this.#byId.delete(id)
    replica.member = undefined
    this.#switchboard.channel.forget(id)
    if (member.peer !== undefined) this.tellAll({ kind: 'gone', id })
    this.#options.onEnded(process, how)
  }
}

function unstarted(error: unknown): string {
  return `it cannot be started: ${(error as Error).message}`
}
