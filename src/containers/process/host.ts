import type { Environment } from '../../functions/contract.ts'
import type { FunctionModule } from '../../functions/module.ts'
import type { Secrets } from '../../functions/secrets.ts'
import { noneExceeded } from '../../http/h2/index.ts'
import { MemoryBudget } from '../../http/memory-budget.ts'
import type { Log } from '../../platform/log.ts'
import { ownerOfPath, type PathOwner } from '../../platform/path.ts'
import type { Retries } from '../../platform/retries.ts'
import type { Roster } from '../../platform/roster.ts'
import { Routes } from '../../platform/routes.ts'
import type { RouteTable } from '../../platform/routing/route-table.ts'
import type { Clock } from '../../time/clock.ts'
import type { Answer, Question, ServerConfig } from '../../tls13/index.ts'
import type { CheckpointSealer } from '../../transfer/checkpoint.ts'
import type { Arrival } from '../../transfer/consignments/consignments.ts'
import type { Return } from '../../transfer/consignments/return.ts'
import { type ConnectionDescription, isFar, type Loads, type Peer } from '../../transfer/control.ts'
import type { Courier } from '../../transfer/courier.ts'
import type { Release } from '../../transfer/custody.ts'
import type { Hibernated } from '../../transfer/hibernated.ts'
import type { TakeOver } from '../../transfer/leg.ts'
import type { LoanAnswer, LoanRequest } from '../../transfer/loans/loan.ts'
import { lendInTime, lendOnward } from '../../transfer/loans/onward.ts'
import type { Parcel } from '../../transfer/parcel.ts'
import type { SealAssociated } from '../../transfer/seal.ts'
import type { Descriptor } from '../../transfer/stream.ts'
import { LOOP } from '../../transport/turn.ts'
import type { Connection } from '../connection/connection.ts'
import type {
  ConnectionEnd,
  ConnectionHost,
  ConnectionLimits,
  Frozen,
  OfferedTo,
} from '../connection/connection-host.ts'
import { objection } from '../move/admission.ts'
import { MoveOrder, type MoveReport } from '../move/move-order.ts'
import { Offering } from '../move/offering.ts'
import { type Revelation, revealed } from '../move/revelation.ts'
import { type Seat, Seats, vacate } from '../move/seats.ts'
import type { AccessLog } from '../protocol/access-log.ts'
import { borrowed } from '../protocol/borrowed.ts'
import { Traffic } from '../protocol/traffic.ts'
import { Resting } from '../survival/resting.ts'
import { SlotFiles } from '../survival/slot-files.ts'
import { Upstreams } from '../upstream/upstreams.ts'
import { followed } from '../watch/followed.ts'
import { Lookout } from '../watch/lookout.ts'
import { noneCounted } from './counters.ts'
import type { HostOptions } from './host-options.ts'
import { keepsAwake } from './idleness.ts'
import type { KeyRing } from './key-ring.ts'
import { Leavers } from './leavers.ts'
import { Neighbours } from './neighbours.ts'
import { Reception } from './reception.ts'
import { Residents } from './residents.ts'
import type { Signing } from './signing.ts'

/** Connections that are listed at most: they have to fit into one message. */
const LISTED = 50_000

/** The connections that live in one container: they arrive as parcels, and leave as parcels or end. */
export class Host implements ConnectionHost<Connection> {
  readonly container: string
  readonly functionName: string
  functionNames: ReadonlySet<string>
  readonly module: FunctionModule
  readonly environment: Environment
  readonly secrets: Secrets | undefined
  readonly tls: ServerConfig
  readonly limits: ConnectionLimits
  readonly clock: Clock
  readonly log: Log
  readonly keyRing: KeyRing
  readonly signing: Signing | undefined
  readonly checkpoints: CheckpointSealer
  readonly exceeded = noneExceeded()
  readonly memory: MemoryBudget
  readonly slots = new SlotFiles()
  readonly loop = LOOP
  readonly upstreams: Upstreams
  readonly lookout: Lookout
  readonly counters = noneCounted()
  readonly traffic: Traffic
  readonly accessLog: AccessLog | undefined
  readonly queueMark: string | undefined
  #retries: ReadonlyMap<string, Retries>
  #routes: Routes
  readonly #connections = new Residents<Connection>()
  /** Of connections that have gone to containers of {@link HostOptions.warm}. */
  readonly #seats: Seats
  readonly #warm: ReadonlySet<string>
  readonly #teach: boolean
  readonly #reception: Reception
  readonly #work = new Set<Promise<unknown>>()
  readonly #neighbours: Neighbours
  readonly resting: Resting
  #draining = false
  readonly #leavers: Leavers
  /** The means to send parcels, once it is connected. */
  courier: Courier | undefined

