import { EMPTY } from '../../wire/index.ts'
import type { Problem } from '../problem.ts'
import { answerTo, type HttpServing, reasonOf, type ServingContext } from '../serving.ts'
import { HttpTimers } from '../timers.ts'
import type { H2Event } from './event.ts'
import { type Announced, H2Exchange } from './exchange.ts'
import type { H2Limits } from './limits.ts'
import { H2Server } from './server.ts'

/** Bytes of output beyond which the client has to take some before it is heard again. */
const OUTPUT = 524_288

/**
 * Bytes that a stream may hold and be spared when others of its connection are given up, and the connection
 * then.
 */
const SPARED = 16_384
const RESIDUE = 65_536

/** Serves HTTP/2: as many requests at a time as the client likes, within the limits. */
export class H2Serving implements HttpServing {
  readonly protocol = 'h2'
  readonly http: H2Server
  readonly context: ServingContext
  readonly aborted = false
  readonly #timers: HttpTimers
  readonly #exchanges = new Map<number, H2Exchange>()
  /** Bytes received before those at hand, and those. */
  #received = 0
  #atHand = 0
  #pulling = false
  #requests = 0
  #ticked: number
  /** The client sends no more. */
  #finished = false
  #over = false

  constructor(context: ServingContext, limits?: H2Limits) {
    this.context = context
    this.http = new H2Server(limits)
    this.#timers = new HttpTimers(context.timers)
    this.#ticked = context.now()
    this.#timers.start('keep-alive', this.#ticked)
  }

  /** Windows hold its content back; a client that takes no answers is held back altogether. */
  get wantsInput(): boolean {
    return !this.#over && this.http.untaken < OUTPUT
  }

  get shouldClose(): boolean {
    return this.#over || this.http.shouldClose || (this.#finished && this.#exchanges.size === 0)
  }

  receive(bytes: Uint8Array): void {
    if (this.#over) return
    this.http.receive(bytes)
    this.#atHand += bytes.length
    this.pull()
  }

  get held(): number {
    let bytes = this.http.held
    for (const exchange of this.#exchanges.values()) bytes += exchange.held
    return bytes
  }

  /**
   * The streams that hold much; when what is left is much as well, or was all that there is, the connection
   * ends.
   */
  shed(what: Problem): void {
    if (this.#over) return
    const before = this.held
    for (const exchange of [...this.#exchanges.values()]) if (exchange.held > SPARED) exchange.shed(what)
    for (const streamId of this.http.shed(SPARED)) {
      this.#exchanges.get(streamId)?.gone(new Error(what.name))
      this.forget(streamId)
    }
    if (this.held < before && this.held <= RESIDUE) return
    this.http.calm(what.name)
    this.broken(new Error(what.name))
  }

  takeOutput(): readonly Uint8Array[] {
    const bytes = this.http.takeOutput()
    if (bytes.length === 0) return []
    // Room for output may be room for content.
    this.pull()
    return [bytes]
  }

  /** What is underway goes on, as far as the windows that the client has opened reach. */
  finish(): void {
    this.#finished = true
    for (const [streamId, exchange] of [...this.#exchanges]) {
      if (exchange.whole) continue
      exchange.gone(new Error('the client closed in the middle of its request'))
      this.forget(streamId)
    }
  }

  broken(reason: Error): void {
    this.#over = true
    for (const exchange of [...this.#exchanges.values()]) exchange.gone(reason)
    this.#exchanges.clear()
  }

  /** In two steps: the client is told, and what it has asked for meanwhile is served. */
  drain(): void {
    this.http.shutdown()
    this.context.wake()
  }

  tick(): void {
    if (this.#over) return
    const now = this.context.now()
    this.http.tick(now - this.#ticked)
    this.#ticked = now
    for (const exchange of [...this.#exchanges.values()]) exchange.tick(now)
    if (this.#timers.expired(now) !== undefined) {
      this.#timers.stopAll()
      // Once for the client to hear of it, once more for those that do not answer.
      this.http.shutdown()
      this.http.shutdown()
    }
    this.pull()
    this.context.wake()
  }

  /** Takes all events that there are. */
  pull(): void {
    if (this.#pulling) return
    this.#pulling = true
    const { goesOn } = this.context
    try {
      while (goesOn?.() !== false) {
        const event = this.http.next()
        if (event !== undefined) {
          this.#on(event)
          continue
        }
        this.#received += this.#atHand
        this.#atHand = 0
        return
      }
      // What is left lies in the caller's memory.
      this.http.receive(EMPTY)
    } finally {
      this.#pulling = false
    }
  }

  wake(): void {
    if (!this.#pulling) this.context.wake()
  }

  /** A stream is over. */
  forget(streamId: number): void {
    this.#exchanges.delete(streamId)
    if (this.#exchanges.size === 0) this.#timers.start('keep-alive', this.context.now())
  }

  get early(): boolean {
    return this.#received < this.context.earlyBytes()
  }

  #on(event: H2Event): void {
    switch (event.type) {
      case 'request':
        this.#request(event)
        return
      case 'data': {
        const exchange = this.#exchanges.get(event.streamId)
        if (exchange === undefined) this.http.consume(event.streamId, event.data.length)
        else exchange.data(event.data, event.endStream)
        return
      }
      case 'trailers':
        this.#exchanges.get(event.streamId)?.ended(event.headers)
        return
      case 'drain':
        this.#exchanges.get(event.streamId)?.drained()
        return
      case 'reset': {
        const exchange = this.#exchanges.get(event.streamId)
        exchange?.gone(new Error(`the stream was reset with error ${event.code}`))
        this.forget(event.streamId)
        return
      }
      case 'error': {
        const { reason } = event
        answerTo({ kind: 'client', status: 400, reason, answerable: false }, this.context.handlers)
        this.broken(new Error(reason))
      }
    }
  }

  #request(event: Announced): void {
    const { context } = this
    this.#timers.stop('keep-alive')
    if (event.method === 'CONNECT' && event.protocol === undefined) {
      this.#refuse(event.streamId, 501, 'this server opens no tunnels')
      return
    }
    let exchange: H2Exchange
    try {
      exchange = new H2Exchange(this, event, this.#requests++)
    } catch (error) {
      this.#refuse(event.streamId, 400, reasonOf(error))
      return
    }
    this.#exchanges.set(event.streamId, exchange)
    this.http.accept(event.streamId)
    try {
      const underway = context.handlers.request(exchange, exchange)
      if (underway instanceof Promise) underway.catch(cause => exchange.failed(cause)).catch(context.fault)
    } catch (cause) {
      exchange.failed(cause)
    }
  }
  #refuse(streamId: number, status: number, reason: string): void {
    const { handlers, date } = this.context
    const answer = answerTo({ kind: 'client', status, reason, answerable: true }, handlers)
    this.http.reply(streamId, answer, date())
  }
}
