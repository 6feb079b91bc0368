import { type ServerConfig, TlsError } from '../tls13/index.ts'
import type { Peer, RefusalReason } from '../transfer/control.ts'
import type { Arrival, Courier } from '../transfer/courier.ts'
import type { Release } from '../transfer/custody.ts'
import type { LoanAnswer, LoanRequest } from '../transfer/loan.ts'
import type { Parcel } from '../transfer/parcel.ts'
import { type ByteStream, openStream } from '../transfer/stream.ts'
import { serveBorrowed } from './borrowed.ts'
import { Connection } from './connection.ts'
import type { ConnectionHost, ConnectionLimits, Frozen } from './connection-host.ts'
import type { Environment, FunctionModule, Log } from './handler.ts'
import type { KeyRing } from './key-ring.ts'
import { ownerOfPath, type PathOwner } from './path.ts'
import { type RouteEntry, Routes } from './routes.ts'

/** What a container is. */
export interface HostOptions {
  /** As `echo-1`. */
  readonly container: string
  readonly functionName: string
  readonly module: FunctionModule
  readonly environment: Environment
  /** The names of all functions that paths can name. */
  readonly functionNames: ReadonlySet<string>
  /** The functions that hosts name. */
  readonly routes?: readonly RouteEntry[]
  readonly tls: ServerConfig
  readonly limits: ConnectionLimits
  readonly log: Log
  readonly keyRing: KeyRing
}

/** What a container has done so far, for `status`. */
export interface Counters {
  /** Parcels taken. */
  accepted: number
  /** Parcels refused. */
  refused: number
  /** Connections that went on to another container. */
  moved: number
  /** Connections that were closed here. */
  ended: number
  /** Connections that had to be ended because nobody could tell who owned them. */
  unclean: number
}

/** The connections that live in one container: they arrive as parcels, and leave as parcels or end. */
export class Host implements ConnectionHost {
  readonly container: string
  readonly functionName: string
  readonly module: FunctionModule
  readonly environment: Environment
  readonly tls: ServerConfig
  readonly limits: ConnectionLimits
  readonly log: Log
  readonly keyRing: KeyRing
  readonly counters: Counters = { accepted: 0, refused: 0, moved: 0, ended: 0, unclean: 0 }
  readonly #functionNames: ReadonlySet<string>
  readonly #routes: Routes
  readonly #connections = new Set<Connection>()
  readonly #work = new Set<Promise<unknown>>()
  /** Containers by function. */
  readonly #siblings = new Map<string, Peer[]>()
  /** Containers of this function that have our keys for certain. */
  readonly #greeted = new Set<number>()
  #turn = 0
  #draining = false
  #courier: Courier | undefined

  constructor(options: HostOptions) {
    this.container = options.container
    this.functionName = options.functionName
    this.module = options.module
    this.environment = options.environment
    this.tls = options.tls
    this.limits = options.limits
    this.log = options.log
    this.keyRing = options.keyRing
    this.#functionNames = options.functionNames
    this.#routes = new Routes(options.routes ?? [])
  }

  /** Connections that live here now. */
  get size(): number {
    return this.#connections.size
  }

  /** Gives the means to send parcels. */
  connect(courier: Courier): void {
    this.#courier = courier
  }

