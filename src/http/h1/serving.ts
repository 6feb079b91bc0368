import { EMPTY } from '../../wire/index.ts'
import type { Field, ResponseView } from '../message.ts'
import type { Scheme } from '../origin.ts'
import type { Problem } from '../problem.ts'
import {
  answerTo,
  type ContentSink,
  type HttpFault,
  type HttpHandlers,
  type HttpTunnel,
  replyTo,
} from '../serving.ts'
import { isPromise } from '../telling.ts'
import type { Expiry, RequestTimers } from '../timers.ts'
import type { H1Event } from './event.ts'
import { type Announced, type ExchangeOwner, H1Exchange } from './exchange.ts'
import type { H1Limits } from './limits.ts'
import { fieldLines } from './response-head.ts'
import { H1Server } from './server.ts'
import type { H1State } from './state.ts'

const CLOSE: Field = ['connection', 'close']

/**
 * How a connection ends: `done`: there is nothing more to do; `refused`: what the client sends cannot be read
 * on; `unfinished`: it ended in the middle of a request; `cut`: a response that has begun cannot be finished.
 */
export type H1End = 'done' | 'refused' | 'unfinished' | 'cut'

/** What HTTP/1 asks of the connection: the way out, the time, and whether a request is for here. */
export interface H1Owner {
  readonly handlers: HttpHandlers
  /** What the connection speaks. */
  readonly scheme: Scheme
  readonly timers: RequestTimers
  /** Sent with every response; always the same. */
  readonly fields: readonly Field[]
  /** The client gets nothing any more. */
  readonly gone: boolean
  /** So much waits for the client that its next request has to wait as well. */
  readonly full: boolean
  /** Whether the request at hand came, or began to come, as early data. */
  readonly early: boolean
  /** Milliseconds since 1970, for Date. */
  date(): number
  /**
   * Asked before a request is accepted, and again at every {@link H1Serving.step} as long as it says no: the
   * request is nothing but bytes until then, and may go elsewhere with the connection.
   */
  admit(request: Announced): boolean
  /** @param last it ends a response */
  send(parts: readonly Uint8Array[], last: boolean): void
  /** @returns undefined, or a promise of the moment when the client has taken enough for more */
  room(): Promise<void> | undefined
  /** {@link H1Serving.step} may do more than it could. */
  pump(): void
  /** A piece of a request has come. */
  touch(): void
  /** A response has been given out whole. */
  responded(): void
  /** The answer that says what has run out; undefined: none. */
  overdue(what: Expiry, within?: number): Problem | undefined
  /** The connection is of no use any more. What was given to {@link send} goes out before. */
  close(how: H1End, reason: string): void
  /** The connection is another protocol's. @param rest what has come of it */
  tunnel(rest: Uint8Array, sink: ContentSink): HttpTunnel
  /** Something was thrown where no caller hears of it: the connection must end. Never throws. */
  fail(error: unknown): void
}

/**
 * Serves HTTP/1.0 and 1.1: one request after the other, in order, each with its response before the next one
 * is looked at. It does one thing at a time, whenever its owner lets it.
 */
export class H1Serving implements ExchangeOwner {
  readonly http: H1Server
  readonly #owner: H1Owner
  #exchange: H1Exchange | undefined
  #lines: string | undefined
  /** A request that was announced and not let in. */
  #held: Announced | undefined

  /** @param state from elsewhere */
  constructor(owner: H1Owner, limits?: H1Limits, state?: H1State) {
    this.#owner = owner
    this.http = new H1Server(limits, state, owner.scheme)
    const { serving } = this.http
    if (serving === undefined) return
    const request = {
      type: 'request',
      head: serving.head,
      expectsContinue: false,
      upgrade: undefined,
    } as const
    const bodyLength = serving.whole ? 0 : undefined
    this.#exchange = new H1Exchange(this, { ...request, bodyLength }, false, serving)
  }

