import { EMPTY } from '../../wire/index.ts'
import type { Field, ResponseView } from '../message.ts'
import { type Problem, problem } from '../problem.ts'
import {
  answerTo,
  type ContentSink,
  type HttpFault,
  type HttpServing,
  type HttpTunnel,
  reasonOf,
  type ServingContext,
} from '../serving.ts'
import { expiryProblem, HttpTimers } from '../timers.ts'
import { type Announced, H1Exchange } from './exchange.ts'
import type { H1Limits } from './limits.ts'
import { type H1Event, H1Server } from './server.ts'
import { H1Tunnel } from './tunnel.ts'

/** Bytes of output beyond which a response waits for the client. */
const OUTPUT = 65_536
/** Bytes received ahead of what is being served, beyond which the client waits. */
const INPUT = 65_536

const CLOSE: Field = ['connection', 'close']

/** Serves HTTP/1.0 and 1.1: one request after the other, in order. */
export class H1Serving implements HttpServing {
  readonly protocol = 'http/1.1'
  readonly http: H1Server
  readonly context: ServingContext
  readonly timers: HttpTimers
  #out: Uint8Array[] = []
  #outBytes = 0
  #waiting: (() => void)[] = []
  #exchange: H1Exchange | undefined
  /** Takes what the client sends when that is no HTTP any more. */
  #tunnel: H1Tunnel | undefined
  #received = 0
  #pumping = false
  #finished = false
  #draining = false
  #over = false
  #aborted = false

  constructor(context: ServingContext, limits?: H1Limits) {
    this.context = context
    this.http = new H1Server(limits)
    this.timers = new HttpTimers(context.timers)
    this.timers.start('keep-alive', context.now())
  }

