import type { Clock, Timer } from '../time/clock.ts'
import { onAbort } from '../transport/attempt.ts'
import type { Connection, ConnectionOwner } from './connection.ts'
import { type ClientError, timedOut } from './error.ts'
import type { Exchange, Protocol } from './exchange.ts'
import { H2Connection } from './h2-connection.ts'

/**
 * Opens a connection to the origin of a pool. @param first the request that waits longest
 * @param spent milliseconds that it has waited for a look-up
 * @throws ClientError (as rejection)
 */
export type Open = (
  owner: ConnectionOwner,
  signal: AbortSignal,
  first: Exchange | undefined,
  spent: number,
) => Promise<Connection>

/** What a search for a connection of another origin has come to. */
export interface Found {
  readonly shared: Connection | undefined
  /** Milliseconds that it took. */
  readonly spent: number
}

export interface PoolSettings {
  readonly open: Open
  /** Connections at once. */
  readonly limit: number
  /** Over HTTP/2, too, each request has a connection for itself. */
  readonly exclusive?: boolean | undefined
  /** Milliseconds that a request waits for one; 0: no matter how long. */
  readonly waitMs: number
  readonly clock: Clock
  /** Nothing is left of it. */
  readonly onIdle: () => void
  /** One of its connections is over. */
  readonly onGone: (connection: Connection) => void
}

/** A connection on its way. */
interface Opening {
  readonly control: AbortController
  /** What goes out with its handshake. */
  early: Exchange | undefined
}

/**
 * The connections to one origin, and the requests that wait for one. HTTP/1.1: each request has a connection
 * for itself, the one that was used last first. HTTP/2: they share one, and another one is opened where the
 * server allows no more streams.
 */
export class Pool implements ConnectionOwner {
  readonly #settings: PoolSettings
  /** Those that may have room, the one that was used last at the end. */
  #free: Connection[] = []
  /** All that are not over, those that take no more requests too. */
  readonly #all = new Set<Connection>()
  readonly #waiting: Exchange[] = []
  readonly #openings = new Set<Opening>()
  /** When the first that waits has waited too long. */
  readonly #late: Timer
  /** It is found out whether {@link shared} is there: requests wait for that. */
  #search: AbortController | undefined
  /** What the search took of the time for the next connection. */
  #spent = 0
  /** What the server speaks, as far as it has shown. */
  #protocol: Protocol | undefined
  /** It takes no more requests. */
  #closed: ClientError | undefined
  #destroyed = false

  /** One of another origin that serves this one, too: first choice as long as there is none of its own. */
  shared: Connection | undefined

  constructor(settings: PoolSettings) {
    this.#settings = settings
    // Who holds the places holds the process, too.
    this.#late = settings.clock.timer(() => this.#tooLate()).unref()
  }

