import { H1Error } from '../h1/error.ts'
import type { RequestHead, ResponseView } from '../message.ts'
import { type Problem, problem } from '../problem.ts'
import { answerTo, replyTo } from '../serving.ts'
import { isPromise } from '../telling.ts'
import type { Exceeded } from './error.ts'
import type { H2Event } from './event.ts'
import { H2Exchange, type Resumed } from './exchanges/exchange.ts'
import { marked, withLength } from './exchanges/unsent.ts'
import type { H2Limits } from './limits.ts'
import type { Announced, ExchangeOwner, H2Owner } from './owner.ts'
import { requestHead } from './request-head.ts'
import { H2Server } from './server.ts'
import type { H2State } from './state.ts'

/** Bytes that a stream may hold and be spared when others of its connection are given up. */
const SPARED = 16_384
/** Bytes that the connection may go on holding then. */
const RESIDUE = 65_536

/** A connection from elsewhere. */
export interface H2Served {
  /** Requests that have been accepted on it. */
  readonly requestsServed: number
  readonly http: H2State
}

/**
 * Serves HTTP/2: as many requests at a time as the client likes, within the limits. It does one thing at a
 * time, whenever its owner lets it.
 */
export class H2Serving implements ExchangeOwner {
  readonly http: H2Server
  readonly owner: H2Owner
  /** What is being served, by stream. */
  readonly exchanges: Map<number, H2Exchange> = new Map()
  /** Requests that have been accepted on this connection, wherever it was. */
  requests: number

  constructor(owner: H2Owner, limits?: H2Limits, from?: H2Served, exceeded?: Exceeded) {
    this.owner = owner
    this.http = new H2Server(limits, from?.http, exceeded)
    this.requests = from?.requestsServed ?? 0
  }

  /** Does one thing with what has been received. @returns false if the next takes more bytes */
  step(): boolean {
    const event = this.http.next()
    if (event === undefined) return false
    this.#on(event)
    return true
  }

  /** There is nothing more to do for now: starts the timers of what is waited for. */
  settle(): void {
    for (const exchange of this.exchanges.values()) exchange.settle()
    if (this.http.input.inHeaders) this.owner.timers.wait('headers')
    else this.owner.timers.stop('headers')
  }

  /** Time has passed. @param now as {@link H2Owner.now} */
  tick(now: number): void {
    for (const exchange of [...this.exchanges.values()]) exchange.tick(now)
  }

  /**
   * Begins with a request that was announced. What came behind its head follows.
   * @param begin gives it to an application
   */
  accept(request: Announced, head: RequestHead, begin: (exchange: H2Exchange) => Promise<void> | void): void {
    const { owner } = this
    const exchange = new H2Exchange(this, request, head, this.requests++)
    this.exchanges.set(request.streamId, exchange)
    this.http.accept(request.streamId)
    const { length } = exchange
    if (length !== undefined && length > owner.bodyBytes) {
      exchange.tooLarge()
      return
    }
    try {
      const underway = begin(exchange)
      if (isPromise(underway))
        Promise.resolve(underway)
          .catch(cause => exchange.failed(cause))
          .catch(error => owner.fail(error))
    } catch (cause) {
      exchange.failed(cause)
    }
  }

  /** Answers a request that was announced, without any application. */
  answer(request: Announced, what: Problem): void {
    this.#accept(request)
    this.#reply(request, problem(what))
  }

  /**
   * Takes back what was accepted before any application began with it; see {@link H2Server.withdraw}.
   * @param content all of it that the application got
   */
  withdraw(exchange: H2Exchange, content: readonly Uint8Array[]): void {
    this.http.withdraw(exchange.announced, content)
    this.exchanges.delete(exchange.announced.streamId)
    exchange.over = true
    this.requests--
  }

  /**
   * The exchange of a request that was begun with elsewhere.
   * @param index of its request @param how what has become of it there
   */
  resume(streamId: number, head: RequestHead, index: number, how: Resumed): H2Exchange {
    const { method, target: path, headers, host: authority = '' } = head
    const { scheme } = this.owner
    const protocol = how.tunnel ? 'websocket' : undefined
    const event = { type: 'request', streamId, endStream: how.whole, protocol } as const
    const request = { ...event, method, scheme, authority, path, headers } as Announced
    const exchange = new H2Exchange(this, request, head, index, how)
    this.exchanges.set(streamId, exchange)
    return exchange
  }

