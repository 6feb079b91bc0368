import type { Connected } from '../transport/connector.ts'
import type { Connection, ConnectionOwner } from './connection.ts'
import type { ClientError } from './error.ts'
import type { Exchange, Protocol } from './exchange.ts'

/** Opens a connection to the origin of a pool. @throws ClientError (as rejection) */
export type Open = (owner: ConnectionOwner, signal: AbortSignal) => Promise<Connection>

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

  /** @param limit connections at once */
  constructor(open: Open, limit: number) {
    this.#open = open
    this.#limit = limit
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
    const connection = exchange.fresh ? undefined : this.#take()
    if (connection !== undefined) {
      connection.send(exchange)
      return
    }
    this.#waiting.push(exchange)
    this.#openMore()
  }

  /** A connection that was opened elsewhere. */
  adopt(connection: Connection): void {
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
    this.#open(this, this.#stop.signal).then(
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
      },
    )
  }
}

export type { Connected }
