import { randomBytes } from 'node:crypto'
import { MemoryBudget, memoryProblem } from '../http/memory-budget.ts'
import type { CarrierName } from '../platform/carrier.ts'
import type { GatewayOptions } from '../platform/gateway-settings.ts'
import type { Log } from '../platform/log.ts'
import { portError } from '../platform/port-error.ts'
import type { RouteTable } from '../platform/routing/route-table.ts'
import { Wishes } from '../platform/routing/wishes.ts'
import type { Clock } from '../time/clock.ts'
import type { ByteStream } from '../transfer/byte-stream.ts'
import { SUPERVISOR } from '../transfer/channel.ts'
import type { Arrival } from '../transfer/consignments/consignments.ts'
import type { Loads, Peer, Proofs, SlumberPhase } from '../transfer/control.ts'
import type { Courier } from '../transfer/courier.ts'
import { SESSION_ID_LENGTH } from '../transfer/envelope.ts'
import type { Hibernated } from '../transfer/hibernated.ts'
import type { RelayedState } from '../transfer/relay-state.ts'
import type { SealAssociated } from '../transfer/seal.ts'
import type { Descriptor } from '../transfer/stream.ts'
import {
  type Carrier,
  type CarrierCounters,
  type CarrierOwner,
  type MakeCarrier,
  NOTHING_CARRIED,
} from './carrier.ts'
import { Dispatch, type Patience } from './dispatch.ts'
import type { Hibernation, HibernationOwner } from './hibernation/hibernation.ts'
import { Slumbers } from './hibernation/slumbers.ts'
import { http2Answer } from './host-recogniser.ts'
import { alertAnswer, answer, httpAnswer, Listener, type Opening } from './listener.ts'
import { GatewayProofs, PROOF } from './proofs.ts'
import { Routing } from './routing.ts'
import { countUnclean, NONE_UNCLEAN, type Unclean, type UncleanCounters } from './unclean.ts'

export interface GatewayCounters extends UncleanCounters {
  /** Connections handed to a container. */
  delivered: number
  /** Connections answered or closed here, because no container could take them or they made no sense. */
  dropped: number
  /** Connections that went on in another container after theirs had died. */
  takenOver: number
}

/** Makes what keeps connections whose functions sleep. */
export type MakeHibernation = (courier: Courier, dispatch: Dispatch, owner: HibernationOwner) => Hibernation

/**
 * The front door: it finds the function that a fresh connection is for by server name, or by path or Host,
 * and hands the connection over to a container of that function. It holds no key of a certificate and no
 * traffic key, and after the hand-over it knows nothing of the connection, unless it relays it.
 */
export class Gateway {
  readonly counters: GatewayCounters = { delivered: 0, dropped: 0, takenOver: 0, ...NONE_UNCLEAN }
  /** What opening and relayed connections, and those that wait for a container, hold here together. */
  readonly memory: MemoryBudget
  readonly #options: GatewayOptions
  readonly #log: Log
  readonly #clock: Clock
  readonly #http: Listener<string>
  readonly #https: Listener<string>
  readonly #dispatch: Dispatch
  readonly #carriers: ReadonlyMap<CarrierName, Carrier>
  readonly #hibernation: Hibernation | undefined
  readonly #slumbers: Slumbers
  readonly #routing: Routing
  readonly #proofs: GatewayProofs
  /** By function. */
  #carrierNames: ReadonlyMap<string, CarrierName>
  /** Other gateways, the newest last. */
  readonly #gateways = new Set<number>()

