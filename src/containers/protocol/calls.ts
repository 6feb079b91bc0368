import type { H2Exchange } from '../../http/h2/exchange.ts'
import type { H2Serving } from '../../http/h2/serving.ts'
import type { Rates } from '../connection/rates.ts'
import { FunctionCall } from './function-call.ts'
import { Tunnel } from './tunnel.ts'

/** What the container has to know of the requests that are being served on one connection's streams. */
export class Calls {
  readonly #serving: Pick<H2Serving, 'exchanges' | 'withdraw'>

  constructor(serving: Pick<H2Serving, 'exchanges' | 'withdraw'>) {
    this.#serving = serving
  }

  get #exchanges(): Iterable<H2Exchange> {
    return this.#serving.exchanges.values()
  }

  get size(): number {
    return this.#serving.exchanges.size
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

  /** Bytes of content that go back when no function has begun; undefined if one has. */
  get portable(): number | undefined {
    let bytes = 0
    for (const { sink } of this.#exchanges) {
      if (!(sink instanceof FunctionCall) || sink.started || sink.bodyEnded) return undefined
      bytes += sink.unread
    }
    return bytes
  }

  /**
   * Gives all requests back to the connection as they were before they were accepted; see {@link portable}.
   */
  withdraw(rates: Rates, waiting: { has(streamId: number): boolean }): void {
    rates.retain(waiting)
    for (const exchange of [...this.#exchanges]) {
      if (!(exchange.sink instanceof FunctionCall)) continue
      const { streamId } = exchange.announced
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
