import { H1Error } from '../../http/h1/error.ts'
import { ErrorCode, type H2Event, H2Server, type H2State } from '../../http/h2/index.ts'
import { requestHead } from '../../http/h2/request-head.ts'
import type { Field, RequestHead } from '../../http/message.ts'
import type { Problem } from '../../http/problem.ts'
import type { TimerSettings } from '../../http/timers.ts'
import { steadyNow } from '../../platform/clock.ts'
import type { Log } from '../../platform/log.ts'
import type { ApplicationState } from '../../transfer/envelope.ts'
import type { Guard } from '../../transport/guard.ts'
import { EMPTY } from '../../wire/index.ts'
import { type Timeout, timeoutProblem } from '../connection/timeout.ts'
import { CARRIED_BYTES, CARRIED_REQUEST_BYTES, MovePolicy } from '../move/policy.ts'
import { unavailable } from '../move/unavailable.ts'
import { Acceptance } from './acceptance.ts'
import type { AnnouncedRequest, CallOwner } from './call.ts'
import { Calls } from './calls.ts'
import type { Protocol, ProtocolOwner, Refusal } from './protocol.ts'
import { heldBy, type Streams, shed } from './shedding.ts'
import { WaitingRequests } from './waiting.ts'

/** Bytes of output beyond which a client that does not take it is not heard any more: as much as may move. */
const OUTPUT = CARRIED_BYTES

/** How often the HTTP/2 connection is told the time while streams are open, in milliseconds. */
const TICK = 1000

/**
 * HTTP/2 on one connection: every stream is a call of its own. Requests for other functions wait unaccepted,
 * and so are part of the exported state, until `policy.ts` says that the connection moves or that they are
 * lent.
 */
export class Http2 implements Protocol, CallOwner {
  readonly http: H2Server
  readonly #owner: ProtocolOwner
  readonly #policy: MovePolicy
  readonly #calls = new Calls()
  readonly #acceptance: Acceptance
  readonly #waiting = new WaitingRequests()
  /**
   * The functions whose containers did not take the connection: what waits for them is answered with that.
   */
  #refusal: Refusal | undefined
  #held = false
  #failed = false
  #leaving = false
  #told: number

  /** @param state undefined on a connection that begins */
  constructor(
    owner: ProtocolOwner,
    state: { readonly requestsServed: number; readonly http: H2State } | undefined,
    refusal?: Refusal,
  ) {
    this.#owner = owner
    this.#policy = new MovePolicy(owner.host.limits.quietMilliseconds)
    this.http = new H2Server(owner.host.limits.http2, state?.http, owner.host.exceeded)
    this.#acceptance = new Acceptance(owner, this, this.#calls, state?.requestsServed ?? 0)
    this.#refusal = refusal
    this.#told = steadyNow()
  }

  receive(bytes: Uint8Array): void {
    this.http.receive(bytes)
  }

  step(): boolean {
    if (this.http.untaken > OUTPUT && !this.#give()) {
      // What has come lies in somebody else's memory.
      this.http.receive(EMPTY)
      return false
    }
    const event = this.http.next()
    if (event !== undefined) {
      this.#on(event)
      return true
    }
    this.#refusal = undefined
    if (this.http.shouldClose) this.#owner.goodbye()
    return false
  }