  constructor(options: HostOptions) {
    this.container = options.container
    this.functionName = options.functionName
    this.functionNames = options.functionNames
    this.module = options.module
    this.environment = options.environment
    this.secrets = options.secrets
    const { tls } = options
    // What protocols keep of what has come, they copy. A copy of the configuration is an object of another
    // shape the first time that one is made.
    this.tls = tls.sharesMemory === true ? tls : { ...tls, sharesMemory: true }
    this.limits = options.limits
    this.clock = options.clock
    this.log = options.log
    this.keyRing = options.keyRing
    this.signing = options.signing
    this.memory = new MemoryBudget(options.memoryBytes)
    this.traffic = new Traffic(options.maxInflight)
    ;({ accessLog: this.accessLog, queueMark: this.queueMark } = options)
    this.upstreams = new Upstreams(options.clock)
    this.lookout = new Lookout(options.clock)
    this.checkpoints = options.keyRing.checkpoints
    this.#seats = new Seats(options.clock)
    this.#leavers = new Leavers(this)
    this.resting = new Resting(this, {
      given: () => this.counters.hibernated++,
      settled: () => this.#leavers.more(),
    })
    this.#neighbours = new Neighbours(this)
    this.#warm = new Set(options.warm)
    this.#teach = options.teach === true
    this.#retries = options.retries ?? new Map()
    this.#routes = new Routes(options.routes ?? [])
    const { others, far } = this.#neighbours
    const [connections, seats] = [this.#connections, this.#seats]
    this.#reception = new Reception(this, { connections, seats, others, far })
  }

  /** The other containers, of all functions. */
  #others(): Roster {
    return this.#neighbours.others
  }

  /** Connections that live here now. */
  get size(): number {
    return this.#connections.size
  }

  /** It takes nothing new. */
  get draining(): boolean {
    return this.#draining
  }

  /** Gives the means to send parcels. */
  connect(courier: Courier): void {
    this.courier = courier
    this.upstreams.most = courier.mostCompanions
  }

  /** Tells all containers of this function, and the signer, the keys that they share. */
  shareKeys(): void {
    this.#neighbours.shareKeys()
  }

  /** Keys from a peer: see {@link Neighbours.keys}. */
  keys(bytes: Uint8Array, from: number): boolean {
    return this.#neighbours.keys(bytes, from)
  }

  ask(question: Question, settle: (answer: Answer) => void): void {
    const { signing } = this
    if (question.kind === 'signature' && signing !== undefined) signing.ask(question, settle)
    else throw new Error(`a container is asked for a ${question.kind}, which it has not`)
  }