  /** It goes on elsewhere, see {@link resume}. */
  leave(exchange: H2Exchange): void {
    this.exchanges.delete(exchange.announced.streamId)
    exchange.leave()
  }

  /** Bytes that are kept because of the client. */
  get held(): number {
    let bytes = this.http.held
    for (const exchange of this.exchanges.values()) bytes += exchange.held
    for (const streamId of this.owner.unaccepted) bytes += this.http.withheld(streamId)
    return bytes
  }

  /**
   * Gives up the streams that hold much. @param answer the requests that no application has begun with
   * @returns whether the rest is little enough for the connection to go on
   */
  shed(what: Problem, answer?: (streamId: number) => void): boolean {
    const { http, owner } = this
    for (const exchange of [...this.exchanges.values()]) if (exchange.held > SPARED) exchange.shed(what)
    for (const streamId of [...owner.unaccepted]) if (http.withheld(streamId) > SPARED) answer?.(streamId)
    for (const streamId of http.shed(SPARED)) this.#gone(streamId, new Error(what.name))
    return this.held <= RESIDUE
  }

  /**
   * The client sends no more, and what it sent has been worked off. What has come whole goes on, as far as
   * the windows that the client has opened reach.
   */
  inputEnded(): void {
    for (const [streamId, exchange] of [...this.exchanges]) {
      if (exchange.whole) continue
      this.#gone(streamId, new Error('the client closed in the middle of its request'))
      this.http.reset(streamId)
    }
  }

  /** The client is gone: the applications are told. */
  broken(reason: Error): void {
    const exchanges = [...this.exchanges.values()]
    this.exchanges.clear()
    for (const exchange of exchanges) exchange.gone(reason)
  }

  responded(streamId: number): void {
    this.exchanges.delete(streamId)
    this.owner.responded()
    this.owner.wake()
  }

  #gone(streamId: number, reason: Error): void {
    const exchange = this.exchanges.get(streamId)
    this.exchanges.delete(streamId)
    exchange?.gone(reason)
  }

  #on(event: H2Event): void {
    const { owner } = this
    switch (event.type) {
      case 'request':
        owner.timers.stop('headers')
        this.#announced(event)
        return
      case 'data': {
        owner.touch()
        const exchange = this.exchanges.get(event.streamId)
        if (exchange === undefined) this.http.consume(event.streamId, event.data.length)
        else exchange.data(event.data, event.endStream)
        return
      }
      case 'trailers':
        this.exchanges.get(event.streamId)?.ended(event.headers)
        return
      case 'drain':
        this.exchanges.get(event.streamId)?.drained()
        return
      case 'reset':
        this.#gone(event.streamId, new Error(`the stream was reset with error ${event.code}`))
        owner.reset(event.streamId)
        return
      case 'error': {
        const { code, reason } = event
        answerTo({ kind: 'client', status: 400, reason, answerable: false }, owner.handlers)
        this.broken(new Error(reason))
        owner.failed(code, reason)
      }
    }
  }

  #announced(event: Announced): void {
    let head: RequestHead
    try {
      head = requestHead(event, this.owner.scheme, this.owner.tunnels)
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
      this.#refuse(event, error.status, error.message)
      return
    }
    this.owner.announced(event, head)
  }

  /** The head is none of a request that there could be here. */
  #refuse(request: Announced, status: number, reason: string): void {
    const fault = { kind: 'client', status, reason, answerable: true } as const
    const answer = answerTo(fault, this.owner.handlers)
    this.#accept(request)
    replyTo(fault, answer, request.method === 'CONNECT', view => this.#reply(request, view))
  }

  #accept({ streamId }: Announced): void {
    this.requests++
    this.http.accept(streamId)
  }

  #reply({ streamId, method }: Announced, view: ResponseView): void {
    const { owner } = this
    this.http.reply(streamId, marked(withLength(view, method), owner.fields), owner.date())
  }
}