  /** The request that is being served. */
  get exchange(): H1Exchange | undefined {
    return this.#exchange
  }

  /** The request that waits to be let in. */
  get held(): Announced | undefined {
    return this.#held
  }

  /** Between two messages: nothing is being served, and {@link H1Server.export} is possible. */
  get quiet(): boolean {
    return this.#exchange === undefined && this.http.idle
  }

  /** Whether more bytes are of any use now. */
  get wantsInput(): boolean {
    if (this.#exchange !== undefined) return this.#exchange.wantsContent
    return this.#held === undefined && !this.#owner.full
  }

  /**
   * Does one thing with what has been received. @returns false if the next takes more bytes, the application,
   * or a client that reads; what is left lies in memory of ours then
   */
  step(): boolean {
    const { http } = this
    if (this.#held !== undefined) return this.#admit(this.#held)
    const exchange = this.#exchange
    const waits = exchange === undefined ? this.#owner.full && http.idle : !exchange.wantsContent
    if (waits) return this.#keep()
    const event = http.next()
    if (event !== undefined) this.#on(event)
    else if (http.shouldClose) this.#owner.close('done', '')
    return event !== undefined
  }

  /** There is nothing more to do for now: starts the timers of what is waited for. */
  settle(): void {
    const { timers, full } = this.#owner
    const exchange = this.#exchange
    if (exchange !== undefined) {
      if (exchange.wantsContent) timers.wait('request-body')
      else timers.stop('request-body')
      if (!exchange.begun && exchange.started) timers.wait('handler', exchange.answerWithin)
    } else if (this.#held === undefined && this.http.buffered > 0 && !full) timers.wait('headers')
    else timers.stop('headers')
  }

  /** Lets the request in that waits. */
  letIn(): void {
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) this.#begin(held)
  }

  /**
   * Takes back what was accepted before it came whole, see {@link H1Server.withdraw}. @param content all of
   * it that the application got
   */
  withdraw(content: readonly Uint8Array[]): void {
    this.http.withdraw(content)
    this.#exchange = undefined
  }

  /** What was exported goes on elsewhere. */
  left(): void {
    this.#held = undefined
    this.http.left()
  }

  /** The client sends no more, and what it sent has been worked off. */
  inputEnded(): void {
    if (this.#held !== undefined || (this.#owner.full && this.http.idle)) return
    const exchange = this.#exchange
    if (exchange === undefined) this.#owner.close('done', '')
    else if (exchange.unfinished && exchange.wantsContent) {
      const reason = 'the client closed in the middle of its request'
      this.#owner.close(exchange.begun ? 'cut' : 'unfinished', reason)
      this.broken(new Error(reason))
    }
  }

  /** A timer has run out. */
  expired(what: Expiry): void {
    const within = what === 'handler' ? this.#exchange?.answerWithin : undefined
    const ordinary = this.#owner.overdue(what, within)
    if (ordinary === undefined) this.#owner.close('done', '')
    else {
      const { status, detail = '' } = ordinary
      this.fault({ kind: 'timeout', timer: what, status, reason: detail }, ordinary)
    }
  }

  /** Gives up the request at hand, or what has come of one, for what it holds. */
  shed(what: Problem): void {
    this.fault({ kind: 'memory', status: what.status, reason: what.detail ?? '' }, what)
  }

  /** The client is gone: the application is told. */
  broken(reason: Error): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.gone(reason)
  }

  /** Tells the application, and the client if that is possible; otherwise the connection ends. */
  fault(what: Omit<HttpFault, 'answerable'>, ordinary?: Problem): void {
    const exchange = this.#exchange
    // HTTP knows what it has begun; what others remember of it may be wrong.
    const answerable = this.http.idle || this.http.answerable
    const fault =
      exchange === undefined ? { ...what, answerable } : { request: exchange, ...what, answerable }
    const answer = answerTo(fault, this.#owner.handlers, ordinary)
    exchange?.gone(new Error(fault.reason))
    if (this.#owner.gone) this.#exchange = undefined
    else if (answerable) {
      this.#answer(fault, answer)
      this.responded()
    } else {
      this.#owner.close(
        fault.kind === 'client' ? 'refused' : 'cut',
        exchange?.begun ? 'the response broke off' : fault.reason,
      )
      this.#exchange = undefined
    }
  }

  // For the exchange.

  get handlers(): HttpHandlers {
    return this.#owner.handlers
  }
  get timers(): RequestTimers {
    return this.#owner.timers
  }
  get fields(): readonly Field[] {
    return this.#owner.fields
  }
  get lines(): string {
    this.#lines ??= fieldLines(this.#owner.fields)
    return this.#lines
  }
  get gone(): boolean {
    return this.#owner.gone
  }
  date(): number {
    return this.#owner.date()
  }
  room(): Promise<void> | undefined {
    return this.#owner.room()
  }
  pump(): void {
    this.#owner.pump()
  }
  fail(error: unknown): void {
    this.#owner.fail(error)
  }

  send(parts: readonly Uint8Array[], last = false): void {
    if (!this.#owner.gone) this.#owner.send(parts, last)
  }

  responded(): void {
    this.#exchange = undefined
    this.#owner.timers.stopAll()
    this.#owner.responded()
  }

  cut(reason: string): void {
    this.#exchange = undefined
    this.#owner.close('cut', reason)
  }

  tunnel(rest: Uint8Array, sink: ContentSink): HttpTunnel {
    this.#exchange = undefined
    this.#owner.timers.stopAll()
    return this.#owner.tunnel(rest, sink)
  }

  #on(event: H1Event): void {
    const owner = this.#owner
    switch (event.type) {
      case 'request':
        owner.timers.stop('headers')
        this.#admit(event)
        return
      case 'body':
        owner.touch()
        // From what has come last of a request to the head of its response.
        owner.timers.stop('handler')
        if (owner.timers.content(event.data.length)) this.#exchange?.data(event.data)
        else this.expired('request-rate')
        return
      case 'end':
        owner.timers.stop('request-body')
        this.#exchange?.ended(event.trailers)
        return
      case 'error':
        this.fault({ kind: 'client', status: event.status, reason: event.reason })
    }
  }

  #admit(request: Announced): boolean {
    if (this.#owner.admit(request)) {
      this.#held = undefined
      this.#begin(request)
      return true
    }
    this.#held = request
    return this.#keep()
  }

  #begin(request: Announced): void {
    const { handlers, timers, early } = this.#owner
    timers.accept()
    const exchange = new H1Exchange(this, request, early)
    this.#exchange = exchange
    this.http.accept()
    try {
      const underway = handlers.request(exchange, exchange)
      if (isPromise(underway))
        Promise.resolve(underway)
          .catch(cause => exchange.failed(cause))
          .catch(error => this.fail(error))
    } catch (cause) {
      exchange.failed(cause)
    }
  }

  /** Nothing is read on for now: what has come lies in the caller's memory. */
  #keep(): boolean {
    if (this.http.buffered > 0) this.http.receive(EMPTY)
    return false
  }

  #answer(fault: HttpFault, view: ResponseView): void {
    const now = this.#owner.date()
    // A client that is waited for in vain must not be taken for one that goes on.
    const closes = fault.kind === 'memory' || (fault.timer !== undefined && fault.timer !== 'handler')
    const more = closes ? [CLOSE, ...this.#owner.fields] : this.#owner.fields
    // What could not be read may have been CONNECT.
    const opens = fault.request === undefined || fault.request.method === 'CONNECT'
    replyTo(fault, view, opens, one => {
      const marked = { ...one, headers: [...(one.headers ?? []), ...more] }
      this.send([this.http.idle ? this.http.refuse(marked, now) : this.http.reply(marked, now)], true)
    })
  }
}