  /** @param find gives what {@link shared} will be; requests wait for it, and fail with what it throws */
  search(find: (signal: AbortSignal) => Promise<Found>): void {
    const control = new AbortController()
    this.#search = control
    find(control.signal).then(
      ({ shared, spent }) => {
        this.#search = undefined
        if (this.#closed === undefined) this.shared = shared
        this.#spent = spent
        for (const exchange of this.#waiting.splice(0)) if (!exchange.over) this.dispatch(exchange)
        this.#spent = 0
        this.#settle()
      },
      (error: ClientError) => {
        this.#search = undefined
        for (const exchange of this.#waiting.splice(0)) exchange.fail(error, 'nothing')
        this.#settle()
      },
    )
  }

  /** Connections that are open. */
  get connections(): ReadonlySet<Connection> {
    return this.#all
  }

  /** Handshakes underway with a request in them. */
  get early(): number {
    let count = 0
    for (const { early } of this.#openings) if (early !== undefined) count++
    return count
  }

  dispatch(exchange: Exchange): void {
    if (this.#closed !== undefined) {
      exchange.fail(this.#closed, 'nothing')
      return
    }
    const ready = this.#search === undefined && !exchange.needsNewConnection
    const connection = ready ? (this.#take() ?? this.#takeShared(exchange)) : undefined
    if (connection !== undefined) {
      connection.send(exchange)
      return
    }
    this.#waiting.push(exchange)
    this.#expect(exchange)
    this.#openMore()
  }

  /** It has waited from its first moment here, whatever for. */
  #expect(exchange: Exchange): void {
    const { waitMs, clock } = this.#settings
    if (waitMs === 0) return
    exchange.since ??= clock.steady()
    if (!this.#late.armed) this.#late.at(exchange.since + waitMs)
  }

  #tooLate(): void {
    const { waitMs, clock } = this.#settings
    const now = clock.steady()
    for (let first = this.#first(); first?.since !== undefined; first = this.#first()) {
      const until = first.since + waitMs
      if (until > now) {
        this.#late.at(until)
        return
      }
      this.#waiting.shift()
      first.fail(timedOut('pool', waitMs, 'no place on a connection'), 'nothing')
    }
    this.#settle()
  }

  /** A connection over HTTP/2 of its own that has room. */
  get http2(): H2Connection | undefined {
    for (const connection of this.#all)
      if (connection instanceof H2Connection && connection.room > 0) return connection
    return undefined
  }

  /** Opens one. @returns undefined if the server has chosen HTTP/1.1 @throws ClientError */
  async openHttp2(signal: AbortSignal): Promise<H2Connection | undefined> {
    if (this.#closed !== undefined) throw this.#closed
    const opening: Opening = { control: new AbortController(), early: undefined }
    const release = onAbort(signal, reason => opening.control.abort(reason))
    this.#openings.add(opening)
    try {
      const connection = await this.#settings.open(this, opening.control.signal, undefined, 0)
      this.#openings.delete(opening)
      this.adopt(connection)
      return connection instanceof H2Connection ? connection : undefined
    } finally {
      release()
      this.#openings.delete(opening)
      this.#settle()
    }
  }

  /** A connection that was opened elsewhere. */
  adopt(connection: Connection): void {
    if (connection.over) return
    this.#all.add(connection)
    this.#protocol = connection.protocol
    if (this.#destroyed) connection.fail(this.#closed!)
    else if (this.#closed !== undefined) connection.drain()
    else this.available(connection)
  }

  available(connection: Connection): void {
    if (!this.#all.has(connection)) return
    while (connection.room > 0) {
      if (this.#mustMakePlace(connection)) {
        connection.drain()
        return
      }
      const exchange = this.#next(connection)
      if (exchange === undefined) {
        if (!this.#free.includes(connection)) this.#free.push(connection)
        return
      }
      connection.send(exchange)
    }
  }

  closing(connection: Connection): void {
    const at = this.#free.indexOf(connection)
    if (at >= 0) this.#free.splice(at, 1)
    if (this.#waiting.length > 0) this.#openMore()
  }

  gone(connection: Connection): void {
    this.#all.delete(connection)
    this.closing(connection)
    this.#settings.onGone(connection)
    this.#settle()
  }

  /** The connection of another origin is over. */
  lost(connection: Connection): void {
    if (this.shared !== connection) return
    this.shared = undefined
    this.#settle()
  }

  /**
   * No new request: connections end when those underway have ended. Requests that wait for one fail.
   * @param error why
   */
  drain(error: ClientError): void {
    this.#close(error)
    // What went out with a handshake is underway.
    for (const { control, early } of this.#openings) if (early === undefined) control.abort(error)
    for (const connection of [...this.#all]) connection.drain()
  }

  destroy(error: ClientError): void {
    this.#destroyed = true
    this.#close(error)
    for (const { control, early } of [...this.#openings]) {
      control.abort(error)
      early?.cancel(error)
    }
    for (const connection of [...this.#all]) connection.fail(error)
  }

  #close(error: ClientError): void {
    this.#closed = error
    this.shared = undefined
    this.#search?.abort(error)
    for (const exchange of this.#waiting.splice(0)) exchange.fail(error, 'nothing')
  }

  /** Says so if nothing is open, opening, waiting or borrowed. */
  #settle(): void {
    const busy = this.#all.size > 0 || this.#openings.size > 0 || this.#waiting.length > 0
    if (!busy && this.#search === undefined && this.shared === undefined) this.#settings.onIdle()
  }

  /** Connections that count, those to come among them. */
  get #taken(): number {
    let taken = this.#openings.size
    for (const { closing } of this.#all) if (!closing) taken++
    return taken
  }

  #takeShared(exchange: Exchange): Connection | undefined {
    const { shared } = this
    if (shared === undefined || this.#all.size > 0) return undefined
    if (shared.over || shared.closing) this.shared = undefined
    if (shared.room === 0) return undefined
    exchange.coalesced = true
    return shared
  }

  #take(): Connection | undefined {
    for (let connection = this.#free.at(-1); connection !== undefined; connection = this.#free.at(-1)) {
      if (connection.room > 0) {
        if (connection.protocol === 'http/1.1') this.#free.pop()
        return connection
      }
      this.#free.pop()
    }
    return undefined
  }

  /** The first request that waits. */
  #first(): Exchange | undefined {
    while (this.#waiting[0]?.over === true) this.#waiting.shift()
    return this.#waiting[0]
  }

  /** Whether the first request that waits gets a new connection only if this one is given up. */
  #mustMakePlace(connection: Connection): boolean {
    if (this.#waiting.length === 0 || connection.unused || this.#openings.size > 0) return false
    return this.#first()?.needsNewConnection === true && this.#taken >= this.#settings.limit
  }

  /** The next request that may go over that connection. */
  #next(connection: Connection): Exchange | undefined {
    const waiting = this.#waiting
    for (let i = 0; i < waiting.length; i++) {
      const exchange = waiting[i]!
      if (exchange.over) waiting.splice(i--, 1)
      else if (!exchange.needsNewConnection || connection.unused) {
        waiting.splice(i, 1)
        return exchange
      }
    }
    return undefined
  }

  #openMore(): void {
    if (this.#closed !== undefined || this.#search !== undefined || this.#first() === undefined) return
    // Until the server has shown what it speaks, one connection may be enough for all.
    const alone = this.#protocol === 'http/1.1' || this.#settings.exclusive === true
    const most = alone ? this.#waiting.length : 1
    while (this.#openings.size < most && this.#taken < this.#settings.limit) this.#openOne()
    // One that gives up its place comes back here.
    const one = this.#openings.size === 0 ? this.#free.find(free => this.#mustMakePlace(free)) : undefined
    one?.drain()
  }

  #openOne(): void {
    // It may be sent before the connection is there: then it waits here no longer.
    const first = this.#first()
    const opening: Opening = { control: new AbortController(), early: undefined }
    this.#openings.add(opening)
    const opened = this.#settings.open(this, opening.control.signal, first, this.#spent)
    if (first?.sentEarly === true) {
      opening.early = first
      this.#waiting.shift()
    }
    opened.then(
      connection => {
        this.#openings.delete(opening)
        this.adopt(connection)
        if (this.#waiting.length > 0) this.#openMore()
        this.#settle()
      },
      (error: ClientError) => {
        this.#openings.delete(opening)
        // Others may still come about, or become free: then one request less has to wait for those.
        const last = this.#taken === 0
        const failed =
          this.#first() === undefined ? [] : this.#waiting.splice(0, last ? this.#waiting.length : 1)
        for (const exchange of failed) exchange.fail(error, 'nothing')
        this.#settle()
      },
    )
  }
}
