import type { Log } from '../containers/handler.ts'
import { SUPERVISOR } from '../containers/membership.ts'
import type { Channel } from '../transfer/channel.ts'
import { type ControlMessage, decodeControl, encodeControl, type Peer } from '../transfer/control.ts'
import { DecodeError } from '../wire/index.ts'
import { Liveness } from './liveness.ts'
import { type Member, type MemberSpec, openSwitchboard, type Switchboard } from './member.ts'

/** Milliseconds before a process that ended is started again: the first time, and at most. */
const BACK_OFF = { first: 100, most: 10_000 } as const
/** Milliseconds after which a process counts as healthy, so that the next restart is quick again. */
const HEALTHY_AFTER = 10_000
/** Milliseconds for a process to end by itself. */
const STOP_TIMEOUT = 3000
/** Milliseconds for an answer to a status request. */
const STATUS_TIMEOUT = 1000

export interface SupervisorOptions {
  readonly gateway: MemberSpec
  readonly containers: readonly MemberSpec[]
  readonly channel: Channel['kind']
  /** Milliseconds between two questions whether a process lives, and of silence after which it is ended. */
  readonly liveness: { readonly period: number; readonly failure: number }
  /** Where the processes write what they log: an open descriptor. */
  readonly logDescriptor: number
  readonly log: Log
}

/** The ports that the gateway listens on. */
export interface Ports {
  readonly http: number
  readonly https: number
}

/** One process, as `status` shows it. */
export interface MemberStatus {
  readonly name: string
  readonly id: number
  readonly pid: number | undefined
  readonly role: 'gateway' | 'container'
  readonly ready: boolean
  readonly restarts: number
  readonly counters: Readonly<Record<string, number>>
}

interface Asked {
  readonly answer: Promise<Readonly<Record<string, number>>>
  readonly resolve: (counters: Readonly<Record<string, number>>) => void
}

/** What is known of a name across restarts. */
interface History {
  restarts: number
  delay: number
}

/** What became of connections that were to move. */
export interface RollOut {
  /** Names of new containers. */
  readonly started?: readonly string[]
  /** Names of containers that are no more. */
  readonly ended: readonly string[]
  /** Connections that went on in other containers. */
  readonly moved: number
}

/** Milliseconds that a new container has to become ready, and connections to leave an old one; and between two looks at that. */
const START_TIMEOUT = 20_000
const DRAIN_TIMEOUT = 30_000
const DRAIN_POLL = 20