  settle(): void {
    this.#calls.wait()
    this.#tell()
    // The connection is somebody else's now, or was restored anew.
    if (this.#decide()) return
    // Room for output may be room for content, which is reported as an event.
    do while (this.goesOn() && this.step());
    while (this.#give())
    if (this.http.openStreams > 0) this.wakeBy(this.#told + TICK)
    if (this.http.input.inHeaders) this.#owner.timers.wait('headers')
    else this.#owner.timers.stop('headers')
  }

  tick(now: number): void {
    this.#calls.tick(now)
  }

  expired(timer: Timeout): void {
    const what = timeoutProblem(timer, this.settings)
    this.log.debug({ timer }, what.detail)
    if (timer === 'container') {
      const reachable = new Set(this.#waiting.reachable(this.#owner))
      const lost = [...this.#waiting.values()].filter(one => !reachable.has(one))
      for (const { functionName, request } of this.#waiting.take(lost, this.#owner))
        this.#acceptance.answer(request.streamId, timeoutProblem(timer, this.settings, functionName))
      return
    }
    // The beginning of a head lets nothing else come: the connection is of no use any more.
    this.cancel(new Error('the client stopped in the middle of a head'))
    this.#owner.goodbye()
  }

  get settings(): TimerSettings {
    return this.#owner.host.limits.timers
  }

  wakeBy(at: number): void {
    this.#owner.timers.wakeBy(at)
  }

  flush(): void {
    while (this.#give());
  }

  /**
   * What a client may send unread is bounded by windows and budgets, and none of it is anybody else's; but
   * answers are not bounded by windows alone.
   */
  get wantsInput(): boolean {
    return this.http.untaken <= OUTPUT
  }

  get held(): number {
    return heldBy(this.#streams)
  }

  shed(what: Problem): void {
    const refuse = (streamId: number): void => {
      this.#waiting.delete(streamId)
      this.#acceptance.answer(streamId, what)
    }
    const before = this.held
    if (!shed(this.#streams, what, refuse)) {
      this.#failed = true
      this.http.calm(what.name)
      this.cancel(new Error(what.detail))
    } else if (this.held < before) return
    // What is left are tables, which only the end of the connection gives back.
    if (this.#failed || (this.quiet && this.#waiting.size === 0)) this.#owner.goodbye()
    else this.drain()
  }

  get #streams(): Streams {
    return { http: this.http, calls: this.#calls, waiting: this.#waiting }
  }

  get buffered(): number {
    return this.http.input.buffered
  }

  get requests(): number {
    return this.#acceptance.count
  }

  /** What functions have given and windows have not let through goes along, unless it is much. */
  get quiet(): boolean {
    const { http } = this
    return this.#calls.size === 0 && !this.#failed && !http.reporting && http.unsent <= CARRIED_BYTES
  }

  get portable(): boolean {
    const { http } = this
    const bytes = this.#calls.portable ?? Infinity
    return !this.#failed && !http.reporting && bytes <= CARRIED_REQUEST_BYTES && http.unsent <= CARRIED_BYTES
  }

  withdraw(): void {
    this.#acceptance.count -= this.#calls.size
    this.#calls.withdraw(this.http, this.#owner.timers.rates, this.#waiting)
  }

  get calling(): boolean {
    return this.#calls.working
  }

  get watched(): boolean {
    return this.#calls.timed || this.#waiting.size > 0 || this.http.input.inHeaders
  }

  /** What has come whole is answered all the same. */
  inputEnded(): void {
    // What is held back has not been looked at.
    if (!this.wantsInput) return
    for (const streamId of this.#calls.cutOff()) this.http.reset(streamId)
    if (this.#calls.size === 0 && this.#waiting.size === 0) this.#owner.goodbye()
  }

  /** A stream that is a WebSocket cannot go along. */
  hold(mustLeave: boolean): string | undefined {
    if (mustLeave) this.#calls.drain()
    else if (this.#calls.tunnelled) return 'a WebSocket on one of its streams cannot move'
    this.#held = true
    return undefined
  }

  unhold(): void {
    this.#held = false
    this.#acceptOwn()
    this.#owner.pump()
  }

  drain(): void {
    this.#held = false
    if (!this.#leaving && !this.#failed) this.http.shutdown()
    if (!this.#leaving) this.#calls.drain()
    this.#leaving = true
    this.#acceptOwn()
    this.#owner.pump()
  }

  /** What was held back is served here after all. */
  #acceptOwn(): void {
    const { host } = this.#owner
    const own = [...this.#waiting.values()].filter(one => one.functionName === host.functionName)
    for (const one of this.#waiting.take(own, this.#owner)) this.#acceptance.accept(one)
  }

  /** Requests that nobody has looked at may be sent again elsewhere, and the client is told so. */
  farewell(): void {
    for (const streamId of this.#waiting.keys()) this.http.reset(streamId, ErrorCode.REFUSED_STREAM)
    this.#waiting.clear()
    if (!this.#failed) {
      this.http.shutdown()
      this.http.shutdown()
    }
    this.flush()
  }

  cancel(reason: Error): void {
    this.#calls.cancel(reason)
  }

  export(): ApplicationState {
    return { protocol: 'http2', requestsServed: this.#acceptance.count, http: this.http.export() }
  }

  get fields(): readonly Field[] {
    return this.#owner.fields
  }

  get log(): Log {
    return this.#owner.host.log
  }

  get gone(): boolean {
    return this.#owner.gone
  }

  get guard(): Guard {
    return this.#owner.guard
  }

  kick(): void {
    this.#owner.pump()
  }

  goesOn(): boolean {
    return this.#owner.goesOn()
  }

  ended(streamId: number): void {
    this.#calls.remove(streamId)
    this.#owner.responded()
  }

  #on(event: H2Event): void {
    switch (event.type) {
      case 'request':
        this.#onRequest(event)
        return
      case 'data':
        this.#owner.touch()
        this.#calls.get(event.streamId)?.receive(event.data)
        if (event.endStream) this.#calls.get(event.streamId)?.received()
        return
      case 'trailers':
        this.#calls.get(event.streamId)?.received()
        return
      case 'drain':
        this.#calls.get(event.streamId)?.drained()
        return
      case 'reset':
        this.#waiting.delete(event.streamId)
        this.#calls.get(event.streamId)?.cancel(new Error('the stream was reset'))
        this.#calls.remove(event.streamId)
        return
      case 'error':
        this.#failed = true
        this.#waiting.clear()
        this.cancel(new Error(event.reason))
        this.log.debug({ code: event.code, reason: event.reason }, 'the HTTP/2 connection failed')
        this.#owner.goodbye()
    }
  }

  #onRequest(request: AnnouncedRequest): void {
    const { streamId } = request
    this.#owner.timers.stop('headers')
    let head: RequestHead
    try {
      head = requestHead(request)
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
      this.#acceptance.answer(streamId, { name: 'bad-request', status: error.status, detail: error.message })
      return
    }
    const { host } = this.#owner
    const functionName = host.ownerOf(head.path, head.host)?.functionName ?? host.functionName
    const interrupted = this.#owner.refuse(head.method, functionName, false)
    if (interrupted !== undefined) {
      this.#acceptance.answer(streamId, interrupted)
      return
    }
    const one = { request, head, functionName, since: steadyNow() }
    const elsewhere = functionName !== host.functionName
    if (elsewhere && this.#refusal?.functionName === functionName) {
      this.#acceptance.answer(streamId, this.#refusal.answer)
      return
    }
    if (elsewhere) this.#policy.foreign(functionName)
    else this.#policy.own(this.#waiting.size > 0)
    if (elsewhere || this.#held) this.#waiting.set(streamId, one)
    else this.#acceptance.accept(one)
  }

  /**
   * What becomes of the requests that wait: see `policy.ts`. @returns whether the connection is not ours any
   * more
   */
  #decide(): boolean {
    if (!this.#owner.open) return true
    const reachable = this.#waiting.reachable(this.#owner)
    const first = reachable[0]
    if (first === undefined) return false
    const busy = !this.quiet || this.#waiting.ballast(this.http, first.functionName) > CARRIED_BYTES
    const waited = steadyNow() - first.since
    // Whoever holds requests back sees to the move; they are lent if it takes too long.
    const decision = this.#held
      ? busy && waited >= this.#policy.bound
        ? 'lend'
        : 'wait'
      : this.#policy.decide(busy, waited)
    if (decision === 'wait') {
      if (busy) this.wakeBy(first.since + this.#policy.bound + 1)
      return false
    }
    if (decision === 'move' && this.#owner.move(first.functionName)) return true
    const some = reachable.filter(one => decision === 'lend' || one.functionName === first.functionName)
    for (const one of this.#waiting.take(some, this.#owner)) {
      if (decision === 'lend') this.#acceptance.lend(one)
      else this.#acceptance.answer(one.request.streamId, unavailable(one.functionName, 'none ready'))
    }
    return this.#decide()
  }

  /**
   * Gives the way out some of the output, unless the client has not taken what it got. @returns whether there
   * was any
   */
  #give(): boolean {
    const { out } = this.#owner
    if (out.blocked || this.gone) return false
    const bytes = this.http.takeOutput()
    if (bytes.length === 0) return false
    const { http } = this
    // Not for what WebSockets are asked: their clients answer, or are not there. But who opens windows takes
    // what waits for them.
    if (this.#calls.timed || http.openStreams > this.#calls.size || http.unsent > 0) this.#owner.touch()
    out.send([bytes])
    return true
  }

  #tell(): void {
    const now = steadyNow()
    if (now > this.#told) this.http.tick(now - this.#told)
    this.#told = now
  }
}
