import { randomBytes } from 'node:crypto'
import type { GatewaySettings } from '../platform/gateway-settings.ts'
import type { Log } from '../platform/log.ts'
import type { Plan } from '../stack/plan.ts'
import { functionOf, type MemberSpec, named } from '../stack/spec.ts'
import type { Clock, Timer } from '../time/clock.ts'
import type { Channel } from '../transfer/channel.ts'
import type { ControlMessage, Peer } from '../transfer/control.ts'
import { COUNTERS } from './admin/metrics.ts'
import { Tally } from './admin/tally.ts'
import type { Controller } from './cgroups/hierarchy.ts'
import { type Change, Diary } from './diary.ts'
import { Expectations } from './expectations.ts'
import { Sentinel } from './liveness/sentinel.ts'
import { Loads } from './loads.ts'
import { Observatory } from './observatory/observatory.ts'
import { Pools } from './pools.ts'
import { type BoundPort, bindPorts, reachable } from './ports.ts'
import { type Ended, type FirstSettings, type OutputOptions, Processes } from './processes.ts'
import { Questions } from './questions.ts'
import { untilRehearsed } from './rehearsing.ts'
import { Reliefs } from './reliefs.ts'
import { Proving } from './reload/proving.ts'
import { Reloads } from './reload/reloads.ts'
import { Replacements } from './replacements.ts'
import { freeName, type Process, Replica } from './replica.ts'
import { Retiring, STOP_TIMEOUT, type Way } from './retiring.ts'
import { type Crew, RollOuts } from './roll-out.ts'
import { Sessions } from './sessions.ts'
import { Sleep } from './sleep/sleep.ts'
import { Start } from './start.ts'
import { type Counters, type MemberStatus, statusOf } from './status.ts'

/** What is to run, and how. */
export interface SupervisorOptions extends Plan {
  readonly channel: Channel['kind']
  /**
   * Milliseconds between two questions whether a process lives; of silence after which it is ended; the same
   * for one that shows that it works; and that a new one has to become ready.
   */
  readonly liveness: {
    readonly period: number
    readonly failure: number
    readonly busy: number
    readonly start: number
  }
  readonly output: OutputOptions
  readonly clock: Clock
  readonly log: Log
}

/** The ports that the gateway listens on. */
export interface Ports {
  readonly http: number
  readonly https: number
}

/**
 * The parent of the gateway and of every container. It makes their channels, introduces them to each other,
 * tells the others when one has ended, and starts it again. It holds the ports open, and sees neither clients
 * nor sessions.
 */
export class Supervisor {
  /** What processes have counted. */
  readonly tally = new Tally(COUNTERS)
  /** What authorities of the web are shown. */
  readonly proving = new Proving({
    tellGateways: message => this.#processes.tellAll(message, undefined, 'gateway'),
    heard: () => this.status(),
  })
  /** What pages are told of connections. */
  readonly observatory: Observatory
  /** Changes of containers: drain, deploy, scale. */
  readonly rollOuts: RollOuts
  /** Changes of all that runs: reload, deploy with other settings, another gateway. */
  readonly reloads: Reloads
  /** Connections, one by one. */
  readonly sessions: Sessions
  readonly #options: SupervisorOptions
  readonly #clock: Clock
  readonly #processes: Processes
  readonly #replicas = new Set<Replica>()
  readonly #diary: Diary
  readonly #questions: Questions
  readonly #replacements: Replacements
  readonly #reliefs: Reliefs
  readonly #retiring: Retiring
  readonly #pools: Pools
  readonly #sentinel: Sentinel
  readonly #expected: Expectations
  readonly #sleep: Sleep
  readonly #loads: Loads
  #heartbeat: Timer | undefined
  readonly #start: Start
  #bound: readonly BoundPort[] = []
  #stopping = false

