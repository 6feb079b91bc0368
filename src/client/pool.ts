import { setMaxListeners } from 'node:events'
import type { Connection, ConnectionOwner } from './connection.ts'
import type { ClientError } from './error.ts'
import type { Exchange, Protocol } from './exchange.ts'

/**
 * Opens a connection to the origin of a pool. @param first the request that waits longest
 * @throws ClientError (as rejection)
 */
export type Open = (
  owner: ConnectionOwner,
  signal: AbortSignal,
  first: Exchange | undefined,
) => Promise<Connection>

/**
 * The connections to one origin, and the requests that wait for one. HTTP/1.1: each request has a connection
 * for itself, the one that was used last first. HTTP/2: they share one, and another one is opened where the
 * server allows no more streams.
 */
export class Pool implements ConnectionOwner {
  readonly #open: Open
  readonly #limit: number
  /** Those that may have room, the one that was used last at the end. */
  #free: Connection[] = []
  readonly #all = new Set<Connection>()
  readonly #waiting: Exchange[] = []
  readonly #stop = new AbortController()
  #opening = 0
  /** What the server speaks, as far as it has shown. */
  #protocol: Protocol | undefined

  /** One of another origin that serves this one, too: first choice as long as there is none of its own. */
  shared: Connection | undefined
  /** It is found out whether there is such a one. */
  looking: Promise<void> | undefined
  readonly #onIdle: () => void

  /** @param limit connections at once @param onIdle nothing is left of it */
  constructor(open: Open, limit: number, onIdle: () => void) {
    this.#open = open
    this.#limit = limit
    this.#onIdle = onIdle
    // Each connection that is being opened listens.
    setMaxListeners(0, this.#stop.signal)
  }

  /** @param found what {@link shared} will be; requests wait for it */
  look(found: Promise<Connection | undefined>): void {
    this.looking = found.then(shared => {
      this.shared = shared
      this.looking = undefined
    })
  }

  /** Connections that are open. */
  get connections(): ReadonlySet<Connection> {
    return this.#all
  }

  /** Nothing is open, opening or waiting. */
  get idle(): boolean {
    return this.#all.size === 0 && this.#opening === 0 && this.#waiting.length === 0
  }

  dispatch(exchange: Exchange): void {
    const connection = exchange.fresh ? undefined : (this.#take() ?? this.#takeShared())
    if (connection !== undefined) {
      connection.send(exchange)
      return
    }
    this.#waiting.push(exchange)
    this.#openMore()
  }

  /** A connection that was opened elsewhere. */
  adopt(connection: Connection): void {
    if (connection.over) return
    this.#all.add(connection)
    this.#protocol = connection.protocol
    this.available(connection)
  }

  available(connection: Connection): void {
    if (!this.#all.has(connection)) return
    while (connection.room > 0) {
      const exchange = this.#next(connection)
      if (exchange === undefined) {
        if (!this.#free.includes(connection)) this.#free.push(connection)
        return
      }
      connection.send(exchange)
    }
  }

  gone(connection: Connection): void {
    this.#all.delete(connection)
    const at = this.#free.indexOf(connection)
    if (at >= 0) this.#free.splice(at, 1)
    if (this.#waiting.length > 0) this.#openMore()
    else if (this.idle) this.#onIdle()
  }

  /** No new request: connections end when those underway have ended. */
  drain(): void {
    this.#stop.abort()
    for (const connection of [...this.#all]) connection.drain()
  }

  destroy(error: ClientError): void {
    this.#stop.abort()
    for (const exchange of this.#waiting.splice(0)) exchange.fail(error, 'nothing')
    for (const connection of [...this.#all]) connection.fail(error)
  }

  #takeShared(): Connection | undefined {
    const { shared } = this
    if (shared === undefined || this.#all.size > 0) return undefined
    if (shared.over || shared.closing) this.shared = undefined
    return shared.room > 0 ? shared : undefined
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

  /** The next request that may go over that connection. */
  #next(connection: Connection): Exchange | undefined {
    const waiting = this.#waiting
    for (let i = 0; i < waiting.length; i++) {
      const exchange = waiting[i]!
      if (exchange.over) waiting.splice(i--, 1)
      else if (!exchange.fresh || connection.unused) {
        waiting.splice(i, 1)
        return exchange
      }
    }
    return undefined
  }

  #openMore(): void {
    if (this.#stop.signal.aborted) return
    // Until the server has shown what it speaks, one connection may be enough for all.
    const most = this.#protocol === 'http/1.1' ? this.#waiting.length : 1
    while (this.#opening < most && this.#all.size + this.#opening < this.#limit) this.#openOne()
  }

  #openOne(): void {
    this.#opening++
    // It may be sent before the connection is there: then it waits here no longer.
    const first = this.#waiting[0]
    const opened = this.#open(this, this.#stop.signal, first)
    if (first?.early) this.#waiting.shift()
    opened.then(
      connection => {
        this.#opening--
        if (connection.over) this.#openMore()
        else this.adopt(connection)
        if (this.#waiting.length > 0) this.#openMore()
      },
      (error: ClientError) => {
        this.#opening--
        // Others may still come about, or become free: then one request less has to wait for those.
        const last = this.#opening === 0 && this.#all.size === 0
        const failed = this.#waiting.splice(0, last ? this.#waiting.length : 1)
        for (const exchange of failed) exchange.fail(error, 'nothing')
        if (this.idle) this.#onIdle()
      },
    )
  }
}
