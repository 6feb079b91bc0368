import { randomBytes } from 'node:crypto'
import type { Log } from '../containers/handler.ts'
import { ownerOfPath } from '../containers/path.ts'
import { type RouteEntry, Routes } from '../containers/routes.ts'
import type { H1Limits } from '../http/h1/index.ts'
import type { Problem } from '../http/problem.ts'
import type { Peer } from '../transfer/control.ts'
import type { Courier } from '../transfer/courier.ts'
import type { Release } from '../transfer/custody.ts'
import { type Envelope, SESSION_ID_LENGTH } from '../transfer/envelope.ts'
import { freshHttp, freshTls } from '../transfer/parcel.ts'
import type { Descriptor } from '../transfer/stream.ts'
import { concat, EMPTY } from '../wire/index.ts'
import { HostRecogniser, http2Answer } from './host.ts'
import { alertAnswer, answer, httpAnswer, type Judgement, Listener, type Opening } from './listener.ts'
import { ClientHelloRecogniser } from './sni.ts'

/** What a gateway is told; durations in milliseconds. */
export interface GatewayOptions {
  readonly host: string
  readonly http: number
  readonly https: number
  readonly routes: readonly RouteEntry[]
  readonly defaultFunction: string | undefined
  readonly functionNames: ReadonlySet<string>
  readonly openingLimit: number
  readonly helloBytes: number
  readonly helloMilliseconds: number
  readonly holdMilliseconds: number
  readonly idleMilliseconds: number
  readonly http1: H1Limits
}

export interface GatewayCounters {
  /** Connections handed to a container. */
  delivered: number
  /** Connections answered or closed here, because nobody could take them or they made no sense. */
  dropped: number
  /** Connections that had to be ended because nobody could tell whether a container had them. */
  unclean: number
}

/** Milliseconds for the first request of an HTTP/2 connection; a client that waits for our SETTINGS sends none. */
const PREFACE_PATIENCE = 100

/** A fresh connection on its way to a container. */
interface Delivery {
  readonly envelope: Envelope
  readonly functionName: string
  readonly tls: boolean
  readonly opening: Opening<string>
  readonly descriptor: Descriptor
  /** Containers that have refused it. */
  readonly refusedBy: Set<number>
  readonly until: number
}

/**
 * The front door: it finds the function that a fresh connection is for by server name, or by path or Host, and hands the
 * connection over to a container of that function. It holds no key of a certificate and no traffic key, and after the
 * hand-over it knows nothing of the connection.
 */
export class Gateway {
  readonly counters: GatewayCounters = { delivered: 0, dropped: 0, unclean: 0 }
  readonly #options: GatewayOptions
  readonly #routes: Routes
  readonly #courier: Courier
  readonly #log: Log
  readonly #http: Listener<string>
  readonly #https: Listener<string>
  readonly #containers = new Map<string, Peer[]>()
  readonly #held = new Set<Delivery>()
  #turn = 0

