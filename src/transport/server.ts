import { ALPN_PROTOCOLS } from '../http/alpn.ts'
import type { ResponseView } from '../http/message.ts'
import type { HttpFault, HttpHandlers, HttpRequest, HttpResponse } from '../http/serving.ts'
import { tell } from '../http/telling.ts'
import type { Session } from '../tls13/index.ts'
import { errorOf } from '../wire/thrown.ts'
import { onAbort, orTooLate } from './attempt.ts'
import { checkDriving, checkMilliseconds } from './checks.ts'
import { type DriveOptions, drive, type Served } from './driver.ts'
import type { Protect, Protected, TlsLayer } from './layer.ts'
import type { Accepted, Address, Listener } from './listener.ts'
import {
  type Introduced,
  introductions,
  type ProxyHeader,
  type ProxyProtocolOptions,
} from './proxy-protocol/index.ts'
import type { Transport } from './transport.ts'

/** Milliseconds that requests which are underway have, once the server is told to stop. */
const GRACE = 10_000
/** Milliseconds that a client has for a handshake. */
const PATIENCE = 10_000

/** The connection that a request has come by. */
export interface ServerConnection {
  /** The client's end, as far as it has an address. */
  readonly peer: Address
  /** Ours. */
  readonly local: Address
  /** Whether the bytes are protected. */
  readonly secure: boolean
  /** What ALPN chose. */
  readonly alpn: string | undefined
  /** What a trusted proxy has said: the addresses above, and more. */
  readonly proxied: ProxyHeader | undefined
  /** Of our TLS: to look at, to export keying material from and to change keys. */
  readonly session: Session | undefined
}

/** What a connection failed at, beside its requests; what these do wrong is an {@link HttpFault}. */
export interface ConnectionFailure {
  /** `accept`: there is no connection. `connection`: what was thrown is a fault here, and no client's. */
  readonly stage: 'accept' | 'proxy-protocol' | 'handshake' | 'connection'
  readonly error: Error
  readonly peer?: Address
}

/** An application: one pair of functions, for all versions of HTTP and all kinds of transport. */
export interface ServerHandlers {
  /** A request's head has come. What it throws, or its promise is rejected with, goes to `error`. */
  request(request: HttpRequest, response: HttpResponse, connection: ServerConnection): Promise<void> | void
  /**
   * Something is wrong with a client, its request or our answer: `client`, `timeout`, `application` or
   * `memory`.
   * @returns the answer, where one is still possible; without one, a problem (RFC 9457)
   */
  error?(fault: HttpFault, connection: ServerConnection): ResponseView | undefined
}

export interface ServerOptions extends ServerHandlers, Omit<DriveOptions, 'onFault'> {
  /** Where connections come from. */
  readonly transport: Listener | Promise<Listener>
  /** Whether handlers are asked for CONNECT, which `keep` grants; default: it is refused with 501. */
  readonly tunnels?: boolean
  /** Whose PROXY protocol headers are believed; default: that of no peer. */
  readonly proxyProtocol?: ProxyProtocolOptions
  /** How they are protected; without it they are plain. */
  readonly tls?: TlsLayer
  /** What is spoken, in the order of preference; default: HTTP/2, 1.1 and 1.0. */
  readonly alpn?: readonly string[]
  /** Stops the server gracefully: no more connections, and those that are there end after their requests. */
  readonly signal?: AbortSignal
  /** Milliseconds that they have for that; then they are cut. Default: 10 000. */
  readonly graceMs?: number
  /** Milliseconds that a client has for its handshake; default: 10 000. */
  readonly handshakeMs?: number
  /** Told of connections that fail. Nothing that a client does ends the server. */
  failed?(failure: ConnectionFailure): void
}

/** A server that runs. */
export interface Server {
  /** Where clients find it. */
  readonly address: Address
  /** Connections, those in their handshakes as well. */
  readonly connections: number
  /** Fulfilled when it has stopped and all its connections are over. */
  readonly closed: Promise<void>
  /**
   * As `signal`. @param graceMs instead of that of the options @returns {@link closed}
   * @throws TypeError (as rejection) if that is no number of milliseconds; it goes on then
   */
  stop(graceMs?: number): Promise<void>
}

/**
 * Serves HTTP/1.0, 1.1 and 2 over any transport, with any TLS. It needs nothing of Node.
 * @returns when it takes connections
 * @throws (as rejection) what `transport` is rejected with; TypeError for TLS options that make no sense
 */
export async function runServer(options: ServerOptions): Promise<Server> {
  const listener = await options.transport
  if (typeof listener?.start !== 'function')
    throw new TypeError('transport: where connections come from, such as tcp.listen({ port })')
  try {
    checkServer(options)
    return new RunningServer(listener, options)
  } catch (error) {
    await listener.close()
    throw error
  }
}

class RunningServer implements Server {
  readonly closed: Promise<void>
  readonly #listener: Listener
  readonly #options: ServerOptions
  readonly #introduce: ((accepted: Accepted) => Promise<Introduced>) | undefined
  readonly #protect: Protect | undefined
  readonly #open = new Set<Open>()
  #stopping = false
  /** Nothing more can come. */
  #deaf = false
  #close: () => void = () => {}

