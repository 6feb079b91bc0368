import { type Field, header } from '../http/message.ts'
import type { Clock } from '../time/clock.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { discard, responseOf } from './answer.ts'
import { sharedFor, systemLookup } from './coalescing.ts'
import type { Released } from './connection.ts'
import { ACCEPT_ENCODING } from './decoding.ts'
import { ClientError, timedOut } from './error.ts'
import { type Answer, Exchange, type Hearing } from './exchange.ts'
import { Opener } from './opener.ts'
import {
  type ClientOptions,
  DEFAULT_POOL_LIMITS,
  DEFAULT_TIMEOUTS,
  type Lookup,
  type Timeouts,
} from './options.ts'
import { isIdempotent, type Outgoing } from './outgoing.ts'
import { type Open, Pool } from './pool.ts'
import { isRedirect, redirected } from './redirect.ts'
import { outgoingOf, type RequestOptions } from './request.ts'
import { restored } from './restoring.ts'

/** What {@link Client.fetch} takes besides what `fetch` does. */
export interface FetchOptions extends RequestOptions, Hearing {
  /** What its response is called where the client's connections go: see {@link Client.release}. */
  readonly label?: string
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
  readonly #opener: Opener
  readonly #lookup: Lookup
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
    const { clock = SYSTEM_CLOCK, redirects = REDIRECTS, decode = true, headers = {} } = options
    this.#clock = clock
    this.#timeouts = checked({ ...DEFAULT_TIMEOUTS, ...options.timeouts })
    this.#opener = new Opener(options, clock, this.#timeouts)
    this.#lookup = options.lookup ?? systemLookup
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

  /**
   * Gives away all connections that can go on in another process, with the requests that are on them: idle
   * ones, and those that wait for a response or are in the middle of one. Their callers here get an error.
   * What cannot leave ends here in its own time: what is being opened, streamed content of requests, content
   * that is being decoded, and connections through proxies or over another connector. No more requests.
   */
  async release(): Promise<readonly Released[]> {
    this.#closed ??= new ClientError('aborted', 'the client was released')
    const leaving = [...this.#pools].flatMap(([origin, { connections }]) =>
      [...connections].map(connection => connection.release(origin)),
    )
    const released = await Promise.all(leaving)
    for (const pool of this.#pools.values()) pool.drain()
    return released.filter(one => one !== undefined)
  }

  /**
   * Takes connections in that another client has released, in this process or another one. Each is good for
   * once. @param options as those of the other one: the keys of TLS come along, the trust does not
   * @throws DecodeError, TlsError, TypeError for what is no such connection; then its socket is closed
   */
  static restore(
    released: readonly Released[],
    options: ClientOptions = {},
  ): { readonly client: Client; readonly responses: readonly RestoredResponse[] } {
    const client = new Client(options)
    const responses: RestoredResponse[] = []
    for (const one of released) {
      const { origin, exchanges, adopt } = restored(one, options)
      const pool = client.#pools.get(origin) ?? client.#newPool(new URL(origin))
      for (const exchange of exchanges) {
        client.#underway.add(exchange)
        const call = new Call(undefined, 0, client.#clock)
        call.begin(exchange)
        exchange.onOver = () => client.#over(exchange, call)
        const { label, redirected } = exchange
        const { method, url } = exchange.outgoing
        // No decoder begins in the middle.
        const decode = client.#decode && exchange.seen !== 'answered'
        const about = { url: url.href, redirected, decode }
        const response = exchange.answered.then(answer => responseOf(answer, about))
        response.catch(() => {})
        responses.push({ label, method, url: url.href, response })
      }
      pool.adopt(adopt(pool, { clock: client.#clock, timeouts: client.#timeouts }))
      for (const exchange of exchanges) exchange.settle()
    }
    return { client, responses }
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
        const answer = await this.#ask(outgoing, init, call, hops > 0)
        const location = isRedirect(answer.status) ? header(answer.fields, 'location') : undefined
        if (location === undefined || mode === 'manual') {
          const url = outgoing.url.href
          const about = { url: url.slice(0, url.length - outgoing.url.hash.length), redirected: hops > 0 }
          const response = responseOf(answer, { ...about, decode: this.#decode })
          call.decodes(response.body !== answer.content)
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
  async #ask(outgoing: Outgoing, init: FetchOptions, call: Call, redirected: boolean): Promise<Answer> {
    for (let tries = 1, fresh = false, calm = false; ; tries++) {
      if (this.#closed !== undefined) throw this.#closed
      const exchange: Exchange = new Exchange(outgoing, init, fresh, calm)
      exchange.label = init.label ?? ''
      exchange.redirected = redirected
      call.begin(exchange)
      this.#underway.add(exchange)
      exchange.onOver = () => this.#over(exchange, call)
      const pool = this.#pools.get(outgoing.url.origin) ?? this.#newPool(outgoing.url)
      if (pool.looking !== undefined) {
        // Its caller may give it up meanwhile.
        exchange.answered.catch(() => {})
        await pool.looking
      }
      if (!exchange.over) pool.dispatch(exchange)
      try {
        const answer = await exchange.answered
        if (tries === TRIES || !isAboutConnection(answer.status, exchange, pool)) return answer
        discard(answer)
        calm = true
        pool.shared = undefined
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

  #newPool(url: URL): Pool {
    const { origin } = url
    const open: Open = (owner, signal, first) => this.#opener.open(new URL(origin), owner, signal, first)
    const pool = new Pool(open, this.#limit, () => this.#pools.delete(origin))
    const others = [...this.#pools.values()].flatMap(one => [...one.connections])
    this.#pools.set(origin, pool)
    if (others.length > 0) pool.look(sharedFor(url, others, this.#lookup))
    return pool
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

  /** Whether the content of the exchange that began last goes through a decoder. */
  decodes(decoding: boolean): void {
    if (this.#exchange !== undefined) this.#exchange.decoding = decoding
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

/**
 * Whether a status means this connection alone, so that another one may do better: 421 on one to another host
 * (RFC 9110 §15.5.20), 425 for what came as early data (RFC 8470 §5.2).
 */
function isAboutConnection(status: number, { early, outgoing }: Exchange, { shared }: Pool): boolean {
  if (outgoing.content instanceof ReadableStream) return false
  return (status === 421 && shared !== undefined) || (status === 425 && early)
}

/** Whether a request that failed may be sent again (RFC 9110 §9.2.2). */
function mayRepeat({ outgoing, seen, reused }: Exchange, error: unknown): boolean {
  const { content, method } = outgoing
  if (content instanceof ReadableStream && (content.locked || seen !== 'nothing')) return false
  if (!(error instanceof ClientError) || error.kind !== 'protocol') return false
  return seen === 'nothing' || (seen === 'perhaps' && reused && isIdempotent(method))
}

function checked(timeouts: Timeouts): Timeouts {
  for (const [name, value] of Object.entries(timeouts))
    if (!(value >= 0 && value < 2 ** 31)) throw new TypeError(`timeouts.${name} is no number of milliseconds`)
  return timeouts
}