  get wantsInput(): boolean {
    if (this.#tunnel !== undefined) return this.#tunnel.wantsInput
    if (this.#over) return false
    const reading = this.#exchange === undefined ? this.#outBytes < OUTPUT : this.#exchange.wantsContent
    return reading || this.http.buffered < INPUT
  }

  get shouldClose(): boolean {
    return this.#over
  }

  get aborted(): boolean {
    return this.#aborted
  }

  receive(bytes: Uint8Array): void {
    if (this.#over) return
    if (this.#tunnel !== undefined) {
      this.#tunnel.receive(bytes)
      return
    }
    this.#received += bytes.length
    this.http.receive(bytes)
    this.pump()
    // What is left lies in the caller's memory.
    if (this.http.buffered > 0) this.http.receive(EMPTY)
  }

  takeOutput(): readonly Uint8Array[] {
    const out = this.#out
    if (out.length > 0) {
      this.#out = []
      this.#outBytes = 0
    }
    if (this.#waiting.length > 0) this.#release()
    // Requests may have waited for room for their answers.
    if (out.length > 0 && this.#exchange === undefined && this.http.buffered > 0) this.pump()
    return out
  }

  get held(): number {
    return this.http.buffered + this.#outBytes + (this.#tunnel?.held ?? 0)
  }

  shed(what: Problem): void {
    const { status, detail = '' } = what
    const exchange = this.#exchange
    if (this.#over) return
    if (this.#tunnel !== undefined || (exchange === undefined && this.http.idle && this.http.buffered === 0))
      this.cut()
    else {
      const request = exchange === undefined ? {} : { request: exchange }
      this.fault({ kind: 'memory', status, reason: detail, ...request }, what)
    }
  }

  finish(): void {
    this.#finished = true
    if (this.#tunnel !== undefined) this.#tunnel.finish()
    else this.#afterEnd()
  }

  broken(reason: Error): void {
    const [exchange, tunnel] = [this.#exchange, this.#tunnel]
    this.#end()
    this.#out = []
    exchange?.gone(reason)
    tunnel?.gone(reason)
  }

  drain(): void {
    this.#draining = true
    if (this.#exchange === undefined && this.#tunnel === undefined) this.#end()
  }

  tick(): void {
    if (this.#over) return
    const timer = this.timers.expired(this.context.now())
    if (timer === undefined) return
    this.timers.stop(timer)
    const ordinary = expiryProblem(timer, this.context.timers)
    if (ordinary === undefined) {
      this.#end()
      this.context.wake()
      return
    }
    const { status, detail = '' } = ordinary
    const exchange = this.#exchange
    const request = exchange === undefined ? {} : { request: exchange }
    this.fault({ kind: 'timeout', timer, status, reason: detail, ...request }, ordinary)
  }

  /** Takes events until more bytes, or the application, are needed. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    const { goesOn } = this.context
    let yields = false
    try {
      while (!this.#over) {
        yields = goesOn?.() === false
        if (yields) break
        const exchange = this.#exchange
        if (exchange === undefined ? this.#outBytes >= OUTPUT : !exchange.wantsContent) break
        const event = this.http.next()
        if (event === undefined) break
        this.#on(event)
      }
    } finally {
      this.#pumping = false
    }
    if (!this.#over && this.#tunnel === undefined) {
      if (this.http.shouldClose) this.#end()
      else if (this.#finished && !yields) this.#afterEnd()
      else this.#watch()
    }
    // What was said meanwhile was said in silence.
    this.context.wake()
  }

  send(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#out.push(bytes)
    this.#outBytes += bytes.length
    this.wake()
  }

  /** @returns undefined, or a promise of the moment when the client has taken what waits */
  room(): Promise<void> | undefined {
    return this.#outBytes < OUTPUT ? undefined : new Promise(resolve => this.#waiting.push(resolve))
  }

  wake(): void {
    if (!this.#pumping) this.context.wake()
  }

  /** The response is complete. */
  responded(): void {
    this.#exchange = undefined
    this.timers.stopAll()
    if (this.#draining || this.http.shouldClose) {
      this.#end()
      this.wake()
    } else if (!this.#pumping) this.pump()
  }

  /**
   * The connection has become another protocol's. @param head of the response that says so @param rest what
   * has come behind the request
   */
  tunnel(head: Uint8Array, rest: Uint8Array, sink: ContentSink): HttpTunnel {
    this.#exchange = undefined
    this.timers.stopAll()
    this.send(head)
    const tunnel = new H1Tunnel(this, sink, rest)
    this.#tunnel = tunnel
    if (this.#finished) tunnel.finish()
    return tunnel
  }

  /** We end the tunnel. */
  closeTunnel(): void {
    this.#end()
    this.wake()
  }

  /** Tells the application, and the client if that is possible; otherwise the connection ends. */
  fault(what: Omit<HttpFault, 'answerable'>, ordinary?: Problem): void {
    const exchange = this.#exchange
    // HTTP knows what it has begun; what others remember of it may be wrong.
    const fault = { ...what, answerable: this.http.idle || this.http.answerable }
    const answer = answerTo(fault, this.context.handlers, ordinary)
    exchange?.gone(new Error(fault.reason))
    if (fault.answerable) {
      this.#answer(fault, answer)
      this.responded()
    } else {
      this.#aborted = exchange?.begun === true
      this.#end()
    }
    this.wake()
  }

  /** The application threw where the client cannot be told. */
  tell(cause: unknown): void {
    const fault = {
      kind: 'application',
      status: 500,
      reason: reasonOf(cause),
      cause,
      answerable: false,
    } as const
    answerTo(fault, this.context.handlers)
  }

  /** What the client gets cannot be finished. */
  cut(): void {
    this.#aborted = true
    this.#end()
    this.wake()
  }

  #answer(fault: HttpFault, view: ResponseView): void {
    const now = this.context.date()
    // A client that is waited for in vain must not be taken for one that goes on.
    const closes = fault.kind === 'memory' || (fault.timer !== undefined && fault.timer !== 'handler')
    const answer = closes ? { ...view, headers: [...(view.headers ?? []), CLOSE] } : view
    const send = (one: ResponseView): void =>
      this.send(this.http.idle ? this.http.refuse(one, now) : this.http.reply(one, now))
    try {
      send(answer)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      send(problem({ name: 'application-failed', status: 500, headers: closes ? [CLOSE] : [] }))
    }
  }

  get early(): boolean {
    return this.#received - this.http.buffered < this.context.earlyBytes()
  }

  #on(event: H1Event): void {
    switch (event.type) {
      case 'request':
        this.#request(event)
        return
      case 'body': {
        const now = this.context.now()
        this.timers.content(event.data.length, now)
        this.timers.start('request-body', now)
        this.timers.prolong('handler', now)
        this.#exchange?.data(event.data)
        return
      }
      case 'end':
        this.timers.stop('request-body')
        this.#exchange?.ended(event.trailers)
        return
      case 'error':
        this.fault({ kind: 'client', status: event.status, reason: event.reason })
    }
  }

  #request(event: Announced): void {
    const { context, timers } = this
    timers.stop('keep-alive')
    timers.stop('headers')
    timers.start('handler', context.now())
    const exchange = new H1Exchange(this, event)
    this.#exchange = exchange
    this.http.accept()
    try {
      const underway = context.handlers.request(exchange, exchange)
      if (underway instanceof Promise) underway.catch(cause => exchange.failed(cause)).catch(context.fault)
    } catch (cause) {
      exchange.failed(cause)
    }
  }

  /** Nothing is being served: either nothing has come, or the beginning of a head. */
  #watch(): void {
    if (this.#exchange !== undefined) return
    const now = this.context.now()
    if (this.http.buffered > 0) {
      this.timers.stop('keep-alive')
      this.timers.begin('headers', now)
    } else this.timers.begin('keep-alive', now)
  }

  /** The client sends no more. */
  #afterEnd(): void {
    const exchange = this.#exchange
    if (exchange === undefined) this.#end()
    else if (exchange.unfinished && exchange.wantsContent) {
      this.#aborted = exchange.begun
      this.#end()
      exchange.gone(new Error('the client closed in the middle of its request'))
    }
  }

  #end(): void {
    this.#over = true
    this.#exchange = undefined
    this.#tunnel = undefined
    this.timers.stopAll()
    this.#release()
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
