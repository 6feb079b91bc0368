import { EMPTY } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import type { Field } from '../message.ts'
import type { Scheme } from '../origin.ts'
import type { Problem } from '../problem.ts'
import {
  answerTo,
  type ContentSink,
  type HttpHandlers,
  type HttpServing,
  type HttpTunnel,
  type ServingContext,
} from '../serving.ts'
import { ClockTimers, type Expiry, expiryProblem } from '../timers.ts'
import type { H1Limits } from './limits.ts'
import { type H1End, type H1Owner, H1Serving } from './serving.ts'
import { H1Tunnel, type TunnelOwner } from './tunnel.ts'

/** Bytes of output beyond which a response waits for the client. */
const OUTPUT = 65_536
/** Bytes received ahead of what is being served, beyond which the client waits. */
const INPUT = 65_536

/** Drives HTTP/1 over any stream: takes events as long as there are some, and gathers the output. */
export class H1Pump implements HttpServing, H1Owner, TunnelOwner {
  readonly protocol = 'http/1.1'
  readonly fields: readonly Field[] = []
  readonly timers: ClockTimers
  readonly scheme: Scheme
  readonly #context: ServingContext
  readonly #serving: H1Serving
  #out: Uint8Array[] = []
  #outBytes = 0
  #waiting: (() => void)[] = []
  /** Takes what the client sends when that is no HTTP any more. */
  #tunnel: H1Tunnel | undefined
  #received = 0
  #pumping = false
  #finished = false
  #draining = false
  #over = false
  #outputEnded = false
  #aborted = false

  constructor(context: ServingContext, scheme: Scheme, limits?: H1Limits) {
    this.#context = context
    this.scheme = scheme
    this.timers = new ClockTimers(context.timers, context.now)
    this.#serving = new H1Serving(this, limits)
    this.timers.wait('keep-alive')
  }

  get wantsInput(): boolean {
    if (this.#tunnel !== undefined) return this.#tunnel.wantsInput
    if (this.#over) return false
    return this.#serving.wantsInput || this.#serving.http.buffered < INPUT
  }

  get shouldClose(): boolean {
    return this.#over
  }

  get outputEnded(): boolean {
    return this.#outputEnded
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
    this.#serving.http.receive(bytes)
    this.pump()
    // What is left lies in the caller's memory.
    if (this.#serving.http.buffered > 0) this.#serving.http.receive(EMPTY)
  }

  takeOutput(): readonly Uint8Array[] {
    const out = this.#out
    if (out.length > 0) {
      this.#out = []
      this.#outBytes = 0
    }
    if (this.#waiting.length > 0) this.#release()
    // Requests may have waited for room for their answers.
    const { exchange, http } = this.#serving
    if (out.length > 0 && exchange === undefined && (http.buffered > 0 || this.#finished)) this.pump()
    return out
  }

  get held(): number {
    return this.#serving.http.buffered + this.#outBytes + (this.#tunnel?.held ?? 0)
  }

  get pending(): boolean {
    return this.#tunnel !== undefined || this.#serving.exchange?.begun === false
  }

  shed(what: Problem): void {
    const { http, quiet } = this.#serving
    if (this.#over) return
    if (this.#tunnel !== undefined || (quiet && http.buffered === 0)) this.cut()
    else {
      this.#serving.shed(what)
      this.wake()
    }
  }

  finish(): void {
    this.#finished = true
    if (this.#tunnel !== undefined) this.#tunnel.finish()
    else this.#serving.inputEnded()
  }

  broken(reason: Error): void {
    const tunnel = this.#tunnel
    this.#end()
    this.#out = []
    this.#serving.broken(reason)
    tunnel?.gone(reason)
  }

  drain(): void {
    this.#draining = true
    if (this.#serving.exchange === undefined && this.#tunnel === undefined) this.#end()
  }

  tick(): void {
    if (this.#over) return
    const timer = this.timers.expired()
    if (timer === undefined) return
    this.#serving.expired(timer)
    this.wake()
  }

  /** Takes events until more bytes, or the application, are needed. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    const serving = this.#serving
    const { goesOn } = this.#context
    let yields = false
    try {
      while (!this.#over && this.#tunnel === undefined) {
        yields = goesOn?.() === false
        if (yields || !serving.step()) break
      }
    } finally {
      this.#pumping = false
    }
    if (this.#finished && !yields && this.#tunnel === undefined && !this.#over) serving.inputEnded()
    if (this.#tunnel === undefined && !this.#over) this.#watch()
    // While it pumps, `wake` tells the context nothing.
    this.#context.wake()
  }

  send(parts: readonly Uint8Array[]): void {
    for (const bytes of parts) {
      if (bytes.length === 0) continue
      this.#out.push(bytes)
      this.#outBytes += bytes.length
    }
    this.wake()
  }

  /** @returns undefined, or a promise of the moment when the client has taken what waits */
  room(): Promise<void> | undefined {
    return this.#outBytes < OUTPUT ? undefined : new Promise(resolve => this.#waiting.push(resolve))
  }

  wake(): void {
    if (!this.#pumping) this.#context.wake()
  }

  // For HTTP.

  get handlers(): HttpHandlers {
    return this.#context.handlers
  }
  get gone(): boolean {
    return this.#over
  }
  get full(): boolean {
    return this.#outBytes >= OUTPUT
  }
  get early(): boolean {
    return this.#received - this.#serving.http.buffered < this.#context.earlyBytes()
  }
  date(): number {
    return this.#context.date()
  }
  touch(): void {}

  admit(): boolean {
    this.timers.stop('keep-alive')
    return true
  }

  overdue(what: Expiry, within?: number): Problem | undefined {
    return expiryProblem(what, this.#context.timers, within)
  }

  responded(): void {
    if (this.#draining || this.#serving.http.shouldClose) {
      this.#end()
      this.wake()
    } else if (!this.#pumping) this.pump()
  }

  close(how: H1End): void {
    const begun = this.#serving.exchange?.begun === true
    this.#aborted = how === 'cut' || (how === 'refused' && begun)
    this.#end()
    this.wake()
  }

  tunnel(rest: Uint8Array, sink: ContentSink): HttpTunnel {
    const tunnel = new H1Tunnel(this, sink, rest)
    this.#tunnel = tunnel
    if (this.#finished) tunnel.finish()
    return tunnel
  }

  fail(error: unknown): void {
    this.#context.fault(error)
  }

  // For a tunnel.

  endOutput(): void {
    this.#outputEnded = true
    this.wake()
  }

  closeTunnel(): void {
    this.#end()
    this.wake()
  }

  tell(cause: unknown): void {
    const reason = reasonOf(cause)
    answerTo({ kind: 'application', status: 500, reason, cause, answerable: false }, this.handlers)
  }

  cut(): void {
    this.#aborted = true
    this.#end()
    this.wake()
  }

  /** Nothing is being served: either nothing has come, or the beginning of a head. */
  #watch(): void {
    const serving = this.#serving
    serving.settle()
    if (serving.exchange === undefined && serving.http.buffered === 0) this.timers.wait('keep-alive')
    else this.timers.stop('keep-alive')
  }

  #end(): void {
    this.#over = true
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