  /**
   * @param listening descriptors of the sockets that are bound to the ports for HTTP and HTTPS
   * @param carriers how each is made that a function has
   * @param makeHibernation undefined: connections cannot be kept here while their functions sleep
   * @throws Error there is no memory to share with containers
   */
  constructor(
    options: GatewayOptions,
    listening: { readonly http: number; readonly https: number },
    courier: Courier,
    log: Log,
    clock: Clock,
    carriers: ReadonlyMap<CarrierName, MakeCarrier>,
    makeHibernation?: MakeHibernation,
  ) {
    this.#options = options
    this.#log = log
    this.#clock = clock
    this.memory = new MemoryBudget(options.memoryBytes)
    this.#slumbers = new Slumbers(options.holdMilliseconds, options.wakeMilliseconds)
    const wishes = new Wishes(clock, functionName => courier.tell(SUPERVISOR, { kind: 'wake', functionName }))
    const patience: Patience = {
      of: functionName => this.#slumbers.patience(functionName),
      wish: functionName => wishes.wish(functionName),
      granted: functionName => wishes.granted(functionName),
    }
    this.#dispatch = new Dispatch(patience, this.memory, clock, options.orphanMilliseconds)
    const owner: CarrierOwner = {
      clock,
      memory: this.memory,
      idleMilliseconds: options.idleMilliseconds,
      counters: this.counters,
      unclean: (target, end) => this.#unclean(target, end),
      refused: (target, verdict) => this.#refused(target, verdict),
      giveUp: (...what) => this.#giveUp(...what),
      fault: error => this.#fault(error),
    }
    this.#carriers = new Map(
      [...carriers].map(([name, make]) => [name, make(courier, this.#dispatch, owner)]),
    )
    this.#hibernation = makeHibernation?.(courier, this.#dispatch, {
      ...owner,
      moved: (...where) => {
        for (const carrier of this.#carriers.values()) carrier.moved?.(...where)
      },
    })
    this.#proofs = new GatewayProofs({
      clock,
      http1: options.http1,
      onFault: error => this.#fault(error),
    })
    const routing = new Routing(options, clock, this.#proofs)
    this.#routing = routing
    this.#carrierNames = options.carriers
    const common = {
      clock,
      timeout: options.helloMilliseconds,
      limit: options.openingLimit,
      memory: this.memory,
      onDropped: (reason: string) => this.#dropped(reason),
      onFault: (error: unknown) => this.#fault(error),
    }
    this.#http = new Listener({
      ...common,
      descriptor: listening.http,
      crowded: () =>
        httpAnswer(memoryProblem('gateway.limits.memoryBytes', options.memoryBytes), clock.wall()),
      judge: () => routing.ofRequest(),
      onOpening: opening => this.#open(opening, false),
    })
    this.#https = new Listener({
      ...common,
      descriptor: listening.https,
      crowded: () => alertAnswer('internal_error'),
      judge: () => routing.ofClientHello(),
      onOpening: opening => this.#open(opening, true),
    })
  }

  /** Connections that are opening or wait for a container. */
  get size(): number {
    return this.#http.size + this.#https.size + this.#dispatch.size
  }

  /** What `status` shows of the connections whose functions sleep. */
  get hibernation(): Readonly<Record<string, number>> {
    return this.#hibernation?.counters ?? {}
  }

  /** What `status` shows of the connections that carriers have. */
  get carried(): CarrierCounters {
    const all = { ...NOTHING_CARRIED }
    for (const { counters } of this.#carriers.values()) Object.assign(all, counters)
    return all
  }

  /** @returns the ports in use @throws Error that names the port and how to change it */
  async listen(): Promise<{ readonly http: number; readonly https: number }> {
    const { http, https } = this.#options
    const listen = (
      listener: Listener<string>,
      port: number,
      variable: string,
      key: string,
    ): Promise<number> =>
      listener.listen().catch((error: unknown) => {
        throw portError(error, port, variable, key)
      })
    return {
      http: await listen(this.#http, http, 'HOTPOTATO_HTTP_PORT', 'gateway.http'),
      https: await listen(this.#https, https, 'HOTPOTATO_HTTPS_PORT', 'gateway.https'),
    }
  }

  introduced(peer: Peer): void {
    if (peer.role === 'gateway') this.#gateways.add(peer.id)
    // First its file: what is delivered to it needs that.
    for (const carrier of this.#carriers.values()) carrier.introduced?.(peer)
    this.#dispatch.introduced(peer)
  }

  /** That container is starting. */
  expected(peer: Peer): void {
    for (const carrier of this.#carriers.values()) carrier.introduced?.(peer)
    this.#dispatch.expected(peer)
  }

  /** A container that was expected says that it goes on with connections that are kept here. */
  thaws(id: number): void {
    this.#dispatch.thaws(id)
  }

  /** The supervisor says that a container that was expected can work. */
  begins(id: number): void {
    this.#dispatch.begins(id)
  }

  gone(id: number): void {
    this.#gateways.delete(id)
    this.#dispatch.gone(id)
    for (const carrier of this.#carriers.values()) carrier.gone?.(id)
  }

  /** That process cannot be spoken to, and is offered nothing any more. It may live, with its connections. */
  unreachable(id: number): void {
    this.#gateways.delete(id)
    this.#dispatch.gone(id)
  }

  /** That container is about to go, and is offered nothing any more. */
  draining(id: number): void {
    this.#dispatch.draining(id)
  }

  /** What is to be expected of a function that has no container. */
  slumbers(functionName: string, phase: SlumberPhase): void {
    this.#slumbers.told(functionName, phase)
    if (phase === 'failing') this.#dispatch.giveUp(functionName)
  }

  /** How many connections containers have. */
  loads(loads: Loads): void {
    this.#dispatch.loads(loads)
  }

  /** From now on these are the functions. How they are carried is one of the ways that it was made for. */
  routes({ routes, functionNames, defaultFunction, carriers }: RouteTable): void {
    this.#routing.change(routes, functionNames, defaultFunction)
    this.#carrierNames = new Map(Object.entries(carriers))
  }

  /** What authorities of the web are shown from now on. */
  proofs(proofs: Proofs): void {
    this.#proofs.change(proofs)
  }

  /** Pages and handshakes that authorities have been given. */
  get proofsShown(): number {
    return this.#proofs.shown
  }

  /**
   * Another gateway accepts on these ports now: stops accepting, goes on with what is opening or held, and
   * gives it what is relayed. When {@link size} is 0 and nothing is relayed any more, nothing is left to do.
   * @param relays give these away, too; otherwise they go on here
   */
  makeWay(relays: boolean): void {
    this.#http.stopAccepting()
    this.#https.stopAccepting()
    if (!relays) return
    const successor = (): number | undefined => [...this.#gateways].at(-1)
    this.#hibernation?.handOver(successor)
    for (const carrier of this.#carriers.values()) carrier.handOver?.(successor)
  }

  /**
   * Keeps a connection whose function goes to sleep, or one that another gateway has kept. @param from a
   * container of that function, or a gateway
   */
  hibernated(state: Hibernated, session: SealAssociated, descriptor: Descriptor, from: number): Arrival {
    const hibernation = this.#hibernation
    if (hibernation === undefined) return { reason: 'role', detail: 'this gateway keeps no connections' }
    if (!this.#gateways.has(from) && !this.#dispatch.isOf(from, state.functionName))
      return { reason: 'role', detail: `not a container of ${state.functionName}` }
    return hibernation.take(state, session, descriptor)
  }

  /** Goes on with a connection that another gateway has relayed. @param from only a gateway may ask that */
  relay(
    state: RelayedState,
    session: SealAssociated,
    descriptors: readonly [Descriptor, Descriptor],
    from: number,
  ): Arrival {
    if (!this.#gateways.has(from)) return { reason: 'role', detail: 'only a gateway has relayed connections' }
    const relays = this.#carriers.get('relay')
    if (relays?.adopt === undefined) return { reason: 'role', detail: 'this gateway relays nothing' }
    return relays.adopt(state, session, descriptors)
  }

  /**
   * Stops accepting. Connections that were handed over live on; those that are relayed finish, which {@link
   * finished} waits for.
   */
  close(): void {
    this.#http.close()
    this.#https.close()
    this.#dispatch.close()
    this.#proofs.close()
    this.#hibernation?.close()
    for (const carrier of this.#carriers.values()) carrier.close()
  }

  /** Nothing is relayed any more. */
  get finished(): boolean {
    return [...this.#carriers.values()].every(({ size }) => size === 0)
  }

  #open(opening: Opening<string>, tls: boolean): void {
    if (opening.to === PROOF) {
      this.#proofs.take(opening, tls)
      return
    }
    const sessionId = new Uint8Array(randomBytes(SESSION_ID_LENGTH))
    this.#carrierOf(opening.to).arrive(opening, tls, sessionId)
  }

  #carrierOf(functionName: string): Carrier {
    const name = this.#carrierNames.get(functionName) ?? 'fd'
    const carrier = this.#carriers.get(name)
    if (carrier === undefined) throw new Error(`a gateway without the carrier ${name}`)
    return carrier
  }

  #unclean(target: string, { kind, reason }: Unclean): void {
    countUnclean(this.counters, kind)
    this.#log.warn({ target, kind, reason }, 'a connection ended uncleanly')
  }

  /** Something was thrown over a connection, and has ended it. */
  #fault(error: unknown): void {
    this.#log.error({ err: error }, 'a connection failed and is being closed')
    countUnclean(this.counters, 'failed')
  }

  #refused(target: string, verdict: unknown): void {
    if (verdict === undefined) this.#log.info({ target }, 'a container that was offered a connection is gone')
    else this.#log.warn({ target, verdict }, 'a container refused a connection')
  }

  /** @param inbound what the client has said, and in which version */
  #giveUp(stream: ByteStream, tls: boolean, functionName: string, reason: string, inbound: Uint8Array): void {
    this.#dropped(reason)
    const time = 'gateway.limits.holdSeconds'
    const late = this.#slumbers.fails(functionName) ? 'can be started' : `became ready within ${time}`
    const detail = `no container of the function ${functionName} ${late}`
    const unavailable = {
      name: 'function-unavailable',
      status: 503,
      headers: [['retry-after', '1']] as const,
    }
    const what = { ...unavailable, detail }
    const now = this.#clock.wall()
    const bytes = tls
      ? alertAnswer('internal_error')
      : (http2Answer(inbound, what, now) ?? httpAnswer(what, now))
    answer(this.#clock, stream, bytes)
  }

  #dropped(reason: string): void {
    this.counters.dropped++
    this.#log.debug({ reason }, 'dropped a connection')
  }
}
