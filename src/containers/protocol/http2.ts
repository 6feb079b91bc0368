import { ErrorCode, type H2Server } from '../../http/h2/index.ts'
import type { Announced, H2Owner } from '../../http/h2/owner.ts'
import { type H2Served, H2Serving } from '../../http/h2/serving.ts'
import type { Field, RequestHead } from '../../http/message.ts'
import type { Scheme } from '../../http/origin.ts'
import type { Problem } from '../../http/problem.ts'
import type { HttpFault, HttpHandlers } from '../../http/serving.ts'
import type { TimerSettings } from '../../http/timers.ts'
import type { Http2Passenger } from '../../transfer/consignments/application.ts'
import type { ApplicationState } from '../../transfer/envelope.ts'
import type { Guard } from '../../transport/guard.ts'
import { EMPTY } from '../../wire/index.ts'
import { type Timeout, timeoutProblem } from '../connection/timeout.ts'
import type { ConnectionTimers } from '../connection/timers.ts'
import { CARRIED_BYTES, CARRIED_REQUEST_BYTES } from '../move/policy.ts'
import type { TunnelOwner } from '../socket/tunnel.ts'
import type { Leaving } from '../upstream/upstreams.ts'
import { Acceptance } from './acceptance.ts'
import { Calls } from './calls.ts'
import { type CoveredHttp2, Covering } from './covering.ts'
import type { Protocol, ProtocolOwner, Refusal } from './protocol.ts'
import { Triage, type TriageOwner } from './triage.ts'

/** Bytes of output beyond which a client that does not take it is not heard any more: as much as may move. */
const OUTPUT = CARRIED_BYTES

/** How often the HTTP/2 connection is told the time while streams are open, in milliseconds. */
const TICK = 1000

/**
 * HTTP/2 on one connection: which requests are for here, and when the connection may leave. Requests for
 * other functions wait unaccepted, and so are part of the exported state, until `policy.ts` says that the
 * connection moves or that they are lent. What is said on it is the matter of {@link H2Serving}.
 */
export class Http2 implements Protocol, H2Owner, TunnelOwner, TriageOwner, CoveredHttp2 {
  readonly #owner: ProtocolOwner
  readonly #serving: H2Serving
  readonly calls: Calls
  readonly #covering: Covering
  readonly #acceptance: Acceptance
  readonly #triage: Triage
  #failed = false
  #leaving = false
  #told: number

  /** What goes on here, as soon as the connection is served. */
  #resuming: readonly Http2Passenger[]

