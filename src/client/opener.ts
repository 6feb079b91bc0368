import type { Clock } from '../time/clock.ts'
import { attempt } from '../transport/attempt.ts'
import { LONGEST } from '../transport/checks.ts'
import {
  ConnectError,
  type Connected,
  type ConnectOptions,
  type Connector,
  type Target,
} from '../transport/connector.ts'
import { targetOf } from '../transport/context.ts'
import { tls as tlsOver } from '../transport/kinds/tls.ts'
import { context, network } from '../transport/network.ts'
import { Tickets } from '../transport/tickets.ts'
import type { Transport } from '../transport/transport.ts'
import { reasonOf } from '../wire/thrown.ts'
import type { Connection, ConnectionOwner, ConnectionSettings } from './connection.ts'
import { ClientError, timedOut } from './error.ts'
import type { Exchange } from './exchange.ts'
import { H1Connection } from './h1-connection.ts'
import { H2Connection } from './h2-connection.ts'
import type { ClientOptions, Timeouts } from './options.ts'
import { isSafe } from './outgoing.ts'
import { Passage } from './passage.ts'
import { HttpProxy } from './proxy.ts'

/** What is no HTTP and goes through a proxy all the same. */
const TUNNEL = 'tunnel'
/** Milliseconds for which a connector may be late with saying that it is too late. */
const SLACK = 100

/** Opens connections to origins: directly or through a proxy, over TLS where they want it. */
export class Opener {
  readonly #connector: Connector
  readonly #proxy: HttpProxy | undefined
  readonly #tickets = new Tickets()
  readonly #settings: ConnectionSettings
  readonly #early: boolean