  constructor(listener: Listener, options: ServerOptions) {
    this.#listener = listener
    this.#options = options.tunnels === true ? withTunnels(options) : options
    const { proxyProtocol, clock } = options
    this.#introduce = proxyProtocol && introductions(proxyProtocol, clock)
    this.#protect = options.tls?.(options.alpn ?? ALPN_PROTOCOLS)
    this.closed = new Promise(resolve => {
      this.#close = resolve
    })
    listener.start(
      accepted => void this.#take(accepted),
      error => this.#failed({ stage: 'accept', error }),
    )
    const { signal } = options
    const stop = (): void => void this.stop()
    if (signal?.aborted) stop()
    else void this.closed.then(onAbort(signal, stop))
  }

  get address(): Address {
    return this.#listener.address
  }

  get connections(): number {
    return this.#open.size
  }

  async stop(graceMs = this.#options.graceMs ?? GRACE): Promise<void> {
    // What makes no sense stops nothing: it can be said again.
    checkMilliseconds('graceMs', graceMs, Number.POSITIVE_INFINITY)
    if (this.#stopping) return this.closed
    this.#stopping = true
    const late = this.#options.clock.after(graceMs, () => {
      for (const one of this.#open) one.destroy()
    })
    const listening = this.#listener.close().catch(error => this.#failed({ stage: 'accept', error }))
    for (const one of this.#open) one.served?.drain()
    void listening.then(() => {
      this.#deaf = true
      this.#mayClose()
    })
    void this.closed.then(() => late.stop())
    return this.closed
  }

  async #take(accepted: Accepted): Promise<void> {
    const one = new Open(accepted, this.#introduce === undefined ? 'handshake' : 'proxy-protocol')
    this.#open.add(one)
    try {
      await this.#serve(one, accepted)
    } catch (cause) {
      one.destroy()
      const error = errorOf(cause)
      this.#failed({ stage: one.stage, error, peer: accepted.peer ?? {} })
    } finally {
      this.#open.delete(one)
      this.#mayClose()
    }
  }

  async #serve(one: Open, came: Accepted): Promise<void> {
    const { signal } = one.control
    let accepted: Introduced = came
    if (this.#introduce !== undefined) {
      accepted = await orTooLate(this.#introduce(came), signal, late => late.transport.destroy())
      one.transport = accepted.transport
      one.stage = 'handshake'
    }
    const { clock, handshakeMs: patienceMs = PATIENCE } = this.#options
    const handshake = this.#protect?.(accepted, { patienceMs, clock, signal })
    const carrier = handshake && (await orTooLate(handshake, signal, late => late.destroy()))
    one.stage = 'connection'
    one.transport = carrier ?? accepted.transport
    const connection = describe(accepted, carrier)
    const options = { ...this.#options, onFault: (error: unknown) => this.#fault(error, accepted) }
    const carried = {
      alpn: connection.alpn,
      secure: connection.secure,
      earlyBytes: () => carrier?.earlyBytes ?? 0,
    }
    one.served = drive(one.transport, handlersFor(this.#options, connection), carried, options)
    if (this.#stopping) one.served.drain()
    await one.served.closed
  }

  #fault(error: unknown, { peer = {} }: Accepted): void {
    this.#failed({
      stage: 'connection',
      error: errorOf(error),
      peer,
    })
  }

  #failed(failure: ConnectionFailure): void {
    // What is told of failures must not make one.
    tell(() => this.#options.failed?.(failure))
  }

  #mayClose(): void {
    if (this.#deaf && this.#open.size === 0) this.#close()
  }
}

/** @throws TypeError that names what makes no sense */
function checkServer({
  request,
  alpn = ALPN_PROTOCOLS,
  graceMs,
  handshakeMs,
  ...options
}: ServerOptions): void {
  if (typeof request !== 'function') throw new TypeError('request: a function that answers requests')
  const spoken = ALPN_PROTOCOLS.join(', ')
  if (!Array.isArray(alpn) || alpn.length === 0 || !alpn.every(one => ALPN_PROTOCOLS.includes(one)))
    throw new TypeError(`alpn: a list of some of ${spoken}, not ${JSON.stringify(alpn)}`)
  checkMilliseconds('graceMs', graceMs, Number.POSITIVE_INFINITY)
  checkMilliseconds('handshakeMs', handshakeMs, Number.POSITIVE_INFINITY)
  checkDriving(options)
}

function withTunnels(options: ServerOptions): ServerOptions {
  const { limits = {} } = options
  return { ...options, limits: { ...limits, http1: { ...limits.http1, tunnels: true } } }
}

/** A connection from its first moment on. */
class Open {
  stage: 'proxy-protocol' | 'handshake' | 'connection'
  transport: Transport
  served: Served | undefined
  /** Gives up what comes before it is served. */
  readonly control: AbortController = new AbortController()

  constructor({ transport }: Accepted, stage: 'proxy-protocol' | 'handshake') {
    this.transport = transport
    this.stage = stage
  }

  destroy(): void {
    if (this.served !== undefined) {
      this.served.destroy()
      return
    }
    this.control.abort(new Error('the server has stopped'))
    this.transport.destroy()
  }
}

function describe(
  { peer = {}, local = {}, proxied }: Introduced,
  carrier: Protected | undefined,
): ServerConnection {
  const { session } = (carrier ?? {}) as { readonly session?: Session }
  const alpn = carrier?.alpnProtocol || undefined
  return { peer, local, proxied, secure: carrier !== undefined, alpn, session }
}

function handlersFor(application: ServerHandlers, connection: ServerConnection): HttpHandlers {
  const request: HttpHandlers['request'] = (asked, response) =>
    application.request(asked, response, connection)
  if (application.error === undefined) return { request }
  return { request, error: fault => application.error?.(fault, connection) }
}