/**
 * The parent of the gateway and of every container. It makes their channels, introduces them to each other, tells everybody
 * when one has ended, and starts it again. It sees neither clients nor sessions.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #switchboard: Switchboard
  readonly #members = new Map<number, Member>()
  readonly #history = new Map<string, History>()
  readonly #timers = new Set<NodeJS.Timeout>()
  /** Members that are to end, and are not started again. */
  readonly #retired = new Set<number>()
  /** Members that somebody waits for to be ready. */
  readonly #expected = new Map<number, (error?: Error) => void>()
  /** Processes that have been asked for their status and have not answered yet. */
  readonly #asked = new Map<number, Asked>()
  readonly #liveness: Liveness
  #ports: Ports | undefined
  #nextId = SUPERVISOR + 1
  #stopping = false
  #started: { resolve: (ports: Ports) => void; reject: (error: Error) => void } | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#liveness = new Liveness({ ...options.liveness, now: () => performance.now() })
    this.#switchboard = openSwitchboard(SUPERVISOR, options.channel)
    this.#switchboard.channel.onMessage = (from, payload, descriptors) => {
      for (const descriptor of descriptors) descriptor.close()
      this.#receive(from, payload)
    }
  }

  /** Starts everything. @returns the gateway's ports, once it listens and all containers are ready @throws Error what failed */
  start(): Promise<Ports> {
    const { containers, gateway } = this.#options
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject }
      const timer = setInterval(() => this.#checkLiveness(), this.#options.liveness.period)
      this.#timers.add(timer)
      for (const spec of containers) this.#start(spec)
      this.#start(gateway)
    })
  }

  /** Tells everybody to say goodbye, and ends who does not. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const timer of this.#timers) clearTimeout(timer)
    const members = [...this.#members.values()]
    const ended = members.map(({ child }) =>
      child.exitCode !== null || child.signalCode !== null
        ? undefined
        : new Promise(resolve => child.once('exit', resolve)),
    )
    for (const { id } of members) this.#tell(id, { kind: 'stop' })
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise(resolve => {
      timer = setTimeout(resolve, STOP_TIMEOUT)
    })
    await Promise.race([Promise.all(ended), timeout])
    clearTimeout(timer)
    for (const { child } of this.#members.values()) child.kill('SIGKILL')
    await Promise.all(ended)
    this.#switchboard.channel.close()
  }

  /**
   * Moves all connections of a container to others of its function, then ends it for good.
   * @throws Error there is no such container, or no other one of its function that is ready
   */
  async drain(name: string): Promise<RollOut> {
    const member = [...this.#members.values()].find(({ spec }) => spec.name === name)
    if (member === undefined || member.spec === this.#options.gateway) {
      const names = this.#containers.map(one => one.spec.name)
      throw new Error(`there is no container ${name}; there are ${names.join(', ')}`)
    }
    const others = this.#containers.filter(
      one =>
        one !== member &&
        one.peer !== undefined &&
        functionOf(one) === functionOf(member) &&
        !this.#retired.has(one.id),
    )
    if (others.length === 0)
      throw new Error(
        `${name} is the only container of ${functionOf(member)}: nobody could take its connections`,
      )
    return { ended: [name], moved: await this.#retire(member) }
  }

  /**
   * Starts as many new containers of a function as it has, waits until they are ready, and drains the old ones.
   * @throws Error there is no such function, or the new ones do not start: then the old ones go on
   */
  async deploy(functionName: string): Promise<RollOut> {
    const old = this.#containers.filter(one => functionOf(one) === functionName && !this.#retired.has(one.id))
    if (old.length === 0) throw new Error(`there is no function ${functionName}`)
    const started: Member[] = []
    try {
      for (const one of old) started.push(this.#startOneMore(one))
      await Promise.all(started.map(one => this.#untilReady(one)))
    } catch (error) {
      for (const one of started) {
        this.#retired.add(one.id)
        one.child.kill('SIGKILL')
      }
      throw new Error(`the new containers do not start, the old ones go on: ${(error as Error).message}`)
    }
    return this.#rolledOut(started, old)
  }

  /**
   * Starts containers of a function, or drains the newest, until there are so many.
   * @param count at least 1 @throws Error there is no such function, or new containers do not start
   */
  async scale(functionName: string, count: number): Promise<RollOut> {
    const there = this.#containers.filter(
      one => functionOf(one) === functionName && !this.#retired.has(one.id),
    )
    const [first] = there
    if (first === undefined) throw new Error(`there is no function ${functionName}`)
    const started: Member[] = []
    for (let left = count - there.length; left > 0; left--) started.push(this.#startOneMore(first))
    await Promise.all(started.map(one => this.#untilReady(one)))
    return this.#rolledOut(started, there.slice(count).reverse())
  }

  async #rolledOut(started: readonly Member[], old: readonly Member[]): Promise<RollOut> {
    const namesOf = (members: readonly Member[]): string[] => members.map(({ spec }) => spec.name)
    let moved = 0
    // One after the other: of two that drain at a time one could be offered what the other has to give away.
    for (const one of old) moved += await this.#retire(one)
    return { started: namesOf(started), ended: namesOf(old), moved }
  }

  #startOneMore({ spec }: Member): Member {
    const name = this.#freeName(functionOf({ spec }))
    return this.#start({ ...spec, name, settings: { ...spec.settings, name } })
  }

  get #containers(): Member[] {
    return [...this.#members.values()].filter(({ spec }) => spec !== this.#options.gateway)
  }

  #freeName(functionName: string): string {
    const taken = new Set([...this.#members.values()].map(({ spec }) => spec.name))
    for (let number = 1; ; number++) {
      const name = `${functionName}-${number}`
      if (!taken.has(name)) return name
    }
  }

  #untilReady({ id, spec }: Member): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#expected.delete(id)
        reject(new Error(`${spec.name} is not ready in time`))
      }, START_TIMEOUT)
      const settle = (error?: Error): void => {
        clearTimeout(timer)
        this.#expected.delete(id)
        if (error === undefined) resolve()
        else reject(error)
      }
      this.#expected.set(id, settle)
    })
  }

  /** Lets a container's connections move away, and ends it. @returns how many moved */
  async #retire(member: Member): Promise<number> {
    const { id, child, spec } = member
    this.#retired.add(id)
    const before = (await this.#counters(id)).moved ?? 0
    const ended = new Promise(resolve => child.once('exit', resolve))
    this.#tell(id, { kind: 'drain' })
    let counters = await this.#counters(id)
    const end = Date.now() + DRAIN_TIMEOUT
    while (
      this.#members.has(id) &&
      (counters.connections !== 0 || counters.inCustody !== 0) &&
      Date.now() < end
    ) {
      await new Promise(resolve => setTimeout(resolve, DRAIN_POLL))
      counters = { ...counters, ...(await this.#counters(id)) }
    }
    this.#options.log.info({ left: counters.connections }, `${spec.name} is drained`)
    this.#tell(id, { kind: 'stop' })
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT)
    await ended
    clearTimeout(timer)
    return (counters.moved ?? 0) - before
  }

  /** What runs, and what it has done. */
  async status(): Promise<MemberStatus[]> {
    return Promise.all([...this.#members.values()].map(member => this.#memberStatus(member)))
  }

  async #memberStatus({ id, spec, child, peer }: Member): Promise<MemberStatus> {
    const counters = await this.#counters(id)
    return {
      name: spec.name,
      id,
      pid: child.pid,
      role: spec === this.#options.gateway ? 'gateway' : 'container',
      ready: peer !== undefined,
      restarts: this.#history.get(spec.name)?.restarts ?? 0,
      counters,
    }
  }

  /** Asks a process; whoever asks meanwhile gets the same answer. */
  #counters(id: number): Promise<Readonly<Record<string, number>>> {
    const asked = this.#asked.get(id)
    if (asked !== undefined) return asked.answer
    let resolve: (counters: Readonly<Record<string, number>>) => void = () => {}
    const answer = new Promise<Readonly<Record<string, number>>>(settle => {
      resolve = settle
    })
    const timer = setTimeout(() => resolve({}), STATUS_TIMEOUT)
    this.#asked.set(id, { answer, resolve })
    this.#tell(id, { kind: 'statusRequest' })
    return answer.finally(() => {
      clearTimeout(timer)
      this.#asked.delete(id)
    })
  }

  #start(spec: MemberSpec): Member {
    const id = this.#nextId++
    const member = this.#switchboard.start(id, spec, this.#options.logDescriptor)
    this.#members.set(id, member)
    const { child } = member
    child.on('error', error => this.#options.log.error({ err: error }, `${spec.name} cannot be started`))
    child.once('exit', (code, signal) => this.#ended(member, signal ?? `exit code ${code}`))
    return member
  }

  /** @param introduced whose inbox goes along */
  #tell(to: number, message: ControlMessage, introduced?: Member): void {
    const token = this.#members.get(to)?.token
    this.#switchboard.channel.send(to, encodeControl(message, token), introduced?.ends ?? [])
  }

  #receive(from: number, payload: Uint8Array): void {
    const member = this.#members.get(from)
    if (member === undefined) return
    let message: ControlMessage
    try {
      message = decodeControl(payload, member.token)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#options.log.warn(
        { from: member.spec.name, reason: error.message },
        'a message that makes no sense',
      )
      return
    }
    if (member.peer !== undefined) this.#liveness.heard(from)
    switch (message.kind) {
      case 'ready':
        this.#ready(member, message.peer)
        return
      case 'listening':
        this.#ports = { http: message.http, https: message.https }
        return
      case 'failed':
        member.failure = message.reason
        this.#failed(member)
        return
      case 'status':
        this.#asked
          .get(from)
          ?.resolve(Object.fromEntries(message.counters.map(({ name, value }) => [name, value])))
    }
  }

  /** Introduces a process to all others, and all others to it. */
  #ready(member: Member, peer: Peer): void {
    // Nobody becomes somebody else by saying so.
    member.peer = { ...peer, id: member.id, name: member.spec.name }
    this.#liveness.heard(member.id)
    for (const other of this.#members.values()) {
      if (other === member || other.peer === undefined) continue
      // The newcomer first: when the others hear of it, it knows them already.
      this.#tell(member.id, { kind: 'introduce', peer: other.peer }, other)
      this.#tell(other.id, { kind: 'introduce', peer: member.peer }, member)
    }
    this.#options.log.info({ pid: member.child.pid }, `${member.spec.name} is ready`)
    this.#expected.get(member.id)?.()
    this.#checkStarted()
  }

  /** A process whose event loop stands still is killed, and started again like one that has crashed. */
  #checkLiveness(): void {
    const { ask, hung } = this.#liveness.look()
    for (const id of ask) this.#tell(id, { kind: 'statusRequest' })
    for (const id of hung) {
      const member = this.#members.get(id)
      this.#liveness.forget(id)
      this.#options.log.error({ pid: member?.child.pid }, `${member?.spec.name} hangs; it is killed`)
      member?.child.kill('SIGKILL')
    }
  }

  #checkStarted(): void {
    const all = this.#options.containers.length + 1
    const ready = [...this.#members.values()].filter(({ peer }) => peer !== undefined).length
    if (this.#started === undefined || this.#ports === undefined || ready < all) return
    this.#started.resolve(this.#ports)
    this.#started = undefined
  }

  #failed({ id, spec, failure }: Member): void {
    this.#options.log.error(`${spec.name} cannot start: ${failure}`)
    this.#expected.get(id)?.(new Error(failure))
    this.#started?.reject(new Error(failure))
    this.#started = undefined
  }

  #ended(member: Member, how: string): void {
    const { id, spec, startedAt, failure } = member
    this.#members.delete(id)
    this.#liveness.forget(id)
    this.#switchboard.channel.forget(id)
    if (this.#stopping) return
    for (const other of this.#members.values()) {
      if (member.peer !== undefined && other.peer !== undefined) this.#tell(other.id, { kind: 'gone', id })
    }
    this.#expected.get(id)?.(new Error(`${spec.name} ended (${how})`))
    if (this.#retired.delete(id)) {
      this.#options.log.info({ how }, `${spec.name} ended for good`)
      return
    }
    const history = this.#history.get(spec.name) ?? { restarts: 0, delay: BACK_OFF.first }
    if (Date.now() - startedAt > HEALTHY_AFTER) history.delay = BACK_OFF.first
    // Those that end together need not start together.
    const delay = Math.round(history.delay * (0.5 + Math.random() / 2))
    this.#history.set(spec.name, {
      restarts: history.restarts + 1,
      delay: Math.min(history.delay * 2, BACK_OFF.most),
    })
    this.#options.log.warn({ how, failure, delay }, `${spec.name} ended; it is started again`)
    if (failure === undefined)
      this.#started?.reject(new Error(`${spec.name} ended (${how}) before it was ready; its log says why`))
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#start(this.#again(spec))
    }, delay)
    this.#timers.add(timer)
  }

  /** A gateway that was given any free port takes the same one again. */
  #again(spec: MemberSpec): MemberSpec {
    if (spec !== this.#options.gateway || this.#ports === undefined) return spec
    const settings = spec.settings as MemberSpec['settings'] & { gateway: object }
    Object.assign(settings.gateway, this.#ports)
    return spec
  }
}

/** The function that a container serves; empty for the gateway. */
function functionOf({ spec }: Pick<Member, 'spec'>): string {
  return (spec.settings as { readonly functionName?: string }).functionName ?? ''
}
