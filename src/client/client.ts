import { type Field, header } from '../http/message.ts'
import type { Clock } from '../time/clock.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { ConnectError, type Connector } from '../transport/connector.ts'
import { targetOf } from '../transport/context.ts'
import { network } from '../transport/network.ts'
import { discard, responseOf } from './answer.ts'
import type { Connection, ConnectionOwner } from './connection.ts'
import { ACCEPT_ENCODING } from './decoding.ts'
import { ClientError, timedOut } from './error.ts'
import { type Answer, Exchange, type Hearing } from './exchange.ts'
import { H1Connection } from './h1-connection.ts'
import { H2Connection } from './h2-connection.ts'
import { type ClientOptions, DEFAULT_POOL_LIMITS, DEFAULT_TIMEOUTS, type Timeouts } from './options.ts'
import { isIdempotent, type Outgoing } from './outgoing.ts'
import { Pool } from './pool.ts'
import { isRedirect, redirected } from './redirect.ts'
import { outgoingOf, type RequestOptions } from './request.ts'

/** What {@link Client.fetch} takes besides what `fetch` does. */
export interface FetchOptions extends RequestOptions, Hearing {
  /** For this request alone, instead of the client's; `connect` and `idle` are the client's in any case. */
  readonly timeouts?: Partial<Pick<Timeouts, 'total'>>
}

/** Tries of one request on other connections, where the server cannot have acted on it. */
const TRIES = 4
const REDIRECTS = 20

/**
 * An HTTP client: `fetch`, over any transport. It keeps connections, over HTTP/2 for many requests at once,
 * and belongs to its owner alone: nothing is shared with other clients of the process.
 */
export class Client {
  readonly #connector: Connector
  readonly #clock: Clock
  readonly #timeouts: Timeouts
  readonly #limit: number
  readonly #redirects: number
  readonly #decode: boolean
  readonly #defaults: readonly Field[]
  readonly #pools = new Map<string, Pool>()
  readonly #underway = new Set<Exchange>()
  #closed: ClientError | undefined

  /** @throws TypeError for options that make no sense */
  constructor(options: ClientOptions = {}) {
    const {
      connector,
      tls,
      clock = SYSTEM_CLOCK,
      redirects = REDIRECTS,
      decode = true,
      headers = {},
    } = options
    if (connector !== undefined && tls !== undefined)
      throw new TypeError('tls is for the connector that it is without one of your own')
    this.#connector = connector ?? network(tls === undefined ? {} : { tls })
    this.#clock = clock
    this.#timeouts = checked({ ...DEFAULT_TIMEOUTS, ...options.timeouts })
    this.#limit = { ...DEFAULT_POOL_LIMITS, ...options.limits }.connectionsPerOrigin
    this.#redirects = redirects
    this.#decode = decode
    const own = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
    const defaults: Field[] = [
      ['accept', '*/*'],
      ...(decode ? [['accept-encoding', ACCEPT_ENCODING] as const] : []),
    ]
    this.#defaults = [...defaults.filter(([name]) => !own.has(name)), ...own]
  }

  /**
   * As the web's `fetch`: fulfilled when the head of the response is there. It is bound, so that it can be
   * handed on alone.
   * @throws (as rejection) ClientError; TypeError for what cannot be asked; the signal's reason
   */
  readonly fetch = (input: string | URL | Request, init: FetchOptions = {}): Promise<Response> =>
    this.#fetch(input, init)