  /** @throws TypeError for options that do not go together */
  constructor(options: ClientOptions, clock: Clock, timeouts: Timeouts) {
    const { connector, tls, proxy, earlyData = false, exclusive } = options
    if (connector !== undefined && (tls !== undefined || proxy !== undefined))
      throw new TypeError('tls and proxy are for the connector that there is without one of your own')
    if (connector !== undefined && typeof connector?.connect !== 'function')
      throw new TypeError('connector: an object with a function `connect`')
    const given = { tickets: this.#tickets, ...(tls === undefined ? {} : { tls }) }
    this.#proxy = proxy === undefined ? undefined : new HttpProxy(proxy)
    this.#connector = connector ?? (this.#proxy === undefined ? network(given) : through(this.#proxy, given))
    this.#settings = { clock, timeouts, exclusive }
    this.#early = earlyData
  }

  /** Whether both origins are reached in the same way, trusting the same authorities. */
  sameRoute(one: URL, other: URL): boolean {
    const route = this.#connector.routeOf?.(targetOf(one))
    return route !== undefined && route === this.#connector.routeOf?.(targetOf(other))
  }

  /**
   * @param first a request that waits for it: it may go out with the handshake
   * @param spent milliseconds that are gone of the time for it
   * @throws ClientError (as rejection)
   */
  async open(
    origin: URL,
    owner: ConnectionOwner,
    signal: AbortSignal,
    first: Exchange | undefined,
    spent: number,
  ): Promise<Connection> {
    const target = targetOf(origin)
    const options = boundsOf(this.#settings.timeouts, signal, spent)
    const began = first === undefined ? undefined : this.#begin(target, first, owner)
    try {
      if (began === undefined) return this.#over(await this.#connect(target, options), target, owner)
      const { connection, passage, protocol } = began
      // HTTP/2 gathers what it says.
      await Promise.resolve()
      const connected = await this.#connect(target, { ...options, early: passage.takeWritten() })
      passage.attach(connected.transport)
      connection.connected = { ...connected, transport: passage }
      if ((connected.alpn ?? 'http/1.1') === protocol) return connection
      const what = `early data in ${protocol}, but the server chose ${connected.alpn}`
      connection.fail(new ClientError('protocol', what), 'nothing')
      return connection
    } catch (error) {
      const why = unconnected(error, this.#settings.timeouts)
      began?.connection.fail(why)
      throw why
    }
  }

  /**
   * A connection on which nothing was said, for another protocol than HTTP.
   * @throws ClientError (as rejection)
   */
  async alone(origin: URL, signal: AbortSignal): Promise<Transport> {
    const { timeouts } = this.#settings
    const target = targetOf(origin)
    // What a proxy reads and passes on is HTTP alone (RFC 6455 §4.1).
    const way = this.#proxy !== undefined && target.scheme === 'http' ? { scheme: TUNNEL } : {}
    const options = { ...boundsOf(timeouts, signal), alpn: ['http/1.1'] }
    try {
      const { transport, alpn } = await this.#connect({ ...target, ...way }, options)
      if (alpn !== 'h2') return transport
      transport.destroy()
      throw new ClientError('protocol', 'the server chose h2, which was not offered')
    } catch (error) {
      throw unconnected(error, timeouts)
    }
  }

  /** A connector of the program's own is bounded, too, whatever it makes of its options. */
  #connect(target: Target, options: OwnOptions): Promise<Connected> {
    const { signal, timeoutMs, handshakeMs } = options
    const all = { signal, timeoutMs: Math.min(timeoutMs + handshakeMs + SLACK, LONGEST) }
    const { clock } = this.#settings
    return attempt(target, all, clock, ({ signal }) =>
      this.#connector.connect(target, { ...options, signal }),
    )
  }

  /** What speaks HTTP over a connection. */
  #over(connected: Connected, { scheme }: Target, owner: ConnectionOwner): Connection {
    if (connected.alpn === 'h2') return new H2Connection(connected, owner, this.#settings)
    const toProxy = scheme === 'http' ? this.#proxy?.fields : undefined
    return new H1Connection(connected, owner, this.#settings, { toProxy })
  }

  /** A connection that is used before it is there: what it says goes out as early data (RFC 8470). */
  #begin(target: Target, first: Exchange, owner: ConnectionOwner): Begun | undefined {
    const { method, content } = first.outgoing
    if (!this.#early || target.scheme !== 'https' || first.noEarlyData || first.over) return undefined
    if (!isSafe(method) || content !== undefined) return undefined
    const ticket = this.#tickets.peek(target, this.#settings.clock.wall())
    if (ticket === undefined || ticket.maxEarlyData === 0) return undefined
    const passage = new Passage()
    const protocol = ticket.alpn === 'h2' ? 'h2' : 'http/1.1'
    const connection = this.#over({ transport: passage, alpn: protocol, secure: true }, target, owner)
    first.sentEarly = true
    connection.send(first)
    return { connection, passage, protocol }
  }
}

/** @param spent milliseconds that are gone of the time for a connection */
function boundsOf({ connect, tls }: Timeouts, signal: AbortSignal, spent = 0): OwnOptions {
  const timeoutMs = connect === 0 ? LONGEST : Math.max(1, connect - spent)
  return { signal, timeoutMs, handshakeMs: tls === 0 ? LONGEST : tls }
}

/** What every attempt has. */
type OwnOptions = ConnectOptions & Required<Pick<ConnectOptions, 'signal' | 'timeoutMs' | 'handshakeMs'>>

interface Begun {
  readonly connection: Connection
  readonly passage: Passage
  readonly protocol: string
}

function through(proxy: HttpProxy, given: Parameters<typeof network>[0]): Connector {
  return context()
    .over('http', proxy.plain)
    .over('https', tlsOver(proxy.tunnel), given ?? {})
    .over(TUNNEL, proxy.tunnel)
}

/** What a connector threw, as callers see it. */
function unconnected(error: unknown, { connect, tls }: Timeouts): ClientError {
  if (error instanceof ClientError) return error
  if (!(error instanceof ConnectError)) {
    const why = reasonOf(error)
    return new ClientError('connect', `no connection: ${why}`, { cause: error })
  }
  const { kind, message, stage, cause = error } = error
  if (kind === 'timeout')
    return stage === 'handshake'
      ? timedOut('tls', tls, 'no handshake')
      : timedOut('connect', connect, 'no connection')
  if (cause instanceof ClientError) return cause
  if (kind === 'tls' || kind === 'aborted') return new ClientError(kind, message, { cause })
  return new ClientError('connect', message, { cause })
}