  constructor(options: SupervisorOptions) {
    this.#options = options
    const { clock } = options
    this.#clock = clock
    this.#diary = new Diary(clock)
    this.#loads = new Loads(clock, loads => this.#processes.tellAll({ kind: 'loads', loads }))
    this.#questions = new Questions(clock, (id, message) => this.#processes.tell(id, message))
    this.#processes = new Processes({
      ...options,
      warmPool: () => this.reloads.plan.warmPool,
      onStarted: replica => this.#expected.started(replica),
      onMessage: (process, message) => this.#receive(process, message),
      onEnded: (process, how) => this.#ended(process, how),
    })
    this.#sentinel = new Sentinel({ ...options, processes: this.#processes })
    this.#expected = new Expectations(clock, options.liveness.start, this.#processes)
    this.#replacements = new Replacements(clock, options.log, replica => this.#processes.start(replica))
    const ask = (id: number): Promise<Counters> => this.#questions.status(id)
    this.#retiring = new Retiring({ processes: this.#processes, ask, clock, log: options.log })
    this.rollOuts = new RollOuts(this.#crew(), options.bounds)
    this.reloads = new Reloads(
      {
        replicas: this.#replicas,
        rollOuts: this.rollOuts,
        startGateway: spec => this.#startGateway(spec),
        startSigner: spec => void this.#add(spec),
        tellSigners: message => this.#processes.tellAll(message, undefined, 'signer'),
        retire: replica => this.#retire(replica),
        tellAll: message => this.#processes.tellAll(message),
        heard: () => this.status(),
      },
      options,
    )
    this.#reliefs = new Reliefs(clock, options.log, options.restart, replica =>
      this.#stopping ? Promise.resolve() : this.rollOuts.relieve(replica),
    )
    this.#sleep = new Sleep({
      ...options,
      idle: () => this.reloads.plan.idle,
      keeps: options.channel === 'native',
      replicas: () => this.#containers,
      look: ({ member }) => this.#look(member?.id),
      tellGateways: message => this.#processes.tellAll(message, undefined, 'gateway'),
      start: replica => this.#processes.start(replica, { awaited: true }),
      putToSleep: functionName => this.rollOuts.sleep(functionName),
    })
    this.#start = new Start({
      replicas: this.#replicas,
      failing: functionName => this.#sleep.failing(functionName),
    })
    this.#pools = new Pools({
      clock,
      log: options.log,
      containers: () => this.#containers,
      load: id => this.#loads.of(id),
      scale: (name, count) => this.rollOuts.scale(name, count),
    })
    this.sessions = new Sessions({
      replicas: () => this.#containers,
      far: () => this.far,
      list: id => this.#questions.list(id),
      move: (id, sessionId, target) => this.#questions.move(id, sessionId, target),
      reveal: (id, sessionId, target) => this.#questions.reveal(id, sessionId, target),
    })
    this.observatory = new Observatory({
      ...{ clock, tally: this.tally, containers: () => this.#places() },
      tell: (id, message) => this.#processes.tell(id, message),
      ...{ status: () => this.status(), connections: () => this.sessions.list() },
    })
  }

  /**
   * Starts everything. @returns the gateway's ports, once it listens, and each container is ready or has
   * failed for the first time ({@link Start}) @throws Error what the platform cannot do without has failed
   */
  async start(): Promise<Ports> {
    const { containers, gateway, signer, link, liveness } = this.#options
    const { host, http, https } = (gateway.settings as GatewaySettings).gateway
    const [bound, boundSecure] = await bindPorts(host, [
      { port: http, variable: 'HOTPOTATO_HTTP_PORT', key: 'gateway.http' },
      { port: https, variable: 'HOTPOTATO_HTTPS_PORT', key: 'gateway.https' },
    ])
    this.#bound = [bound!, boundSecure!]
    this.#processes.frontDoor = {
      host: reachable(host),
      port: bound!.port,
      mark: randomBytes(32).toString('base64url'),
    }
    const started = this.#start.over()
    this.#heartbeat = this.#clock.every(liveness.period, () => {
      this.#sentinel.look()
      this.#start.look()
      this.#pools.look(this.rollOuts.bounds)
    })
    // First: containers wait for what it keeps.
    for (const spec of [signer, link]) if (spec !== undefined) this.#add(spec)
    for (const spec of containers) this.#add(spec)
    this.#add(this.proving.specOf(gateway, this.#bound))
    await started
    this.#processes.warmPool.fill()
    return { http: bound!.port, https: boundSecure!.port }
  }

  /** Gives connections to other hosts, tells every process to end, and kills those that do not. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#heartbeat?.stop()
    this.#sleep.stop()
    this.#loads.stop()
    for (const replica of this.#replicas) this.#replacements.giveUp(replica)
    for (const port of this.#bound) port.close()
    await this.rollOuts.drainAll()
    await this.#processes.stop(STOP_TIMEOUT)
  }

  /** It is stopping, and connections that have not left for other hosts end now. */
  hurry(): void {
    this.#retiring.hurry()
  }

  /** Containers of other hosts that can be offered connections. */
  get far(): readonly Peer[] {
    return this.#processes.far
  }

  /** Starts a gateway on the same ports, and waits until it accepts. */
  async #startGateway(spec: MemberSpec): Promise<Replica> {
    const next = this.#add(this.proving.specOf(spec, this.#bound))
    await this.#expected.untilReady(next).catch((error: unknown) => {
      this.#abandon(next)
      throw error
    })
    return next
  }

  /** What the kernel holds for containers, by cgroups of ours. */
  get held(): ReadonlySet<Controller> {
    return this.#processes.held
  }

  /** What has become of the replicas lately, the oldest first. */
  get changes(): readonly Change[] {
    return this.#diary.changes
  }

  /** What runs, and what it has done. */
  async status(): Promise<MemberStatus[]> {
    return Promise.all([...this.#replicas].map(replica => this.#statusOf(replica)))
  }

  async #statusOf(replica: Replica): Promise<MemberStatus> {
    // A process that is still starting has nothing to tell, and may take its time to say so.
    const { member } = replica
    const asked = member !== undefined && member.peer !== undefined
    return statusOf(replica, asked ? await this.#questions.status(member.id) : {}, this.#clock.steady())
  }

  get #containers(): Replica[] {
    return [...this.#replicas].filter(({ functionName }) => functionName !== '')
  }

  /** Containers that can work, by the ids of their processes. */
  #places(): Map<number, Replica> {
    const ready = this.#containers.filter(({ member }) => member?.peer !== undefined)
    return new Map(ready.map(replica => [replica.member!.id, replica]))
  }

  /** What a process has counted; undefined once it has ended. */
  async #look(id: number | undefined): Promise<Counters | undefined> {
    if (id === undefined || this.#processes.get(id) === undefined) return undefined
    return this.#questions.status(id)
  }

  #crew(): Crew {
    const clock = this.#clock
    const containers = (): Replica[] => this.#containers
    return {
      get containers() {
        return containers()
      },
      isElsewhere: name => this.far.some(({ functionName }) => functionName === name),
      specOf: functionName => this.reloads.plan.specs.get(functionName),
      start: spec => this.#startAnother(spec),
      untilReady: replica => this.#expected.untilReady(replica),
      untilRehearsed: ({ member }, report) =>
        untilRehearsed({
          ...this.reloads.plan.rehearsals,
          look: () => this.#look(member?.id),
          report,
          clock,
        }),
      layDown: replica => this.#layDown(replica),
      wake: functionName => this.#sleep.wake(functionName),
      leaveOut: replica => this.#leaveOut(replica),
      retire: (replica, report, how) => this.#retire(replica, report, how),
    }
  }

  /** Another container, under a name that is free. */
  #startAnother(spec: MemberSpec): Replica {
    const functionName = functionOf(spec)
    // A roll-out has the time that a start has not.
    const followsCalls = this.#reliefs.knows(functionName)
    const first = { rehearsesAtOnce: this.reloads.plan.rehearsals.limit, followsCalls }
    return this.#add(named(spec, freeName(functionName, this.#replicas)), first)
  }

  /** Another place like that one, without a process. */
  #layDown({ spec, functionName }: Replica): Replica {
    const name = freeName(functionName, this.#replicas)
    const asleep = new Replica(named(spec, name), this.reloads.plan.restart, this.#diary, 'asleep')
    this.#replicas.add(asleep)
    this.#sleep.asleep(functionName)
    return asleep
  }

  #abandon(replica: Replica): void {
    replica.life.drain()
    if (replica.member === undefined) this.#remove(replica)
    else replica.member.payload.kill()
  }

  #leaveOut(replica: Replica): void {
    replica.life.drain()
    this.#processes.leaveOut(replica)
  }

  async #retire(replica: Replica, report?: (left: number) => void, how: Way = 'drain'): Promise<number> {
    replica.life.drain()
    const { member } = replica
    // It may have connections already, that a gateway had kept.
    if (member?.peer === undefined && (member?.early?.size ?? 0) > 0)
      await this.#expected.untilReady(replica).catch(() => undefined)
    if (member?.peer !== undefined) return this.#retiring.retire(member, how, report)
    const ended = member && new Promise(resolve => member.child.once('exit', resolve).once('error', resolve))
    this.#abandon(replica)
    await ended
    return 0
  }

  /** @param first what its first process is told besides */
  #add(spec: MemberSpec, first?: FirstSettings): Replica {
    const replica = new Replica(spec, this.reloads.plan.restart, this.#diary)
    this.#replicas.add(replica)
    this.#processes.start(replica, first)
    return replica
  }

  #remove(replica: Replica): void {
    this.#replacements.giveUp(replica)
    this.#processes.withdraw(replica)
    this.#expected.settle(replica, new Error(`${replica.name} is not to run any more`))
    this.#replicas.delete(replica)
  }

  #receive(process: Process, message: ControlMessage): void {
    const { replica, member } = process
    const from = member.id
    if (member.peer !== undefined) this.#sentinel.heard(from)
    switch (message.kind) {
      case 'present':
        this.#processes.present(process, message.publicKey)
        return
      case 'ready':
        if (this.#processes.introduce(process, message.publicKey)) this.#ready(process)
        return
      case 'failed':
        if (member.failure !== undefined || member.peer !== undefined) {
          this.#processes.offends(process, 'it reported that it cannot start after it had started')
          return
        }
        member.failure = message.reason
        this.#failed(replica, message.reason)
        return
      case 'status':
        this.#heard(from, Object.fromEntries(message.counters.map(({ name, value }) => [name, value])))
        return
      case 'connections':
      case 'moved':
      case 'revealed':
        this.#questions.answered(from, message)
        return
      case 'sights':
        this.observatory.heard(replica, message.sights, message.missed)
        return
      case 'leaving':
        this.#relieve(replica)
        return
      case 'wake':
        this.#sleep.wake(message.functionName)
        return
      case 'unreachable':
        this.#processes.lost(message.id, message.reason)
    }
  }

  /** A process can work, and knows all others. */
  #ready({ replica, member }: Process): void {
    this.#sentinel.heard(member.id)
    const { news } = this.reloads
    if (news !== undefined) this.#processes.tell(member.id, news)
    if (member.role === 'gateway') this.#processes.tell(member.id, this.proving.news)
    replica.life.ready(this.#clock.steady())
    this.observatory.ready(member.id)
    replica.settled = true
    replica.broken = undefined
    this.#options.log.info({ child: member.payload.pid }, `${replica.name} is ready`)
    this.#sleep.ready(replica)
    this.#expected.settle(replica)
    this.#start.look()
  }

  #heard(from: number, counters: Counters): void {
    this.#questions.told(from, counters)
    const { connections, uncaught = 0 } = counters
    const replica = this.#processes.get(from)?.replica
    if (replica !== undefined) this.tally.heard(from, replica, counters)
    if (connections === undefined || replica === undefined || replica.functionName === '') return
    if (uncaught > 0) this.#reliefs.wanted(replica, uncaught)
    this.#loads.heard(from, connections)
  }

  /** A signal has told the gateway to end. */
  #relieve(replica: Replica): void {
    if (this.#stopping || this.reloads.relieving || !replica.life.stays) return
    this.#options.log.info('the gateway was told to end; a new one takes its place')
    this.reloads.relieveGateway().catch((error: Error) => this.#options.log.error(error.message))
  }

  #failed(replica: Replica, reason: string): void {
    const broken = !this.#start.isOurs(replica)
    this.#options.log.error({ broken }, `${replica.name} cannot start: ${reason}`)
    this.#expected.settle(replica, new Error(reason))
    this.#start.failed(replica, reason)
  }

  #ended({ replica, member }: Ended, how: string): void {
    const { id, failure, peer } = member
    this.#sentinel.forget(id)
    this.#loads.forget(id)
    this.tally.ended(id)
    this.#questions.forget(id)
    if (this.#stopping) return
    this.#expected.settle(replica, new Error(`${replica.name} ended (${how})`))
    const followed = this.#replacements.ended(replica, how, failure)
    this.#sleep.ended(replica)
    if (!followed) this.#remove(replica)
    else if (failure === undefined && peer === undefined)
      this.#start.failed(replica, `${replica.name} ended (${how}) before it was ready; its log says why`)
  }
}
