import { carried } from '../../http/h1/index.ts'
import type { H2Exchange } from '../../http/h2/exchanges/exchange.ts'
import type { H2Serving } from '../../http/h2/serving.ts'
import type { ApplicationState, FrozenCall } from '../../transfer/envelope.ts'
import { concat } from '../../wire/index.ts'
import type { Rates } from '../connection/rates.ts'
import { Tunnel } from '../socket/tunnel.ts'
import { type Leaving, unreadOf } from '../upstream/upstreams.ts'
import { FunctionCall } from './function-call.ts'

export type Http2Call = Extract<ApplicationState, { protocol: 'http2_responses' }>['calls'][number]

/** What the container has to know of the requests that are being served on one connection's streams. */
export class Calls {
  readonly #serving: Pick<H2Serving, 'exchanges' | 'withdraw' | 'leave'>

  readonly #frozen: Http2Call[] = []
  /** Responses of upstreams that go along with them. */
  readonly upstreams: Leaving[] = []
  /** Those that {@link withdraw} has taken out. */
  readonly #leaving: FunctionCall[] = []

  constructor(serving: Pick<H2Serving, 'exchanges' | 'withdraw' | 'leave'>) {
    this.#serving = serving
  }

  get #exchanges(): Iterable<H2Exchange> {
    return this.#serving.exchanges.values()
  }

  get size(): number {
    return this.#serving.exchanges.size
  }

  /** The first of them that cannot go elsewhere, by its name. */
  get stays(): string | undefined {
    for (const { sink } of this.#exchanges) {
      const name = sink instanceof FunctionCall || sink instanceof Tunnel ? sink.stays : undefined
      if (name !== undefined) return name
    }
    return undefined
  }

  /** A whole request is with a function. */
  get working(): boolean {
    for (const { whole, sink } of this.#exchanges) if (whole && !(sink instanceof Tunnel)) return true
    return false
  }

  /** One of them is a WebSocket. */
  get tunnelled(): boolean {
    for (const { sink } of this.#exchanges) if (sink instanceof Tunnel) return true
    return false
  }

  /** Something else is served than WebSockets, which ask by themselves whether their clients are there. */
  get timed(): boolean {
    for (const { sink } of this.#exchanges) if (!(sink instanceof Tunnel)) return true
    return false
  }

  /**
   * Bytes of content that go along, of requests that no function has begun with and of responses that stand
   * still; undefined if there is something else.
   */
  get portable(): number | undefined {
    let bytes = 0
    for (const { sink, unsent } of this.#exchanges) {
      if (!(sink instanceof FunctionCall)) return undefined
      const { frozen } = sink
      if (frozen !== undefined) {
        bytes += bytesOf(frozen)
        for (const { length } of unsent) bytes += length
      } else if (sink.started || sink.bodyEnded) return undefined
      else bytes += sink.unread
    }
    return bytes
  }

  /** Connections to upstreams that may have to go along. */
  get companions(): number {
    let companions = 0
    for (const { sink } of this.#exchanges) if (sink instanceof FunctionCall) companions += sink.upstreams
    return companions
  }

  /** What is left of the responses that went along with {@link withdraw}. */
  get frozen(): readonly Http2Call[] {
    return this.#frozen
  }

  /** Bytes of them, and of those that are to go on here. @param resuming from elsewhere */
  held(resuming: readonly Http2Call[]): number {
    let bytes = unreadOf(this.upstreams)
    for (const { call } of this.#frozen) bytes += bytesOf(call)
    for (const { call } of resuming) bytes += bytesOf(call)
    return bytes
  }

  /** What became of all that went along. @param goesOn it does, elsewhere or here */
  settled(goesOn: boolean): void {
    for (const call of this.#leaving.splice(0)) call.settled(goesOn)
  }

  /**
   * All responses stop between two pieces, if all that is served can go elsewhere; otherwise none stands
   * still because of another one.
   * @param most bytes that may go along @param then called when one has stopped
   */
  freezeSoon(most: number, then: () => void): void {
    let bytes = 0
    for (const { sink, unsent } of this.#exchanges) {
      const left = sink instanceof FunctionCall ? sink.left : undefined
      bytes += left ?? Infinity
      for (const { length } of unsent) bytes += length
    }
    if (bytes > most) this.thaw()
    else for (const { sink } of this.#exchanges) if (sink instanceof FunctionCall) sink.freezeSoon(then)
  }

  /** They stay here after all. */
  thaw(): void {
    for (const { sink } of this.#exchanges) if (sink instanceof FunctionCall) sink.thaw()
  }

  /**
   * Gives all requests back to the connection as they were before they were accepted, and takes responses
   * out that stand still; see {@link portable}.
   */
  withdraw(rates: Rates, waiting: { has(streamId: number): boolean }): void {
    rates.retain(waiting)
    for (const exchange of [...this.#exchanges]) {
      if (!(exchange.sink instanceof FunctionCall)) continue
      this.#leaving.push(exchange.sink)
      const { streamId } = exchange.announced
      const call = frozenOf(exchange, exchange.sink)
      if (call !== undefined) {
        const { index, head, sink } = exchange
        this.#frozen.push({ streamId, index, request: carried(head), call })
        this.#serving.leave(exchange)
        for (const journey of sink.leave()) this.upstreams.push({ streamId, journey })
        continue
      }
      rates.keep({ streamId, left: exchange.patience, counted: exchange.sink.unread })
      this.#serving.withdraw(exchange, exchange.sink.takeBack())
    }
  }

  /** There is no more content for now: functions that can read a stream begin. */
  wait(): void {
    for (const { sink } of this.#exchanges)
      if (sink instanceof FunctionCall || sink instanceof Tunnel) sink.wait()
  }

  /** The container has to go: WebSockets are told, everything else is answered. */
  drain(): void {
    for (const { sink } of [...this.#exchanges]) if (sink instanceof Tunnel) sink.drain()
  }
}

/** What a call weighs that is on its way. */
export function bytesOf({ content, state }: FrozenCall): number {
  return content.length + (state?.length ?? 0)
}

/** What is left of a response that stands still, with what waits for a window of its client. */
function frozenOf({ unsent }: H2Exchange, call: FunctionCall): FrozenCall | undefined {
  const { frozen } = call
  if (frozen === undefined || unsent.length === 0) return frozen
  const content = concat(...unsent, frozen.content)
  // What waits has been counted, where something counts.
  const given = Math.max(0, frozen.given - (content.length - frozen.content.length))
  return { ...frozen, content, given }
}