  /** Tells all containers of this function the keys that they share; those that hear of new ones tell them on. */
  shareKeys(): void {
    for (const { id } of this.#siblings.get(this.functionName) ?? [])
      this.#courier?.share(id, this.keyRing.share())
  }

  /** Keys from a peer. Those of other functions are none of ours. */
  keys(bytes: Uint8Array, from: number): void {
    const siblings = this.#siblings.get(this.functionName) ?? []
    if (!siblings.some(({ id }) => id === from)) {
      this.log.warn({ from }, 'keys from a container of another function')
      return
    }
    this.keyRing.merge(bytes)
    // Who was introduced to us only now has not understood what we sent before.
    if (this.#greeted.has(from)) return
    this.#greeted.add(from)
    this.#courier?.share(from, this.keyRing.share())
  }

  introduced(peer: Peer): void {
    if (peer.role !== 'container') return
    const siblings = this.#siblings.get(peer.functionName)
    if (siblings === undefined) this.#siblings.set(peer.functionName, [peer])
    else siblings.push(peer)
    if (peer.functionName === this.functionName) this.#courier?.share(peer.id, this.keyRing.share())
  }

  gone(id: number): void {
    this.#greeted.delete(id)
    for (const siblings of this.#siblings.values()) {
      const index = siblings.findIndex(peer => peer.id === id)
      if (index >= 0) siblings.splice(index, 1)
    }
  }

  /** Takes a connection, or says why not; then nothing has been done with it. */
  take({ envelope, descriptor }: Parcel): Arrival {
    if (this.#draining) return this.#refuse('draining', `${this.container} is about to stop`)
    const { tls } = envelope
    if (tls !== undefined && tls.role !== 'server') return this.#refuse('role', "a client's session")
    const suites = this.tls.provider.cipherSuites
    if (tls !== undefined && tls.cipherSuite !== 0 && !suites.some(suite => suite.id === tls.cipherSuite)) {
      return this.#refuse('suite', `no cipher suite 0x${tls.cipherSuite.toString(16)} here`)
    }
    let stream: ByteStream
    let connection: Connection
    try {
      stream = openStream(descriptor)
    } catch (error) {
      return this.#refuse('descriptor', error instanceof Error ? error.message : String(error))
    }
    try {
      connection = new Connection(this, envelope, stream)
    } catch (error) {
      stream.destroy()
      if (error instanceof TlsError) return this.#refuse('malformed', error.message)
      throw error
    }
    this.counters.accepted++
    this.#connections.add(connection)
    connection.start()
    return undefined
  }

  #refuse(reason: RefusalReason, detail: string): Arrival {
    this.counters.refused++
    this.log.warn({ reason, detail }, 'refused a connection')
    return { reason, detail: detail.slice(0, 255) }
  }

  /** The path beats the host when both name a function, as in the gateway. */
  ownerOf(path: string, host: string | undefined): PathOwner | undefined {
    const byPath = ownerOfPath(path, this.#functionNames)
    if (byPath !== undefined) return byPath
    const byHost = this.#routes.find(host)
    return byHost && { functionName: byHost.function, functionPath: path }
  }

  reaches(functionName: string): boolean {
    return this.#courier !== undefined && (this.#siblings.get(functionName) ?? []).length > 0
  }

  lend(functionName: string, request: LoanRequest, settle: (answer: LoanAnswer | undefined) => void): void {
    const target = this.#next(functionName)
    if (target === undefined) settle(undefined)
    else this.#courier?.lend(target.id, request, settle)
  }

  /** Serves a request whose connection stays with another container, or says why not; then nothing has been done with it. */
  borrow(request: LoanRequest, settle: (answer: LoanAnswer) => void): void {
    if (this.#draining) {
      settle({ outcome: 'refused', reason: 'busy', detail: `${this.container} is about to stop` })
      return
    }
    const functionPath = this.ownerOf(request.path, request.host)?.functionPath ?? request.path
    const served = new Promise<void>(resolve => {
      serveBorrowed(request, this, functionPath, answer => {
        resolve()
        settle(answer)
      })
    })
    this.waitUntil(served)
  }

  offer(
    functionName: string,
    freeze: () => Frozen | Promise<Frozen>,
    settle: (release: Release) => void,
  ): boolean {
    const target = this.#next(functionName)
    const courier = this.#courier
    if (target === undefined || courier === undefined) return false
    const send = ({ envelope, descriptor }: Frozen): void =>
      courier.send(target.id, envelope, descriptor, settle)
    const frozen = freeze()
    if (frozen instanceof Promise) {
      frozen.then(send).catch((error: unknown) => {
        // The client went away while its last response was being sent.
        this.log.debug({ err: error }, 'a connection ended before it could move')
        settle({ state: 'ended', reason: 'lost' })
      })
    } else {
      send(frozen)
    }
    return true
  }

  /** The container of a function whose turn it is. */
  #next(functionName: string): Peer | undefined {
    const siblings = this.#siblings.get(functionName) ?? []
    return siblings[this.#turn++ % siblings.length]
  }

  closed(connection: Connection, why: 'ended' | 'moved' | 'unclean'): void {
    if (!this.#connections.delete(connection)) return
    this.counters[why]++
    if (why === 'unclean')
      this.log.warn({ session: connection.id }, 'ended a connection that nobody could tell the owner of')
  }

  waitUntil(work: Promise<unknown>): void {
    this.#work.add(work)
    work
      .catch((error: unknown) => this.log.error({ err: error }, 'work after a response failed'))
      .finally(() => this.#work.delete(work))
  }

  /**
   * Takes nothing new. What is idle moves now to other containers of this function, the rest after its response; without such a
   * container it ends there.
   */
  drain(): void {
    this.#draining = true
    const moves = (this.#siblings.get(this.functionName) ?? []).length > 0
    for (const connection of this.#connections) connection.drain(moves)
  }

  /** Ends every connection with close_notify, and waits for work that functions asked to have finished. */
  async stop(): Promise<void> {
    this.#draining = true
    for (const connection of this.#connections) connection.stop()
    await Promise.allSettled(this.#work)
  }
}
