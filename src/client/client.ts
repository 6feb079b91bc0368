import { type Field, header } from '../http/message.ts'
import type { Clock } from '../time/clock.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { checkCount, checkMilliseconds } from '../transport/checks.ts'
import { stringOf } from '../wire/thrown.ts'
import { discard, responseOf } from './answer.ts'
import { Call } from './call.ts'
import { systemLookup } from './coalescing.ts'
import { ACCEPT_ENCODING } from './decoding.ts'
import { ClientError } from './error.ts'
import { type Answer, Exchange, type Hearing, type Released } from './exchange.ts'
import { Opener } from './opener.ts'
import { type ClientOptions, DEFAULT_POOL_LIMITS, type Timeouts, timeoutsOf } from './options.ts'
import { isIdempotent, type Outgoing } from './outgoing.ts'
import { Pools } from './pools.ts'
import { isRedirect, redirected } from './redirect.ts'
import { defaultFields, outgoingOf, type RequestOptions } from './request.ts'
import { type Restored, restored } from './restoring.ts'
import { type Upgraded, type UpgradeOptions, Upgrades, type WebSocketOptions } from './upgrade/upgrades.ts'
import type { WebSocketConnection } from './upgrade/web-socket.ts'

/** What {@link Client.fetch} takes besides what `fetch` does. */
export interface FetchOptions extends RequestOptions, Hearing {
  /** What its response is called where the client's connections go: see {@link Client.release}. */
  readonly label?: string
  /** Told of each try of the request: the last one is what its response comes from. */
  readonly onTry?: (exchange: Exchange) => void
  /** For this request alone, instead of the client's; `connect` and `idle` are the client's in any case. */
  readonly timeouts?: Partial<Pick<Timeouts, 'total'>>
}

/** A request that came along with its connection. */
export interface RestoredResponse {
  /** As its caller has called it. */
  readonly label: string
  readonly method: string
  readonly url: string
  /** What is still to come of it: the content that no application has taken before. */
  readonly response: Promise<Response>
}

/** Tries of one request on other connections, where the server cannot have acted on it. */
const TRIES = 4
const REDIRECTS = 20

/**
 * An HTTP client: `fetch`, over any transport. It keeps connections, over HTTP/2 for many requests at once,
 * and belongs to its owner alone: nothing is shared with other clients of the process.
 */
export class Client {
  readonly #pools: Pools
  readonly #upgrades: Upgrades
  readonly #clock: Clock
  readonly #timeouts: Timeouts
  readonly #redirects: number
  readonly #decode: boolean
  /** See {@link ClientOptions.exclusive}. */
  readonly exclusive: boolean
  readonly #defaults: readonly Field[]
  readonly #underway = new Set<Call>()
  readonly #forget = (call: Call): void => this.#over(call)
  #onQuiet: (() => void)[] = []
  /** It takes no more calls. */
  #closed: ClientError | undefined
  /** Those underway get no more requests either. */
  #ended: ClientError | undefined