  /** @param state undefined on a connection that begins @param resuming what is served in the state */
  constructor(
    owner: ProtocolOwner,
    state: H2Served | undefined,
    refusal?: Refusal,
    resuming: readonly Http2Passenger[] = [],
  ) {
    this.#resuming = resuming
    this.#owner = owner
    this.#serving = new H2Serving(this, owner.host.limits.http2, state, owner.host.exceeded)
    this.calls = new Calls(this.#serving)
    this.#covering = new Covering(owner, this)
    this.#acceptance = new Acceptance(owner, this, this.#serving)
    this.#triage = new Triage(this, owner, this.#acceptance, refusal)
    this.#told = this.now()
  }

  receive(bytes: Uint8Array): void {
    this.http.receive(bytes)
  }

  get http(): H2Server {
    return this.#serving.http
  }

  step(): boolean {
    // It is covered before anything is said.
    if (this.#resuming.length > 0 && this.#owner.onLeg) this.#owner.out.flush()
    for (const one of this.#resuming) this.#acceptance.resume(one)
    this.#resuming = []
    if (this.http.untaken > OUTPUT && !this.#give()) {
      // What has come lies in the stream's memory.
      this.http.receive(EMPTY)
      return false
    }
    if (this.#serving.step()) return true
    this.#triage.refusal = undefined
    if (this.http.shouldClose) this.#owner.goodbye()
    return false
  }

  settle(): void {
    this.calls.wait()
    this.#tell()
    const decided = this.#triage.decide()
    // The connection is another container's now, or was restored anew.
    if (decided === true) return
    if (decided !== false) this.wakeBy(decided.at)
    // Room for output may be room for content, which is reported as an event.
    do while (this.goesOn() && this.step());
    while (this.#give())
    if (this.http.openStreams > 0) this.wakeBy(this.#told + TICK)
    this.#serving.settle()
  }

  tick(now: number): void {
    this.#serving.tick(now)
  }

  expired(timer: Timeout): void {
    const { limits } = this.#owner.host
    const what = timeoutProblem(timer, limits)
    this.#owner.host.log.debug({ timer }, what.detail)
    if (timer === 'container') {
      this.#triage.expired()
      return
    }
    // The beginning of a head lets nothing else come: the connection is of no use any more.
    this.cancel(new Error('the client stopped in the middle of a head'))
    this.#owner.goodbye()
  }

  flush(): void {
    while (this.#give(true));
  }

  /**
   * What a client may send unread is bounded by windows and budgets, and all of it is for this container; but
   * answers are not bounded by windows alone.
   */
  get wantsInput(): boolean {
    return this.http.untaken <= OUTPUT
  }

  get held(): number {
    return this.#serving.held + this.calls.held(this.#resuming)
  }

  shed(what: Problem): void {
    const answer = (streamId: number): void => this.#triage.giveUp(streamId, what)
    const before = this.held
    if (!this.#serving.shed(what, answer)) {
      this.#failed = true
      this.http.calm(what.name)
      this.cancel(new Error(what.detail))
    } else if (this.held < before) return
    // What is left are tables, which only the end of the connection gives back.
    if (this.#failed || (this.quiet && this.#triage.waiting.size === 0)) this.#owner.goodbye()
    else this.drain()
  }

  get buffered(): number {
    return this.http.input.buffered
  }

  get requests(): number {
    return this.#serving.requests
  }

  /** What functions have given and windows have not let through goes along, unless it is much. */
  get quiet(): boolean {
    const http = this.http
    return (
      this.calls.size + this.#resuming.length === 0 &&
      !this.#failed &&
      !http.reporting &&
      (this.calls.withdrawn || http.unsent <= CARRIED_BYTES)
    )
  }

  get portable(): boolean {
    const http = this.http
    const bytes = this.calls.portable ?? Infinity
    if (this.#failed || http.reporting || this.#owner.out.blocked) return false
    if (this.calls.companions > (this.#owner.host.upstreams?.most ?? 0)) return false
    return bytes + http.unsent <= CARRIED_REQUEST_BYTES
  }

  withdraw(): void {
    this.calls.withdraw(this.#owner.timers.rates, this.#triage.waiting)
  }

  get calling(): boolean {
    return this.calls.working
  }

  get pending(): boolean {
    return this.#triage.waiting.size > 0 || this.calls.pending
  }

  get watched(): boolean {
    return this.calls.watched || this.#triage.waiting.size > 0 || this.http.input.inHeaders
  }

  get flowing(): boolean {
    return this.calls.size + this.#resuming.length > 0
  }

  get stays(): string | undefined {
    return this.calls.stays
  }

  get rooted(): boolean {
    return this.calls.rooted !== undefined
  }

  /** What has come whole is answered all the same. */
  inputEnded(): void {
    // What is held back has not been looked at.
    if (!this.wantsInput) return
    this.#serving.inputEnded()
    if (this.calls.size === 0 && this.#triage.waiting.size === 0) this.#owner.goodbye()
  }

  /** A WebSocket whose function does not freeze cannot go along. */
  hold(mustLeave: boolean): string | undefined {
    const calls = this.calls
    if (mustLeave) calls.drain(true)
    else if (calls.rooted !== undefined) return `${calls.rooted} cannot move`
    this.#triage.held = true
    const room = CARRIED_REQUEST_BYTES - this.http.unsent
    const { resting, upstreams } = this.#owner.host
    const most = calls.companions > (upstreams?.most ?? 0) ? -1 : room
    // Of a function that goes to sleep clients are answered first.
    const sleeps = resting?.underway === true
    const at = calls.freezeSoon(most, this.now(), sleeps, () => this.#owner.pump())
    if (at !== undefined) this.wakeBy(at)
    return undefined
  }

  unhold(): void {
    this.#triage.held = false
    this.calls.thaw()
    this.#triage.acceptOwn()
    this.#owner.pump()
  }

  drain(): void {
    this.#triage.held = false
    this.calls.thaw()
    if (!this.#leaving && !this.#failed) this.http.shutdown()
    if (!this.#leaving) this.calls.drain(false)
    this.#leaving = true
    this.#triage.acceptOwn()
    this.#owner.pump()
  }

  /** Requests that no function has seen may be sent again elsewhere, and the client is told so. */
  farewell(): void {
    for (const streamId of this.#triage.waiting.keys()) this.http.reset(streamId, ErrorCode.REFUSED_STREAM)
    this.#triage.waiting.clear()
    if (!this.#failed) {
      this.http.shutdown()
      this.http.shutdown()
    }
    this.flush()
    this.http.forget()
  }

  cancel(reason: Error): void {
    this.#covering.stop()
    this.#serving.broken(reason)
    this.http.forget()
  }

  onMoved(): void {
    this.#covering.stop()
    this.http.forget()
  }

  get leaving(): readonly Leaving[] {
    return this.calls.upstreams
  }

  settled(goesOn: boolean): void {
    this.calls.settled(goesOn)
  }

  export(): ApplicationState {
    return this.exported(this.calls.left)
  }

  /** Responses alone: no other container has what has come of a request, or what a socket was told. */
  get covered(): ApplicationState | undefined {
    const resuming = this.#resuming
    if (resuming.length === 0) return this.#covering.standing
    const covers = resuming.every(({ frozen }) => frozen.kind === 'response') && !this.http.reporting
    return covers ? this.exported(resuming) : undefined
  }

  /** A connection leaves a sealed function without the keys that it came with. */
  exported(passengers: readonly Http2Passenger[]): ApplicationState {
    const keyless = this.#owner.host.module.sealed === true
    const served = { requestsServed: this.#serving.requests, http: this.http.export(keyless) }
    if (passengers.length === 0) return { protocol: 'http2', ...served }
    const calls = passengers.flatMap(({ frozen, ...rest }) =>
      frozen.kind === 'response' ? [{ ...rest, call: frozen.call }] : [],
    )
    return calls.length === passengers.length
      ? { protocol: 'http2_responses', ...served, calls }
      : { protocol: 'http2_streams', ...served, passengers: [...passengers] }
  }

  // For HTTP.

  readonly early = false

  get handlers(): Pick<HttpHandlers, 'error'> {
    return this
  }
  get scheme(): Scheme {
    return this.#owner.scheme
  }
  get timers(): ConnectionTimers {
    return this.#owner.timers
  }
  get settings(): TimerSettings {
    return this.#owner.host.limits.timers
  }
  get bodyBytes(): number {
    return this.#owner.host.limits.http.bodyBytes
  }
  get fields(): readonly Field[] {
    return this.#owner.fields
  }
  get gone(): boolean {
    return this.#owner.gone
  }
  get guard(): Guard {
    return this.#owner.guard
  }
  get unaccepted(): Iterable<number> {
    return this.#triage.waiting.keys()
  }
  now(): number {
    return this.#owner.host.clock.steady()
  }
  date(): number {
    return this.#owner.host.clock.wall()
  }
  wake(): void {
    if (!this.#covering.gathering) this.#owner.pump()
  }
  wakeBy(at: number): void {
    this.#owner.timers.wakeBy(at)
  }
  goesOn(): boolean {
    return this.#owner.goesOn()
  }
  touch(): void {
    this.#owner.touch()
  }
  responded(): void {
    this.#owner.responded()
  }
  reset(streamId: number): void {
    this.#triage.waiting.delete(streamId)
  }
  overdue(timer: Timeout, within?: number): Problem {
    return timeoutProblem(timer, this.#owner.host.limits, { within })
  }
  fail(error: unknown): void {
    this.guard.fail(error)
  }

  failed(code: number, reason: string): void {
    this.#failed = true
    this.#triage.waiting.clear()
    this.#owner.host.log.debug({ code, reason }, 'the HTTP/2 connection failed')
    this.#owner.goodbye()
  }

  /** What was thrown is ours, but for a response that has more content than its function said. */
  error({ kind, cause }: HttpFault): undefined {
    if (kind !== 'application') return
    if (cause instanceof RangeError) this.#owner.host.log.error({ err: cause }, 'the function failed')
    else this.fail(cause)
  }

  announced(request: Announced, head: RequestHead): void {
    this.#triage.announced(request, head)
  }

  /**
   * Gives the way out some of the output, unless the client has not taken what it got. @param now also what
   * would be covered in a turn of its own @returns whether there was any
   */
  #give(now = false): boolean {
    if (this.#owner.out.blocked || this.gone) return false
    if (!now && this.http.untaken > 0 && this.#covering.defers()) return false
    const bytes = this.http.takeOutput()
    if (bytes.length === 0) return false
    this.say(bytes, false)
    return true
  }

  say(bytes: Uint8Array, more: boolean): void {
    const http = this.http
    // Not for what WebSockets are asked: their clients answer, or are not there. But who opens windows takes
    // what waits for them.
    if (this.calls.timed || http.openStreams > this.calls.size || http.unsent > 0) this.#owner.touch()
    this.#owner.out.send([bytes], more)
  }

  #tell(): void {
    const now = this.now()
    if (now > this.#told) this.http.tick(now - this.#told)
    this.#told = now
  }
}
