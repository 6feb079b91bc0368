import { EMPTY } from '../../wire/index.ts'
import type { Field, RequestHead } from '../message.ts'
import type { Scheme } from '../origin.ts'
import type { Problem } from '../problem.ts'
import type { HttpHandlers, HttpServing, ServingContext } from '../serving.ts'
import { ClockTimers, type Expiry, expiryProblem, type TimerSettings } from '../timers.ts'
import type { H2Limits } from './limits.ts'
import type { Announced, H2Owner } from './owner.ts'
import { H2Serving } from './serving.ts'

/** Bytes of output beyond which the client has to take some before it is heard again. */
const OUTPUT = 524_288

/** Drives HTTP/2 over any stream: takes events as long as there are some, and gathers the output. */
export class H2Pump implements HttpServing, H2Owner {
  readonly protocol = 'h2'
  readonly aborted = false
  readonly outputEnded = false
  readonly fields: readonly Field[] = []
  readonly unaccepted: Iterable<number> = []
  readonly scheme: Scheme
  readonly bodyBytes: number
  readonly tunnels: boolean
  readonly timers: ClockTimers
  readonly #context: ServingContext
  readonly #serving: H2Serving
  /** Bytes received before those at hand, and those. */
  #received = 0
  #atHand = 0
  #pulling = false
  #ticked: number
  /** The client sends no more. */
  #finished = false
  #over = false

  /** @param bodyBytes of content that a request may have @param tunnels whether CONNECT is taken */
  constructor(
    context: ServingContext,
    scheme: Scheme,
    limits?: H2Limits,
    bodyBytes = Number.POSITIVE_INFINITY,
    tunnels = false,
  ) {
    this.#context = context
    this.scheme = scheme
    this.bodyBytes = bodyBytes
    this.tunnels = tunnels
    this.timers = new ClockTimers(context.timers, context.now)
    this.#serving = new H2Serving(this, limits)
    this.#ticked = context.now()
    this.timers.wait('keep-alive')
  }

  /** Windows hold its content back; a client that takes no answers is held back altogether. */
  get wantsInput(): boolean {
    return !this.#over && this.#serving.http.untaken < OUTPUT
  }

  get shouldClose(): boolean {
    const { http, exchanges } = this.#serving
    return this.#over || http.shouldClose || (this.#finished && exchanges.size === 0)
  }

  receive(bytes: Uint8Array): void {
    if (this.#over) return
    this.#serving.http.receive(bytes)
    this.#atHand += bytes.length
    this.#pull()
  }

  get held(): number {
    return this.#serving.held
  }

  get pending(): boolean {
    for (const exchange of this.#serving.exchanges.values()) if (exchange.pending) return true
    return false
  }

  /**
   * The streams that hold much; when what is left is much as well, or was all that there is, the connection
   * ends.
   */
  shed(what: Problem): void {
    if (this.#over) return
    const before = this.held
    if (this.#serving.shed(what) && this.held < before) return
    this.#serving.http.calm(what.name)
    this.broken(new Error(what.name))
  }

  takeOutput(): readonly Uint8Array[] {
    const bytes = this.#serving.http.takeOutput()
    if (bytes.length === 0) return []
    // Room for output may be room for content.
    this.#pull()
    return [bytes]
  }

  finish(): void {
    this.#finished = true
    this.#serving.inputEnded()
  }

  broken(reason: Error): void {
    this.#over = true
    this.#serving.broken(reason)
  }

  /** In two steps: the client is told, and what it has asked for meanwhile is served. */
  drain(): void {
    this.#serving.http.shutdown()
    this.#context.wake()
  }

  tick(): void {
    if (this.#over) return
    const { http } = this.#serving
    const now = this.now()
    http.tick(now - this.#ticked)
    this.#ticked = now
    this.#serving.tick(now)
    const expired = this.timers.expired()
    if (expired === 'headers') {
      // The beginning of a head lets nothing else come.
      http.calm('the head was not complete in time')
      this.broken(new Error('the client stopped in the middle of a head'))
    } else if (expired !== undefined) {
      // Once for the client to hear of it, once more for those that do not answer.
      http.shutdown()
      http.shutdown()
    }
    this.#pull()
    this.#context.wake()
  }

  /** Takes all events that there are. */
  #pull(): void {
    if (this.#pulling) return
    this.#pulling = true
    const { goesOn } = this.#context
    const serving = this.#serving
    try {
      let more = true
      while (more && goesOn?.() !== false) more = serving.step()
      if (more) {
        // What is left lies in the caller's memory.
        serving.http.receive(EMPTY)
      } else {
        this.#received += this.#atHand
        this.#atHand = 0
      }
    } finally {
      this.#pulling = false
    }
    this.#settle()
  }

  #settle(): void {
    if (this.#over) return
    this.#serving.settle()
    if (this.#serving.exchanges.size === 0) this.timers.wait('keep-alive')
    else this.timers.stop('keep-alive')
  }

  // For HTTP.

  get handlers(): HttpHandlers {
    return this.#context.handlers
  }
  get settings(): TimerSettings {
    return this.#context.timers
  }
  get gone(): boolean {
    return this.#over
  }
  get early(): boolean {
    return this.#received < this.#context.earlyBytes()
  }
  now(): number {
    return this.#context.now()
  }
  date(): number {
    return this.#context.date()
  }
  announced(request: Announced, head: RequestHead): void {
    const { handlers } = this
    this.#serving.accept(request, head, exchange => handlers.request(exchange, exchange))
  }
  wake(): void {
    if (this.#pulling) return
    this.#settle()
    this.#context.wake()
  }
  wakeBy(): void {}
  touch(): void {}
  reset(): void {}
  responded(): void {
    this.timers.stop('keep-alive')
  }
  overdue(what: Expiry, within?: number): Problem | undefined {
    return expiryProblem(what, this.#context.timers, within)
  }
  failed(): void {
    this.#over = true
  }
  fail(error: unknown): void {
    this.#context.fault(error)
  }
}
