import { randomBytes } from 'node:crypto'
import { MemoryBudget, memoryProblem } from '../http/memory-budget.ts'
import type { Problem } from '../http/problem.ts'
import type { GatewayOptions } from '../platform/gateway-settings.ts'
import type { Log } from '../platform/log.ts'
import { ownerOfPath } from '../platform/path.ts'
import { portError } from '../platform/port-error.ts'
import { Routes } from '../platform/routes.ts'
import type { ByteStream } from '../transfer/byte-stream.ts'
import type { Loads, Peer } from '../transfer/control.ts'
import type { Arrival, Courier } from '../transfer/courier.ts'
import { SESSION_ID_LENGTH } from '../transfer/envelope.ts'
import { writeExtensions } from '../transfer/extensions.ts'
import { freshHttp, freshTls } from '../transfer/parcel.ts'
import type { RelayedState } from '../transfer/relay-state.ts'
import type { SealAssociated } from '../transfer/seal.ts'
import type { Descriptor } from '../transfer/stream.ts'
import { concat, EMPTY } from '../wire/index.ts'
import { ClientHelloRecogniser } from './client-hello-recogniser.ts'
import { Dispatch } from './dispatch.ts'
import { Duplicates, type DuplicatesOptions } from './duplicates.ts'
import { HostRecogniser, http2Answer } from './host-recogniser.ts'
import { alertAnswer, answer, httpAnswer, type Judgement, Listener, type Opening } from './listener.ts'
import { Relays } from './relays.ts'
import { countUnclean, NONE_UNCLEAN, type Unclean, type UncleanCounters } from './unclean.ts'

export interface GatewayCounters extends UncleanCounters {
  /** Connections handed to a container. */
  delivered: number
  /** Connections answered or closed here, because no container could take them or they made no sense. */
  dropped: number
  /** Connections that went on in another container after theirs had died. */
  takenOver: number
}

/**
 * Milliseconds for the first request of an HTTP/2 connection; a client that waits for our SETTINGS sends
 * none.
 */
