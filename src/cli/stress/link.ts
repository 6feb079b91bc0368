import type { Socket } from 'node:net'
import type { Connection, ConnectionOwner } from '../../client/connection.ts'
import { ClientError, timedOut } from '../../client/error.ts'
import { Exchange, type Answer as Head } from '../../client/exchange.ts'
import { Opener } from '../../client/opener.ts'
import type { Outgoing } from '../../client/outgoing.ts'
import { Pool } from '../../client/pool.ts'
import { header } from '../../http/message.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import type { Connector } from '../../transport/connector.ts'
import type { Place } from './load.ts'
import type { Asked, Plan } from './plan.ts'
import type { Answer, Tally } from './tally.ts'

/** Bytes of content that are kept to say what is wrong. */
const KEPT = 4096

/** A request as the client takes it. */
export function outgoingOf(
  { url, method, fields, content }: Asked,
  { reconnect, http2 }: Pick<Plan, 'reconnect' | 'http2'>,
): Outgoing {
  const close = reconnect && !http2 ? [['connection', 'close'] as const] : []
  return { method, url: new URL(url), fields: [...fields, ...close], content, length: undefined }
}

/** Milliseconds for a connection that is opened ahead, and for its handshake. */
const OPENING = 10_000

/** A place has its own time for the whole of a request. */
const UNBOUNDED = { pool: 0, headers: 0, body: 0, idle: 0, total: 0 }
/** Times that a request is sent which the server says that it has not looked at. */
const TRIES = 4

/**
 * One connection after the other, each for one or more requests at a time. A request is sent again only if
 * the server says that it has not looked at it: before a client has heard how many streams it may open, it
 * may have opened too many (RFC 9113 §5.1.2).
 */
export class Link {
  readonly #origin: URL
  readonly #reconnect: boolean
  readonly #timeout: number
  readonly #orders: readonly Outgoing[]
  readonly #opener: Opener
  readonly #tally: Tally
  readonly #sockets = new Set<Socket>()
  #turn: number
  /** What {@link open} failed with, for the first request. */
  #failed: unknown
  /** Moves of the connection of now, as the last answer said. */
  #hops = 0
  #closed = false
  readonly #pool = new Pool({
    open: (owner, signal) => this.#open(owner, signal),
    limit: 1,
    waitMs: 0,
    clock: SYSTEM_CLOCK,
    onIdle() {},
    onGone() {},
  })

  /**
   * @param orders the requests that there are, made in turn
   * @param turn which of them comes first
   */
  constructor(plan: Plan, orders: readonly Outgoing[], turn: number, connector: Connector, tally: Tally) {
    const { timeout } = plan
    this.#origin = new URL(plan.origin)
    this.#reconnect = plan.reconnect
    this.#timeout = timeout
    this.#orders = orders
    this.#turn = turn
    this.#tally = tally
    // With a connection for each request it is the request that is too late.
    const connect = plan.reconnect ? timeout : Math.min(timeout, OPENING)
    const timeouts = { ...UNBOUNDED, connect, tls: connect }
    this.#opener = new Opener({ connector }, SYSTEM_CLOCK, timeouts)
  }

  /**
   * Connects before there is a request; what goes wrong is told to the first one.
   * @returns that, or undefined
   */
  async open(): Promise<unknown> {
    try {
      this.#pool.adopt(await this.#open(this.#pool, new AbortController().signal))
    } catch (error) {
      this.#failed = error
    }
    return this.#failed
  }

  /** Places for requests at the same time. */
  places(count: number): Place[] {
    return Array.from({ length: count }, () => this.#place())
  }

  /** Ends it, and counts what went through it. */
  close(): void {
    this.#closed = true
    this.#pool.destroy(new ClientError('aborted', 'the load is over'))
    for (const socket of [...this.#sockets]) this.#gone(socket)
  }

  #place(): Place {
    let exchange: Exchange | undefined
    const late = SYSTEM_CLOCK.timer(() => exchange?.cancel(timedOut('total', this.#timeout, 'no answer')))
    return {
      ask: async () => {
        this.#tellFailure()
        const order = this.#orders[this.#turn++ % this.#orders.length]!
        late.after(this.#timeout)
        try {
          for (let tries = 1; ; tries++) {
            exchange = new Exchange(order, {})
            const answered = exchange.answered()
            this.#pool.dispatch(exchange)
            try {
              return await this.#answer(await answered)
            } catch (error) {
              if (tries === TRIES || this.#closed || !isUnseen(exchange, error)) throw error
            }
          }
        } finally {
          late.stop()
          if (this.#reconnect) for (const one of this.#pool.connections) one.drain()
        }
      },
    }
  }

  #tellFailure(): void {
    const failed = this.#failed
    this.#failed = undefined
    if (failed !== undefined) throw failed
  }

  async #answer({ status, fields, content }: Head): Promise<Answer> {
    const kept: Uint8Array[] = []
    let bytes = 0
    const keep = (piece: Uint8Array): void => {
      if (status >= 400 && bytes < KEPT) kept.push(piece)
      bytes += piece.length
    }
    if (content instanceof Uint8Array) keep(content)
    else if (content !== null) for await (const piece of content) keep(piece)
    const problem = kept.length === 0 ? '' : Buffer.concat(kept).subarray(0, KEPT).toString()
    const said = header(fields, 'x-hotpotato-hops')
    const hops = said !== undefined && /^\d{1,9}$/.test(said) ? Number(said) : this.#hops
    const moves = Math.max(0, hops - this.#hops)
    this.#hops = hops
    return { status, bytes, fields, problem, moves }
  }

  async #open(owner: ConnectionOwner, signal: AbortSignal): Promise<Connection> {
    const began = performance.now()
    const connection = await this.#opener.open(this.#origin, owner, signal, undefined, 0)
    this.#tally.handshakes.record(performance.now() - began)
    this.#tally.counts.connections++
    this.#hops = 0
    const { session, stream } = connection.connected
    if (session?.inspect().resumed) this.#tally.counts.resumed++
    const socket = stream as Socket | undefined
    if (socket !== undefined && !this.#closed) {
      this.#sockets.add(socket)
      socket.once('close', () => this.#gone(socket))
    }
    return connection
  }

  #gone(socket: Socket): void {
    if (!this.#sockets.delete(socket)) return
    this.#tally.counts.received += socket.bytesRead
    this.#tally.counts.sent += socket.bytesWritten
  }
}

/** The server has looked at nothing of it, and its connection has nothing to do with that. */
function isUnseen({ seen }: Exchange, error: unknown): boolean {
  return seen === 'nothing' && error instanceof ClientError && error.kind === 'protocol'
}
