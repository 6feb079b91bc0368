import { tell } from '../http/telling.ts'
import type { Clock } from '../time/clock.ts'
import { onAbort, orTooLate } from '../transport/attempt.ts'
import { candidatesFor, sharedFor } from './coalescing.ts'
import type { Connection } from './connection.ts'
import { type ClientError, timedOut } from './error.ts'
import type { Released } from './exchange.ts'
import type { Opener } from './opener.ts'
import type { ClientOptions, Lookup } from './options.ts'
import { type Found, type Open, Pool } from './pool.ts'

/** What the pools of a client have in common. */
export interface PoolsSettings {
  readonly opener: Opener
  /** Where a host is, for connections that serve several. */
  readonly lookup: Lookup
  /** Connections at once to one origin. */
  readonly limit: number
  /** See {@link ClientOptions.exclusive}. */
  readonly exclusive?: boolean | undefined
  /** Milliseconds for a connection, look-up included; 0: no matter how long. */
  readonly patience: number
  /** Milliseconds that a request waits for its place on one; 0: no matter how long. */
  readonly waitMs: number
  readonly clock: Clock
}

/** The pools of one client, by origin. One that has nothing left is forgotten. */
export class Pools {
  readonly #settings: PoolsSettings
  readonly #pools = new Map<string, Pool>()

  constructor(settings: PoolsSettings) {
    this.#settings = settings
  }

  /** How many there are. */
  get size(): number {
    return this.#pools.size
  }

  /** @param url of a request to that origin */
  get(url: URL): Pool {
    return this.#pools.get(url.origin) ?? this.#new(url)
  }

  /** See {@link Pool.drain}. */
  drain(error: ClientError): void {
    for (const pool of [...this.#pools.values()]) pool.drain(error)
  }

  destroy(error: ClientError): void {
    for (const pool of [...this.#pools.values()]) pool.destroy(error)
  }

  /** Gives away all connections that can go on elsewhere. @param stays told of each other one, and why */
  async release(stays?: (origin: string, why: string) => void): Promise<readonly Released[]> {
    // What it throws must not lose those that leave.
    const say = (origin: string, why: string): void => tell(() => stays?.(origin, why))
    const leaving = [...this.#pools].flatMap(([origin, { connections }]) =>
      [...connections].map(connection => connection.release(origin, why => say(origin, why))),
    )
    for (const [origin, { early }] of this.#pools)
      for (let i = 0; i < early; i++) say(origin, 'a request went out with its handshake')
    return (await Promise.all(leaving)).filter(one => one !== undefined)
  }

  #new({ origin }: URL): Pool {
    const { opener, limit, exclusive, waitMs, clock } = this.#settings
    const url = new URL(origin)
    const open: Open = (owner, signal, first, spent) => opener.open(url, owner, signal, first, spent)
    const pool: Pool = new Pool({
      open,
      limit,
      exclusive,
      waitMs,
      clock,
      onIdle: () => {
        if (this.#pools.get(origin) === pool) this.#pools.delete(origin)
      },
      onGone: connection => this.#gone(connection),
    })
    const candidates = exclusive === true ? [] : this.#candidates(url)
    this.#pools.set(origin, pool)
    if (candidates.length > 0) pool.search(signal => this.#search(url, candidates, signal))
    return pool
  }

  /** Pools that used it beside its own do without it. */
  #gone(connection: Connection): void {
    if (connection.protocol === 'h2') for (const pool of [...this.#pools.values()]) pool.lost(connection)
  }

  #candidates(url: URL): readonly Connection[] {
    const { opener } = this.#settings
    const others = [...this.#pools].flatMap(([origin, { connections }]) =>
      connections.size > 0 && opener.sameRoute(url, new URL(origin)) ? [...connections] : [],
    )
    return candidatesFor(url, others)
  }

  /** A look-up that fails means that there is none: the connection to be made has its own. */
  async #search(url: URL, candidates: readonly Connection[], signal: AbortSignal): Promise<Found> {
    const { lookup, patience, clock } = this.#settings
    const began = clock.steady()
    const stop = new AbortController()
    const what = `no address for ${url.hostname}`
    const late = (): void => stop.abort(timedOut('connect', patience, what))
    const timer = patience > 0 ? clock.after(patience, late) : undefined
    const release = onAbort(signal, reason => stop.abort(reason))
    const found = sharedFor(url, candidates, lookup).catch(() => undefined)
    try {
      const shared = await orTooLate(found, stop.signal, () => {})
      return { shared, spent: clock.steady() - began }
    } finally {
      timer?.stop()
      release()
    }
  }
}