const PREFACE_PATIENCE = 100

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
  readonly #routes: Routes
  readonly #courier: Courier
  readonly #log: Log
  readonly #http: Listener<string>
  readonly #https: Listener<string>
  readonly #dispatch: Dispatch
  readonly #relays: Relays
  /** Other gateways, the newest last. */
  readonly #gateways = new Set<number>()
  /** Undefined if no function wants them. */
  readonly #duplicates: Duplicates | undefined

  /**
   * @param listening descriptors of the sockets that are bound to the ports for HTTP and HTTPS
   * @param forDuplicates what keeping duplicates needs; nothing is duplicated without
   * @throws Error there is no memory to share with containers
   */
  constructor(
    options: GatewayOptions,
    listening: { readonly http: number; readonly https: number },
    courier: Courier,
    log: Log,
    forDuplicates?: DuplicatesOptions,
  ) {
    this.#options = options
    this.#courier = courier
    this.#log = log
    this.memory = new MemoryBudget(options.memoryBytes)
    this.#dispatch = new Dispatch(options.holdMilliseconds, this.memory)
    const owner = {
      memory: this.memory,
      counters: this.counters,
      unclean: (target: string, end: Unclean) => this.#unclean(target, end),
      refused: (target: string, verdict: unknown) => this.#refused(target, verdict),
    }
    this.#relays = new Relays(courier, this.#dispatch, {
      ...owner,
      giveUp: (...what) => this.#giveUp(...what),
    })
    this.#duplicates = forDuplicates && new Duplicates(forDuplicates, courier, this.#dispatch, owner)
    this.#routes = new Routes(options.routes, options.defaultFunction)
    const common = {
      timeout: options.helloMilliseconds,
      limit: options.openingLimit,
      memory: this.memory,
      onDropped: (reason: string) => this.#dropped(reason),
      onFault: (error: unknown) => this.#fault(error),
    }
    this.#http = new Listener({
      ...common,
      descriptor: listening.http,
      crowded: () => httpAnswer(memoryProblem('gateway.limits.memoryBytes', options.memoryBytes), Date.now()),
      judge: () => this.#judgeHttp(),
      onOpening: opening => this.#open(opening, false),
    })
    this.#https = new Listener({
      ...common,
      descriptor: listening.https,
      crowded: () => alertAnswer('internal_error'),
      judge: () => this.#judgeTls(),
      onOpening: opening => this.#open(opening, true),
    })
  }

  /** Connections that are opening or wait for a container. */
  get size(): number {
    return this.#http.size + this.#https.size + this.#dispatch.size
  }

  /** What `status` shows of the connections that are relayed. */
  get relayed(): Relays['counters'] {
    return this.#relays.counters
  }

  /** The same of connections with a duplicate. */
  get duplicated(): Duplicates['counters'] {
    return this.#duplicates?.counters ?? { duplicated: 0, notDuplicated: 0 }
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
    this.#duplicates?.introduced(peer)
    this.#dispatch.introduced(peer)
  }

  gone(id: number): void {
    this.#gateways.delete(id)
    this.#dispatch.gone(id)
    this.#duplicates?.gone(id)
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

  /** How many connections containers have. */
  loads(loads: Loads): void {
    this.#dispatch.loads(loads)
  }

  /**
   * Another gateway accepts on these ports now: stops accepting, goes on with what is opening or held, and
   * gives it what is relayed. When {@link size} is 0 and nothing is relayed any more, nothing is left to do.
   * @param relays give these away, too; otherwise they go on here
   */
  makeWay(relays: boolean): void {
    this.#http.stopAccepting()
    this.#https.stopAccepting()
    if (relays) this.#relays.handOver(() => [...this.#gateways].at(-1))
  }

  /** Goes on with a connection that another gateway has relayed. @param from only a gateway may ask that */
  relay(
    state: RelayedState,
    session: SealAssociated,
    [client, leg]: readonly [Descriptor, Descriptor],
    from: number,
  ): Arrival {
    if (!this.#gateways.has(from)) return { reason: 'role', detail: 'only a gateway has relayed connections' }
    return this.#relays.adopt(state, session, client, leg, this.#options.idleMilliseconds)
  }

  /**
   * Stops accepting. Connections that were handed over live on; those that are relayed finish, which {@link
   * finished} waits for.
   */
  close(): void {
    this.#http.close()
    this.#https.close()
    this.#dispatch.close()
    this.#relays.drain()
    this.#duplicates?.close()
  }

  /** Nothing is relayed any more. */
  get finished(): boolean {
    return this.#relays.size === 0
  }

  #judgeTls(): (bytes: Uint8Array) => Judgement<string> {
    const recogniser = new ClientHelloRecogniser({ helloBytes: this.#options.helloBytes, records: 32 })
    return bytes => {
      const found = recogniser.recognise(bytes)
      switch (found.kind) {
        case 'more':
          return found
        case 'http':
          return this.#answerHttp({
            name: 'tls-required',
            status: 400,
            detail: `this port is for TLS: use https, or port ${this.#options.http}`,
          })
        case 'refused':
          return { kind: 'answer', bytes: alertAnswer(found.alert), reason: found.reason }
        case 'client_hello': {
          const route = this.#routes.find(found.serverName)
          if (route !== undefined) return { kind: 'route', to: route.function }
          const reason = `no function for the server name ${found.serverName ?? '(none)'}`
          return { kind: 'answer', bytes: alertAnswer('unrecognized_name'), reason }
        }
      }
    }
  }

  #judgeHttp(): (bytes: Uint8Array) => Judgement<string> {
    const recogniser = new HostRecogniser(this.#options.http1)
    return bytes => {
      const found = recogniser.recognise(bytes)
      switch (found.kind) {
        case 'more':
          return found
        case 'tls':
          return {
            kind: 'answer',
            bytes: alertAnswer('unexpected_message'),
            reason: 'TLS on the port for plain HTTP',
          }
        case 'too_large':
        case 'not_http':
          return this.#answerHttp({ name: 'bad-request', status: found.status, detail: found.reason }, bytes)
        case 'preface': {
          const to = this.#routes.find(undefined)?.function
          if (to === undefined) return { kind: 'more' }
          return { kind: 'more', otherwise: { to, milliseconds: PREFACE_PATIENCE } }
        }
        case 'request': {
          // The path beats the host when both name a function.
          const functionName =
            ownerOfPath(found.head.path, this.#options.functionNames)?.functionName ??
            this.#routes.find(found.host)?.function
          if (functionName !== undefined) return { kind: 'route', to: functionName }
          return this.#answerHttp(this.#unknownHost(found.host), bytes)
        }
      }
    }
  }

  #unknownHost(host: string | undefined): Problem {
    const hosts = this.#options.routes.map(route => route.host)
    const paths = [...this.#options.functionNames].map(name => `/${name}`)
    return {
      name: 'unknown-host',
      status: 404,
      detail: `no function for the host ${host ?? '(none)'}; known are the hosts ${hosts.join(', ')} and the paths ${paths.join(', ')}`,
      extensions: { hosts, paths },
    }
  }

  /** @param inbound what the client has sent, if it may be HTTP/2 */
  #answerHttp(what: Problem, inbound: Uint8Array = EMPTY): Judgement<string> {
    const now = Date.now()
    const bytes = http2Answer(inbound, what, now) ?? httpAnswer(what, now)
    return { kind: 'answer', bytes, reason: what.detail ?? what.name }
  }

  #open(opening: Opening<string>, tls: boolean): void {
    const carrier = this.#options.carriers.get(opening.to) ?? 'fd'
    const sessionId = new Uint8Array(randomBytes(SESSION_ID_LENGTH))
    if (carrier === 'relay') this.#relays.open(opening, tls, sessionId, this.#options.idleMilliseconds)
    else this.#handOver(opening, tls, sessionId)
  }

  /** Gives the client's socket itself away. */
  #handOver(opening: Opening<string>, tls: boolean, sessionId: Uint8Array): void {
    const { stream, to: functionName } = opening
    const lifted = stream.lift()
    // Nothing has been written, so there is nothing to wait for; a promise here would be a bug in the stream.
    if (lifted instanceof Promise) throw new Error('a stream that was not written to waits for the kernel')
    const { descriptor, unread } = lifted
    const fresh = {
      sessionId,
      idleLeft: this.#options.idleMilliseconds,
      inbound: unread.length === 0 ? opening.inbound : concat(opening.inbound, unread),
    }
    const wanted = tls && this.#options.duplicated.has(functionName)
    const duplicate = wanted
      ? this.#duplicates?.open(descriptor.fd, sessionId, fresh.inbound.length)
      : undefined
    const extensions = writeExtensions(duplicate?.extensions ?? {})
    const envelope = { ...(tls ? freshTls(fresh) : freshHttp(fresh)), extensions }
    this.#dispatch.deliver({
      functionName,
      bytes: fresh.inbound.length,
      send: ({ id }, settle) => {
        duplicate?.offer(id)
        this.#courier.send(id, envelope, descriptor, settle)
      },
      accepted: () => {
        this.counters.delivered++
        duplicate?.delivered()
        stream.destroy()
      },
      lost: (target, reason) => {
        // It may have spoken to the client already.
        this.#unclean(target.name, { kind: 'undecided', reason })
        stream.shutdown()
        duplicate?.drop()
      },
      refused: (target, { verdict }) => this.#refused(target.name, verdict),
      unwanted: reason => {
        duplicate?.drop()
        stream.unlift()
        this.#giveUp(stream, tls, functionName, reason, fresh.inbound)
      },
      failed: error => {
        stream.shutdown()
        duplicate?.drop()
        this.#fault(error)
      },
    })
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
    this.#log.warn({ target, verdict }, 'a container refused a connection')
  }

  /** @param inbound what the client has said, and in which version */
  #giveUp(stream: ByteStream, tls: boolean, functionName: string, reason: string, inbound: Uint8Array): void {
    this.#dropped(reason)
    const detail = `no container of the function ${functionName} became ready within gateway.limits.holdSeconds`
    const unavailable = {
      name: 'function-unavailable',
      status: 503,
      headers: [['retry-after', '1']] as const,
    }
    const what = { ...unavailable, detail }
    const now = Date.now()
    const bytes = tls
      ? alertAnswer('internal_error')
      : (http2Answer(inbound, what, now) ?? httpAnswer(what, now))
    answer(stream, bytes)
  }

  #dropped(reason: string): void {
    this.counters.dropped++
    this.#log.debug({ reason }, 'dropped a connection')
  }
}