  /** @throws TypeError for options that make no sense */
  constructor(options: ClientOptions = {}) {
    const { clock = SYSTEM_CLOCK, redirects = REDIRECTS, decode = true, headers = {} } = options
    this.exclusive = options.exclusive === true
    this.#clock = clock
    this.#timeouts = timeoutsOf(options.timeouts)
    checkCount('redirects', redirects, 0)
    const { connectionsPerOrigin = DEFAULT_POOL_LIMITS.connectionsPerOrigin } = options.limits ?? {}
    checkCount('limits.connectionsPerOrigin', connectionsPerOrigin, 1)
    const opener = new Opener(options, clock, this.#timeouts)
    this.#pools = new Pools({
      opener,
      lookup: options.lookup ?? systemLookup,
      limit: connectionsPerOrigin,
      exclusive: this.exclusive,
      patience: this.#timeouts.connect,
      waitMs: this.#timeouts.pool,
      clock,
    })
    this.#redirects = redirects
    this.#decode = decode
    const own = defaultFields(headers)
    const defaults: Field[] = [
      ['accept', '*/*'],
      ...(decode ? [['accept-encoding', ACCEPT_ENCODING] as const] : []),
    ]
    this.#defaults = [...defaults.filter(([name]) => !own.some(([other]) => other === name)), ...own]
    const timeouts = this.#timeouts
    this.#upgrades = new Upgrades({ pools: this.#pools, opener, clock, timeouts, defaults: own })
  }

  /**
   * As the web's `fetch`: fulfilled when the head of the response is there. It is bound, so that it can be
   * handed on alone.
   * @throws (as rejection) ClientError; TypeError for what cannot be asked; the signal's reason
   */
  readonly fetch = (input: string | URL | Request, init: FetchOptions = {}): Promise<Response> =>
    this.#fetch(input, init)

  /**
   * Opens a WebSocket (RFC 6455). @param url ws, wss, http or https
   * @throws (as rejection) as {@link fetch}; the cause is a `NotGranted` with the status, if that was refused
   */
  async webSocket(url: string | URL, options: WebSocketOptions = {}): Promise<WebSocketConnection> {
    if (this.#closed !== undefined) throw this.#closed
    return this.#upgrades.webSocket(url, options)
  }

  /** Asks for another protocol (RFC 9110 §7.8; RFC 8441). @param protocol as it is registered, `websocket` */
  async upgrade(url: string | URL, protocol: string, options: UpgradeOptions = {}): Promise<Upgraded> {
    if (this.#closed !== undefined) throw this.#closed
    return this.#upgrades.ask(url, protocol, options)
  }

  /**
   * Takes no more calls, and says goodbye on WebSockets; fulfilled when calls that are underway have ended,
   * with their redirects and content.
   */
  async close(): Promise<void> {
    this.#closed ??= new ClientError('aborted', 'the client was closed')
    await this.#upgrades.leave(this.#closed)
    while (this.#underway.size > 0) await new Promise<void>(resolve => this.#onQuiet.push(resolve))
    this.#pools.drain(this.#closed)
  }

  /** Ends everything at once. */
  destroy(): void {
    const error = new ClientError('aborted', 'the client was destroyed')
    this.#closed = this.#ended = error
    this.#upgrades.destroy(error)
    this.#pools.destroy(error)
  }

  /**
   * Gives away all connections that can go on in another process, with the requests that are on them: idle
   * ones, and those that wait for a response or are in the middle of one. Their callers here get an error,
   * and so do those of requests that wait for a connection: nothing of them was sent.
   * What cannot leave ends here in its own time: requests that went out with their handshake, streamed
   * content of requests, content that is being decoded, and connections through proxies or over another
   * connector. No more requests.
   * @param stays told of each of those connections: whom it is to, and why it cannot leave
   */
  async release(stays?: (origin: string, why: string) => void): Promise<readonly Released[]> {
    const error = new ClientError('aborted', 'the client was released')
    this.#closed ??= error
    this.#ended ??= error
    const leaving = this.#pools.release(stays)
    this.#pools.drain(error)
    return leaving
  }

  /**
   * Takes connections in that another client has released, in this process or another one. Each is good for
   * once. @param options as those of the other one: the keys of TLS come along, the trust does not
   * @param hearing what is to hear of the rest of a request, by its label
   * @throws DecodeError, TlsError, TypeError for what is no such connection; then the sockets of all are
   * closed
   */
  static restore(
    released: readonly Released[],
    options: ClientOptions = {},
    hearing: (label: string) => Hearing = () => ({}),
  ): { readonly client: Client; readonly responses: readonly RestoredResponse[] } {
    let client: Client | undefined
    const left = new Set(released)
    try {
      client = new Client(options)
      // All are read before the first one goes on.
      const read = released.map(one => [one, restored(one, options, hearing)] as const)
      const responses: RestoredResponse[] = []
      for (const [one, connection] of read) {
        left.delete(one)
        responses.push(...client.take(connection))
      }
      return { client, responses }
    } catch (error) {
      client?.destroy()
      for (const { descriptor } of left) descriptor.close()
      throw error
    }
  }

  /** Takes one connection in, beside those that are here, with the requests that are on it. */
  take({ origin, exchanges, adopt }: Restored): RestoredResponse[] {
    const pool = this.#pools.get(new URL(origin))
    const responses = exchanges.map(exchange => {
      const call = new Call(undefined, 0, this.#clock, this.#forget)
      this.#underway.add(call)
      call.begin(exchange)
      const { label, redirected } = exchange
      const { method, url } = exchange.outgoing
      // No decoder begins in the middle.
      const decode = this.#decode && exchange.seen !== 'answered'
      const about = { url: url.href, redirected, decode }
      const response = exchange.answered().then(answer => responseOf(answer, about).response)
      response.then(
        () => call.deliver(),
        error => call.over(error),
      )
      return { label, method, url: url.href, response }
    })
    // What has an answer is answered, also if the connection brings nothing more.
    for (const exchange of exchanges) exchange.settle()
    const { exclusive } = this
    pool.adopt(adopt(pool, { clock: this.#clock, timeouts: this.#timeouts, exclusive }))
    return responses
  }

  async #fetch(input: string | URL | Request, init: FetchOptions): Promise<Response> {
    let outgoing = outgoingOf(input, init, this.#defaults)
    if (this.#closed !== undefined) throw this.#closed
    const request = input instanceof Request ? input : undefined
    const signal = init.signal === undefined ? request?.signal : (init.signal ?? undefined)
    const mode = init.redirect ?? request?.redirect ?? 'follow'
    checkMode(mode)
    const total = init.timeouts?.total ?? this.#timeouts.total
    checkMilliseconds('timeouts.total', total)
    const call = new Call(signal, total, this.#clock, this.#forget)
    this.#underway.add(call)
    try {
      for (let hops = 0; ; hops++) {
        const answer = await this.#ask(outgoing, init, call, hops > 0)
        const location = isRedirect(answer.status) ? header(answer.fields, 'location') : undefined
        if (location === undefined || mode === 'manual') {
          const about = { url: outgoing.url.href, redirected: hops > 0, decode: this.#decode }
          const { response, decoding } = responseOf(answer, about)
          call.deliver(decoding)
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
  async #ask(outgoing: Outgoing, init: FetchOptions, call: Call, redirected: boolean): Promise<Answer> {
    for (let tries = 1, needsNewConnection = false, noEarlyData = false; ; tries++) {
      if (this.#ended !== undefined) throw this.#ended
      const exchange: Exchange = new Exchange(outgoing, init, needsNewConnection, noEarlyData)
      exchange.label = init.label ?? ''
      exchange.redirected = redirected
      init.onTry?.(exchange)
      call.begin(exchange)
      // A connector of the program's own may throw here, when there is no promise yet that would be rejected.
      const pool = this.#pools.get(outgoing.url)
      const answered = exchange.answered()
      pool.dispatch(exchange)
      try {
        const answer = await answered
        if (tries === TRIES || !isAboutConnection(answer.status, exchange)) return answer
        discard(answer)
        noEarlyData = true
        if (exchange.coalesced) pool.shared = undefined
      } catch (error) {
        if (tries === TRIES || !mayRepeat(exchange, error)) throw error
        needsNewConnection = exchange.seen === 'perhaps'
      }
    }
  }

  #over(call: Call): void {
    this.#underway.delete(call)
    if (this.#underway.size === 0) for (const quiet of this.#onQuiet.splice(0)) quiet()
  }
}

/**
 * Whether a status means this connection alone, so that another one may do better: 421 on one to another host
 * (RFC 9110 §15.5.20), 425 for what came as early data (RFC 8470 §5.2).
 */
function isAboutConnection(status: number, { sentEarly, coalesced, outgoing }: Exchange): boolean {
  if (outgoing.content instanceof ReadableStream) return false
  return (status === 421 && coalesced) || (status === 425 && sentEarly)
}

/** Whether a request that failed may be sent again (RFC 9110 §9.2.2). */
function mayRepeat({ outgoing, seen, reused }: Exchange, error: unknown): boolean {
  const { content, method } = outgoing
  if (content instanceof ReadableStream && (content.locked || seen !== 'nothing')) return false
  if (!(error instanceof ClientError) || error.kind !== 'protocol') return false
  return seen === 'nothing' || (seen === 'perhaps' && reused && isIdempotent(method))
}

function checkMode(mode: string): void {
  if (mode !== 'follow' && mode !== 'error' && mode !== 'manual')
    throw new TypeError(`redirect: follow, error or manual, not ${stringOf(mode)}`)
}
