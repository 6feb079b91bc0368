import type { H2Server } from '../../http/h2/index.ts'
import type { Problem } from '../../http/problem.ts'
import type { Rates } from '../connection/rates.ts'
import { Call } from './call.ts'
import type { Loan } from './loan.ts'
import { Tunnel } from './tunnel.ts'

/** What is being served on the streams of one connection, by stream. */
export class Calls {
  readonly #calls = new Map<number, Call | Loan | Tunnel>()

  get size(): number {
    return this.#calls.size
  }

  /** A whole request is with a function. */
  get working(): boolean {
    for (const { whole } of this.#calls.values()) if (whole) return true
    return false
  }

  /** One of them is a WebSocket. */
  get tunnelled(): boolean {
    for (const call of this.#calls.values()) if (call instanceof Tunnel) return true
    return false
  }

  /** Something else is served than WebSockets, which ask by themselves whether their clients are there. */
  get timed(): boolean {
    for (const call of this.#calls.values()) if (!(call instanceof Tunnel)) return true
    return false
  }

  /** Bytes that are kept for them. */
  get held(): number {
    let bytes = 0
    for (const call of this.#calls.values()) bytes += call.held
    return bytes
  }

  /** Gives up those that hold more than that for what they hold. */
  shed(most: number, what: Problem): void {
    for (const call of [...this.#calls.values()]) if (call.held > most) call.shed(what)
  }

  /** Bytes of content that go back when nothing here has been begun with; undefined if something has. */
  get portable(): number | undefined {
    let bytes = 0
    for (const call of this.#calls.values()) {
      const carried = call instanceof Call ? call.portable : undefined
      if (carried === undefined) return undefined
      bytes += carried
    }
    return bytes
  }

  /** @param rates of requests that were taken back before */
  add(streamId: number, call: Call | Loan | Tunnel, rates?: Rates): void {
    const rate = rates?.take(streamId)
    if (rate !== undefined && call instanceof Call) call.resume(rate)
    this.#calls.set(streamId, call)
  }

  get(streamId: number): Call | Loan | Tunnel | undefined {
    return this.#calls.get(streamId)
  }

  /** It is over. */
  remove(streamId: number): void {
    this.#calls.delete(streamId)
  }

  /**
   * Gives all requests back to the connection as they were before they were accepted; see {@link portable}.
   */
  withdraw(http: H2Server, rates: Rates, waiting: { has(streamId: number): boolean }): void {
    rates.retain(waiting)
    for (const [streamId, call] of this.#calls) {
      if (!(call instanceof Call)) continue
      rates.keep({ streamId, ...call.rate })
      http.withdraw(call.request, call.takeBack())
    }
    this.#calls.clear()
  }

  /** There is no more content for now. */
  wait(): void {
    for (const call of this.#calls.values()) call.wait()
  }

  /** @param now as `steadyNow()` */
  tick(now: number): void {
    for (const call of [...this.#calls.values()]) call.tick(now)
  }

  /** The container has to go: WebSockets are told, everything else is answered. */
  drain(): void {
    for (const call of [...this.#calls.values()]) if (call instanceof Tunnel) call.drain()
  }

  /** The client sends no more. @returns the streams whose requests have not come whole; they are over */
  cutOff(): number[] {
    const open = [...this.#calls].filter(([, { whole }]) => !whole)
    for (const [streamId, call] of open) {
      call.cancel(new Error('the client closed in the middle of its request'))
      this.#calls.delete(streamId)
    }
    return open.map(([streamId]) => streamId)
  }

  /** Nobody waits for any of it. */
  cancel(reason: Error): void {
    for (const call of this.#calls.values()) call.cancel(reason)
    this.#calls.clear()
  }
}