  constructor(options: GatewayOptions, courier: Courier, log: Log) {
    this.#options = options
    this.#courier = courier
    this.#log = log
    this.#routes = new Routes(options.routes, options.defaultFunction)
    const common = {
      host: options.host,
      timeout: options.helloMilliseconds,
      limit: options.openingLimit,
      onDropped: (reason: string) => this.#dropped(reason),
    }
    this.#http = new Listener({
      ...common,
      port: options.http,
      judge: () => this.#judgeHttp(),
      onOpening: opening => this.#open(opening, false),
    })
    this.#https = new Listener({
      ...common,
      port: options.https,
      judge: () => this.#judgeTls(),
      onOpening: opening => this.#open(opening, true),
    })
  }

  /** Connections that are opening or wait for a container. */
  get size(): number {
    return this.#http.size + this.#https.size + this.#held.size
  }

  /** @returns the ports in use @throws Error that names the port and how to change it */
  async listen(): Promise<{ readonly http: number; readonly https: number }> {
    const http = await listen(this.#http, this.#options.http, 'HOTPOTATO_HTTP_PORT', 'gateway.http')
    const https = await listen(this.#https, this.#options.https, 'HOTPOTATO_HTTPS_PORT', 'gateway.https')
    return { http, https }
  }

  introduced(peer: Peer): void {
    if (peer.role !== 'container') return
    const containers = this.#containers.get(peer.functionName)
    if (containers === undefined) this.#containers.set(peer.functionName, [peer])
    else containers.push(peer)
    for (const delivery of [...this.#held]) {
      if (delivery.functionName !== peer.functionName) continue
      this.#held.delete(delivery)
      this.#deliver(delivery)
    }
  }

  gone(id: number): void {
    for (const containers of this.#containers.values()) {
      const index = containers.findIndex(peer => peer.id === id)
      if (index >= 0) containers.splice(index, 1)
    }
  }

  /** Stops accepting. Connections that were handed over live on. */
  close(): void {
    this.#http.close()
    this.#https.close()
    for (const delivery of [...this.#held]) this.#giveUp(delivery, 'the gateway stops')
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
            detail: `this port speaks TLS: use https, or port ${this.#options.http}`,
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
      detail: `no function for the host ${host ?? '(none)'}; there are the hosts ${hosts.join(', ')} and the paths ${paths.join(', ')}`,
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
    const lifted = opening.stream.lift()
    // Nothing has been written, so there is nothing to wait for; a promise here would be a bug in the stream.
    if (lifted instanceof Promise) throw new Error('a stream that nobody wrote to waits for the kernel')
    const { descriptor, unread } = lifted
    const fresh = {
      sessionId: new Uint8Array(randomBytes(SESSION_ID_LENGTH)),
      idleLeft: this.#options.idleMilliseconds,
      inbound: unread.length === 0 ? opening.inbound : concat(opening.inbound, unread),
    }
    const until = Date.now() + this.#options.holdMilliseconds
    this.#deliver({
      envelope: tls ? freshTls(fresh) : freshHttp(fresh),
      functionName: opening.to,
      tls,
      opening,
      descriptor,
      refusedBy: new Set(),
      until,
    })
  }

  #deliver(delivery: Delivery): void {
    const { functionName, refusedBy, envelope, descriptor } = delivery
    const ready = (this.#containers.get(functionName) ?? []).filter(({ id }) => !refusedBy.has(id))
    const target = ready[this.#turn++ % ready.length]
    if (target === undefined) {
      this.#hold(delivery)
      return
    }
    this.#courier.send(target.id, envelope, descriptor, release => this.#settle(delivery, target, release))
  }

  #settle(delivery: Delivery, target: Peer, release: Release): void {
    const { opening, refusedBy } = delivery
    switch (release.state) {
      case 'gone':
        this.counters.delivered++
        opening.stream.destroy()
        return
      case 'ended':
        // The container died with it, or says nothing: it may have spoken to the client already.
        this.counters.unclean++
        this.#log.warn(
          { target: target.name, reason: release.reason },
          'ended a connection that nobody could tell the owner of',
        )
        opening.stream.shutdown()
        return
      case 'owned':
        this.#log.warn(
          { target: target.name, verdict: release.verdict },
          'a container did not take a connection',
        )
        refusedBy.add(target.id)
        this.#deliver(delivery)
    }
  }

  /** Waits a moment for a container to become ready. */
  #hold(delivery: Delivery): void {
    const left = delivery.until - Date.now()
    if (left <= 0) {
      this.#giveUp(delivery, `no container of the function ${delivery.functionName} is ready`)
      return
    }
    this.#held.add(delivery)
    setTimeout(() => {
      if (this.#held.delete(delivery)) this.#deliver(delivery)
    }, left + 1)
  }

  #giveUp({ opening, tls, functionName }: Delivery, reason: string): void {
    this.#dropped(reason)
    opening.stream.unlift()
    const unavailable = {
      name: 'function-unavailable',
      status: 503,
      headers: [['retry-after', '1']] as const,
    }
    const detail = `no container of the function ${functionName} became ready within gateway.limits.holdSeconds`
    answer(
      opening.stream,
      tls
        ? alertAnswer('internal_error')
        : (http2Answer(opening.inbound, { ...unavailable, detail }, Date.now()) ??
            httpAnswer({ ...unavailable, detail }, Date.now())),
    )
  }

  #dropped(reason: string): void {
    this.counters.dropped++
    this.#log.debug({ reason }, 'dropped a connection')
  }
}

async function listen(
  listener: Listener<string>,
  port: number,
  variable: string,
  key: string,
): Promise<number> {
  try {
    return await listener.listen()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why =
      code === 'EADDRINUSE'
        ? 'is in use'
        : code === 'EACCES'
          ? 'may not be used by this user'
          : `cannot be opened (${code})`
    throw new Error(
      `port ${port} ${why}: choose another one with ${variable}=PORT, or ${key} in hotpotato.yml`,
    )
  }
}