  /** Takes no more requests; fulfilled when those underway have ended, with their content. */
  async close(): Promise<void> {
    this.#closed ??= new ClientError('aborted', 'the client was closed')
    while (this.#underway.size > 0) await new Promise<void>(resolve => this.#onQuiet.push(resolve))
    for (const pool of this.#pools.values()) pool.drain()
  }

  /** Ends everything at once. */
  destroy(): void {
    const error = new ClientError('aborted', 'the client was destroyed')
    this.#closed = error
    for (const pool of this.#pools.values()) pool.destroy(error)
  }

  readonly #onQuiet: (() => void)[] = []

  async #fetch(input: string | URL | Request, init: FetchOptions): Promise<Response> {
    let outgoing = outgoingOf(input, init, this.#defaults)
    const request = input instanceof Request ? input : undefined
    const signal = init.signal === undefined ? request?.signal : (init.signal ?? undefined)
    const mode = init.redirect ?? request?.redirect ?? 'follow'
    const total = init.timeouts?.total ?? this.#timeouts.total
    const call = new Call(signal, total, this.#clock)
    try {
      for (let hops = 0; ; hops++) {
        const answer = await this.#ask(outgoing, init, call)
        const location = isRedirect(answer.status) ? header(answer.fields, 'location') : undefined
        if (location === undefined || mode === 'manual') {
          const url = outgoing.url.href
          const about = { url: url.slice(0, url.length - outgoing.url.hash.length), redirected: hops > 0 }
          const response = responseOf(answer, { ...about, decode: this.#decode })
          call.deliver()
          return response
        }
        discard(answer)
        if (mode === 'error')
          throw new ClientError('protocol', `a redirect (${answer.status}), which is not wanted`)
        if (hops >= this.#redirects)
          throw new ClientError('protocol', `more than ${this.#redirects} redirects`)
        outgoing = redirected(outgoing, answer.status, location)
      }
    } catch (error) {
      call.over(error)
      throw error
    }
  }

  /** One request, on other connections again where that cannot do harm. */
  async #ask(outgoing: Outgoing, hearing: Hearing, call: Call): Promise<Answer> {
    for (let tries = 1, fresh = false; ; tries++) {
      if (this.#closed !== undefined) throw this.#closed
      const exchange = new Exchange(outgoing, hearing, fresh)
      call.begin(exchange)
      this.#underway.add(exchange)
      exchange.onOver = () => this.#over(exchange, call)
      this.#poolFor(outgoing.url).dispatch(exchange)
      try {
        return await exchange.answered
      } catch (error) {
        if (tries === TRIES || !mayRepeat(exchange, error)) throw error
        fresh = exchange.seen === 'perhaps'
      }
    }
  }

  #over(exchange: Exchange, call: Call): void {
    this.#underway.delete(exchange)
    call.ended(exchange)
    if (this.#underway.size === 0) for (const quiet of this.#onQuiet.splice(0)) quiet()
  }

  #poolFor({ origin }: URL): Pool {
    let pool = this.#pools.get(origin)
    if (pool === undefined) {
      const made = new Pool((owner, signal) => this.#open(new URL(origin), owner, signal), this.#limit)
      this.#pools.set(origin, made)
      pool = made
    }
    return pool
  }

  async #open(origin: URL, owner: ConnectionOwner, signal: AbortSignal): Promise<Connection> {
    const { connect } = this.#timeouts
    const most = connect === 0 ? 2 ** 31 - 1 : connect
    const settings = { clock: this.#clock, timeouts: this.#timeouts }
    try {
      const connected = await this.#connector.connect(targetOf(origin), { signal, timeoutMs: most })
      return connected.alpn === 'h2'
        ? new H2Connection(connected, owner, settings)
        : new H1Connection(connected, owner, settings)
    } catch (error) {
      throw unconnected(error, connect)
    }
  }
}

/** What one call of `fetch` is bound to, over all of its tries and redirects. */
class Call {
  readonly #signal: AbortSignal | undefined
  readonly #abort = (): void => this.#cancel(this.#signal?.reason)
  readonly #timer
  #exchange: Exchange | undefined
  #reason: unknown
  #delivered = false

  constructor(signal: AbortSignal | undefined, total: number, clock: Clock) {
    this.#signal = signal
    signal?.throwIfAborted()
    signal?.addEventListener('abort', this.#abort)
    const late = (): void => this.#cancel(timedOut('total', total, 'the request was not over'))
    this.#timer = total > 0 ? clock.after(total, late) : undefined
  }

  /** @throws what has ended the call */
  begin(exchange: Exchange): void {
    if (this.#reason !== undefined) throw this.#reason
    this.#exchange = exchange
  }

  /** Its caller gets the response of the exchange that began last. */
  deliver(): void {
    this.#delivered = true
    if (this.#exchange?.over !== false) this.over()
  }

  /** Nothing more comes of that exchange. */
  ended(exchange: Exchange): void {
    if (this.#delivered && exchange === this.#exchange) this.over()
  }

  /** @param reason what went wrong, if something did */
  over(reason?: unknown): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#timer?.stop()
    if (reason !== undefined) this.#exchange?.cancel(reason)
  }

  #cancel(reason: unknown): void {
    this.#reason = reason
    this.#exchange?.cancel(reason)
  }
}

/** Whether a request that failed may be sent again (RFC 9110 §9.2.2). */
function mayRepeat({ outgoing, seen, reused }: Exchange, error: unknown): boolean {
  const { content, method } = outgoing
  if (content instanceof ReadableStream && (content.locked || seen !== 'nothing')) return false
  if (!(error instanceof ClientError) || error.kind !== 'protocol') return false
  return seen === 'nothing' || (seen === 'perhaps' && reused && isIdempotent(method))
}

/** What a connector threw, as callers see it. */
function unconnected(error: unknown, patience: number): ClientError {
  if (!(error instanceof ConnectError)) {
    const { message } = error as Error
    return new ClientError('connect', `no connection: ${message}`, { cause: error })
  }
  const { kind, message, cause = error } = error
  if (kind === 'timeout') return timedOut('connect', patience, message)
  if (kind === 'tls' || kind === 'aborted') return new ClientError(kind, message, { cause })
  return new ClientError('connect', message, { cause })
}

function checked(timeouts: Timeouts): Timeouts {
  for (const [name, value] of Object.entries(timeouts))
    if (!(value >= 0 && value < 2 ** 31)) throw new TypeError(`timeouts.${name} is no number of milliseconds`)
  return timeouts
}