  /** A gateway's file, for the connections whose sockets it has duplicates of. Some may be here already. */
  slotFile(gateway: number, file: Descriptor, slots: number): void {
    try {
      this.slots.add(gateway, file, slots)
      for (const connection of this.#connections) connection.pump()
    } catch (error) {
      this.log.warn({ err: error, gateway }, 'connections of this gateway will not outlive this container')
    }
  }

  introduced(peer: Peer): void {
    if (peer.role === 'gateway' && !isFar(peer)) this.resting.introduced(peer.id)
    this.#neighbours.introduced(peer)
  }

  /** Connections whose requests wait for a container may have one. */
  available(functionName: string): void {
    if (functionName === this.functionName || !this.#others().has(functionName)) return
    for (const connection of [...this.#connections]) connection.available()
  }

  gone(id: number): void {
    this.#seats.gone(id)
    this.resting.gone(id)
    this.#neighbours.gone(id)
    this.signing?.gone(id)
    this.slots.remove(id)
  }

  /** That container cannot be spoken to: nothing is offered to it any more. It may live. */
  unreachable(id: number): void {
    this.#others().remove(id)
  }

  /** That container is about to go: nothing is offered to it any more. */
  leaves(id: number): void {
    this.#others().draining(id)
  }

  /** From now on these are the functions. */
  routes({ functionNames, retries, routes }: RouteTable): void {
    this.functionNames = new Set(functionNames)
    this.#retries = new Map(Object.entries(retries))
    this.#routes = new Routes(routes)
  }

  /** How many connections containers have. */
  loads(loads: Loads): void {
    for (const { id, connections } of loads) this.#others().report(id, connections)
  }

  /** The connections that live here, at most {@link LISTED} of them. */
  list(): ConnectionDescription[] {
    const now = this.clock.steady()
    return [...this.#connections].slice(0, LISTED).map(connection => connection.describe(now))
  }

  /**
   * Gives one connection to a certain container, at the next moment that loses nothing.
   * @param done called once, with what became of it
   */
  move(sessionId: Uint8Array, target: number, done: (report: MoveReport) => void): void {
    const connection = this.#connections.find(sessionId)
    const order = new MoveOrder(target, done)
    if (connection === undefined) order.report('unknown')
    else connection.moveTo(order)
  }

  /** Tells a connection's state, and moves it if that is asked: see {@link revealed}. */
  reveal(sessionId: Uint8Array, target: number | undefined, done: (revelation: Revelation) => void): void {
    revealed(this.#connections.find(sessionId), this.#teach, target, done)
  }

  /** See {@link Reception}. */
  take(parcel: Parcel, from: number): Arrival {
    return this.#reception.take(parcel, from)
  }

  /** See {@link Reception}. */
  returned(state: Return, session: SealAssociated, from: number): Arrival {
    return this.#reception.returned(state, session, from)
  }

  /** See {@link Reception}. */
  takeOver(takeOver: TakeOver, session: SealAssociated, descriptor: Descriptor): Arrival {
    return this.#reception.takeOver(takeOver, session, descriptor)
  }

  /** The path beats the host when both name a function, as in the gateway. */
  ownerOf(path: string, host: string | undefined): PathOwner | undefined {
    const byPath = ownerOfPath(path, this.functionNames)
    if (byPath !== undefined) return byPath
    const byHost = this.#routes.find(host)
    return byHost && { functionName: byHost.function, functionPath: path }
  }

  namesNone(host: string | undefined): boolean {
    return this.#routes.find(host) === undefined
  }

  reaches(functionName: string): boolean {
    if (this.courier === undefined) return false
    const there = this.#others().has(functionName)
    if (!there) this.#neighbours.wishes.wish(functionName)
    return there
  }

  lend(
    functionName: string,
    request: LoanRequest,
    settle: (answer: LoanAnswer | undefined) => void,
    wanted: () => boolean = () => true,
  ): void {
    const choose = (refusedBy: ReadonlySet<number>) => this.#others().choose(functionName, refusedBy)?.id
    const lend = (id: number, settled: typeof settle) => this.courier?.lend(id, request, settled)
    const reaches = () => this.reaches(functionName)
    const patience = { clock: this.clock, milliseconds: this.limits.timers.container, reaches, wanted }
    lendInTime(then => lendOnward(choose, lend, then), patience, settle)
  }

  /**
   * Serves a request whose connection stays with another container, or says why not; then nothing has been
   * done with it.
   */
  borrow(request: LoanRequest, settle: (answer: LoanAnswer) => void): void {
    if (this.#draining) {
      settle({ outcome: 'refused', reason: 'busy', detail: `${this.container} is about to stop` })
      return
    }
    // What a session has shown of its client does not come with a request that is lent.
    const against = objection({ tls: undefined }, 'stranger', this.tls, this.clock)
    if (against !== undefined) {
      settle({ outcome: 'refused', reason: 'policy', detail: against })
      return
    }
    const functionPath = this.ownerOf(request.path, request.host)?.functionPath ?? request.path
    this.waitUntil(borrowed(request, this, functionPath, settle))
  }

  /** See {@link Reception}. */
  thawed(state: Hibernated, session: SealAssociated, descriptor: Descriptor): Arrival {
    return this.#reception.thawed(state, session, descriptor)
  }

  retries(functionName: string): Retries {
    return this.#retries.get(functionName) ?? 'idempotent'
  }

  offer(
    functionName: string,
    freeze: (warm: boolean) => Frozen | Promise<Frozen>,
    settle: (release: Release, target?: number) => void,
    { only, home, near: stays = false, travels }: OfferedTo = {},
  ): boolean {
    const courier = this.courier
    // What goes to sleep does so on its own host.
    const near = stays || (this.resting.underway && functionName === this.functionName)
    const first =
      only === undefined
        ? this.#others().choose(functionName, undefined, home, { near })
        : this.#others().find(only)
    if (courier === undefined) return false
    const cause = functionName !== this.functionName ? 'request' : only === undefined ? 'drain' : 'order'
    const [freezing, settled] = followed(this.lookout, cause, freeze, settle)
    if (first === undefined) {
      if (functionName !== this.functionName) this.#neighbours.wishes.wish(functionName)
      else if (only === undefined) return this.resting.give(freezing, settled)
      return false
    }
    new Offering({
      ...{ courier, log: this.log, travels },
      keep: (frozen, then) =>
        only === undefined && functionName === this.functionName && this.resting.giveFrozen(frozen, then),
      passed: peer => this.#neighbours.passed(peer),
      another: refusedBy =>
        only === undefined ? this.#others().choose(functionName, refusedBy, undefined, { near }) : undefined,
      settle: (release, target) => {
        settled(release, target)
        this.#leavers.more()
      },
    }).begin(freezing(this.trusts(first.functionName) && !this.#draining && !isFar(first)), first)
    return true
  }

  /** Whether seats are kept for connections that go to containers of that function. */
  trusts(functionName: string | undefined): boolean {
    return functionName !== undefined && this.#warm.has(functionName)
  }

  keep(seat: Seat): void {
    if (this.#draining) vacate(seat)
    else this.#seats.keep(seat)
  }

  vacate(home: number, sessionId: Uint8Array): void {
    this.courier?.tell(home, { kind: 'vacate', sessionId })
  }

  /** The connection that a seat is kept for does not come back. @param from who says so */
  vacated(sessionId: Uint8Array, from: number): void {
    this.#seats.drop(sessionId, from)
  }

  closed(connection: Connection, why: ConnectionEnd): void {
    if (!this.#connections.remove(connection, why === 'moved')) return
    this.counters[why]++
    if (why !== 'moved') this.lookout.note(why, connection)
    if (why === 'unclean')
      this.log.warn({ session: connection.id }, 'ended a connection whose owner is unknown')
  }

  waitUntil(work: Promise<unknown>): void {
    this.#work.add(work)
    work
      .catch((error: unknown) => this.log.error({ err: error }, 'work after a response failed'))
      .finally(() => this.#work.delete(work))
  }

  get heldUp(): ReturnType<Leavers['heldUp']> {
    return this.#leavers.heldUp(this.#connections)
  }

  /**
   * Takes nothing new. What is idle moves now to other containers of this function, the rest after its
   * response; without such a container it ends there.
   */
  drain(): void {
    this.#draining = true
    this.#seats.clear()
    this.#leavers.begin(this.#connections)
  }

  /** Whether they could move when it drains. */
  get moves(): boolean {
    return this.resting.underway || this.#others().has(this.functionName)
  }

  setsOut(connection: Connection): boolean {
    return this.#leavers.setsOut(connection)
  }

  /** The same, but a gateway keeps what no sibling takes. */
  sleep(): void {
    // Without a signer the key is gone with the last of us.
    if (this.#neighbours.signed) this.resting.begin()
    this.drain()
  }

  /** What keeps the function from sleeping: connections, and work that goes on without one. */
  get busy(): number {
    let busy = this.#work.size + this.traffic.inFlight
    for (const connection of this.#connections) if (keepsAwake(connection)) busy++
    return busy
  }

  /** Connections that no other process could go on with: WebSockets that do not freeze, or over HTTP/2. */
  get rooted(): number {
    let rooted = 0
    for (const { protocol } of this.#connections) if (protocol.rooted === true) rooted++
    return rooted
  }

  /** Ends every connection with close_notify, and waits for work that functions asked to have finished. */
  async stop(): Promise<void> {
    this.#draining = true
    this.#seats.clear()
    for (const connection of this.#connections) connection.stop()
    await Promise.allSettled(this.#work)
  }
}
