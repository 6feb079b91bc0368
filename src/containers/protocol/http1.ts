import type { Announced } from '../../http/h1/exchange.ts'
import type { H1State } from '../../http/h1/index.ts'
import { type H1End, type H1Owner, H1Serving } from '../../http/h1/serving.ts'
import type { Field } from '../../http/message.ts'
import type { Scheme } from '../../http/origin.ts'
import { type Problem, problem } from '../../http/problem.ts'
import {
  CLOSED_TUNNEL,
  type HttpFault,
  type HttpHandlers,
  type HttpRequest,
  type HttpResponse,
  type HttpTunnel,
} from '../../http/serving.ts'
import { asksForWebSocket } from '../../http/websocket/index.ts'
import type { ApplicationState, FrozenCall } from '../../transfer/envelope.ts'
import { type Timeout, timeoutProblem } from '../connection/timeout.ts'
import type { ConnectionTimers } from '../connection/timers.ts'
import { CARRIED_REQUEST_BYTES } from '../move/policy.ts'
import { unavailable } from '../move/unavailable.ts'
import { NOWHERE, Upgrade } from '../socket/upgrade.ts'
import { type Leaving, unreadOf } from '../upstream/upstreams.ts'
import type { Cover } from './call-messages.ts'
import { FunctionCall } from './function-call.ts'
import { logOwn, ownAnswer } from './own-answers.ts'
import { bytesOf, type LeavingCall } from './passenger.ts'
import type { Protocol, ProtocolOwner, Refusal } from './protocol.ts'

/**
 * HTTP/1.0 and 1.1 on one connection: which request is for here, what answers it, and when the connection may
 * leave. What is said on it is the matter of {@link H1Serving}.
 */
export class Http1 implements Protocol, H1Owner, HttpHandlers, Cover {
  readonly #owner: ProtocolOwner
  readonly #serving: H1Serving
  #refusal: Refusal | undefined
  #call: FunctionCall | undefined
  /** The answer to the request that is let in next, which no function gets. */
  #answer: Problem | undefined
  /** It is given behind the whole request. */
  #behind = false
  /** The path of the request that is let in next, without what chose the function. */
  #functionPath = ''
  /** Made for the first request that asks for a WebSocket. */
  #upgrading: Upgrade | undefined
  /** A request was given up unanswered: there is nothing that another container could go on from. */
  #broken = false
  /** The function whose containers the request that was announced waits for. */
  #awaited: string | undefined

  /** The call that was taken out of the connection, to go on elsewhere. */
  #leaving: FunctionCall | undefined
  leaving: readonly Leaving[] = []
  /** Content is being given out of which a checkpoint is to be written. */
  #covering = false
  /** What is left behind that content. */
  #standing: FrozenCall | undefined
  /** What is left of it. */
  #frozen: LeavingCall | undefined
  /** The call that goes on here, as soon as the connection is served. */
  #resuming: LeavingCall | undefined

  /** @param resuming the call in the state, if there is one */
  constructor(owner: ProtocolOwner, state: H1State, refusal?: Refusal, resuming?: LeavingCall) {
    this.#resuming = resuming
    this.#owner = owner
    this.#serving = new H1Serving(this, owner.host.limits.http, state)
    this.#refusal = refusal
  }

  receive(bytes: Uint8Array): void {
    this.#serving.http.receive(bytes)
  }

  step(): boolean {
    if (this.#resuming !== undefined) this.#goOn(this.#resuming)
    return this.#serving.step()
  }

  settle(): void {
    this.#call?.wait()
    this.#serving.settle()
  }

  /** What is said here is said at once. */
  flush(): void {}

  get wantsInput(): boolean {
    return this.#serving.wantsInput
  }

  get held(): number {
    const frozen = this.#frozen ?? this.#resuming
    return (
      this.#serving.http.buffered +
      (this.#call?.held ?? 0) +
      (frozen === undefined ? 0 : bytesOf(frozen)) +
      unreadOf(this.leaving)
    )
  }

  shed(what: Problem): void {
    const serving = this.#serving
    if (this.#awaited !== undefined)
      this.#giveUp({ ...what, headers: [...(what.headers ?? []), ['connection', 'close']] })
    else if (serving.quiet && serving.http.buffered === 0) this.#owner.goodbye()
    else serving.shed(what)
  }

  get buffered(): number {
    return this.#serving.http.buffered
  }

  get quiet(): boolean {
    return !this.#broken && (this.#serving.quiet || this.#frozen !== undefined)
  }

  get calling(): boolean {
    return this.#call?.bodyEnded === true
  }

  get portable(): boolean {
    const call = this.#call
    const { http } = this.#serving
    if (call === undefined || call.unread + http.buffered > CARRIED_REQUEST_BYTES) return false
    const { still } = call
    if (still === undefined) return !call.started && http.withdrawable
    if (still > CARRIED_REQUEST_BYTES || this.#owner.out.blocked) return false
    return http.pausable(call.reads)
  }

  withdraw(): void {
    const call = this.#call!
    this.#leaving = call
    if (call.still !== undefined) {
      if (call.reads) this.timers.withdraw(0)
      this.#frozen = call.leave()
      this.leaving = call.journeys.map(journey => ({ streamId: 0, journey }))
      return
    }
    this.timers.withdraw(call.unread)
    this.#serving.withdraw(call.takeBack())
    this.#call = undefined
  }

  get flowing(): boolean {
    return this.#serving.exchange !== undefined
  }

  get stays(): string | undefined {
    return this.#call?.stays
  }

  get pending(): boolean {
    return this.#awaited !== undefined || this.#serving.exchange?.begun === false
  }

  get watched(): boolean {
    const { exchange, http } = this.#serving
    return exchange !== undefined || (http.idle && http.buffered > 0)
  }

  get requests(): number {
    return this.#serving.http.requestsServed
  }

  /** Requests that came whole are answered all the same. */
  inputEnded(): void {
    this.#serving.inputEnded()
  }

  /**
   * No request is to be held back: the next one is looked at only when the connection has had its chance to
   * leave. A response that goes out stops between two pieces, if it can go on elsewhere.
   */
  hold(): undefined {
    // Of a function that goes to sleep the client is answered first.
    if (!this.#owner.host.resting?.underway) this.#call?.freezeSoon(() => this.#owner.pump())
  }

  unhold(): void {
    this.#call?.thaw()
  }

  drain(): void {
    if (this.#awaited !== undefined) this.#giveUp(unavailable(this.#awaited, 'none ready'))
    else if (this.#serving.exchange === undefined) this.#owner.goodbye()
    else this.#call?.thaw()
  }

  farewell(): void {}

  cancel(reason: Error): void {
    this.#broken ||= !this.#serving.quiet
    this.#call?.cancel(reason)
    this.#serving.broken(reason)
  }

  expired(timer: Timeout): void {
    if (timer === 'container') this.#giveUp(this.overdue(timer))
    else this.#serving.expired(timer)
  }

  onMoved(): void {
    this.#serving.left()
  }

  settled(goesOn: boolean): void {
    this.#leaving?.settled(goesOn)
    this.#leaving = undefined
  }

  export(): ApplicationState {
    const frozen = this.#frozen
    const state = this.#serving.http.export(frozen?.kind === 'upload')
    const { requestsServed, inbound, response, upload } = state
    if (frozen?.kind === 'upload' && upload !== undefined) {
      const { call, unread } = frozen
      return { protocol: 'http1_upload', requestsServed, inbound, upload, call, unread }
    }
    if (response === undefined) return { protocol: 'http1', requestsServed, inbound }
    const call = (frozen?.call ?? this.#standing ?? this.#resuming?.call)!
    return { protocol: 'http1_response', requestsServed, inbound, response, call }
  }

  /** A request that its function reads is not covered. */
  get covered(): ApplicationState | undefined {
    if (this.#call?.reads === true || this.#resuming?.kind === 'upload') return undefined
    const call = this.#standing ?? this.#resuming?.call
    return call !== undefined && this.#serving.http.pausable() ? this.export() : undefined
  }

  /** Gives out content, and with it a checkpoint from which another container can go on behind it. */
  cover<T>(write: () => T, standing: () => FrozenCall | undefined): T {
    this.#covering = true
    try {
      return write()
    } finally {
      this.#covering = false
      this.#standing = standing()
      this.#owner.out.flush()
      this.#standing = undefined
    }
  }

  // For HTTP.

  readonly early = false

  get handlers(): HttpHandlers {
    return this
  }
  get scheme(): Scheme {
    return this.#owner.scheme
  }
  get timers(): ConnectionTimers {
    return this.#owner.timers
  }
  get fields(): readonly Field[] {
    return this.#owner.fields
  }
  get gone(): boolean {
    return this.#owner.gone
  }
  get full(): boolean {
    return this.#owner.out.full
  }
  date(): number {
    return this.#owner.host.clock.wall()
  }
  send(parts: readonly Uint8Array[], last: boolean): void {
    this.#owner.out.send(parts, last || this.#covering)
  }
  room(): Promise<void> | undefined {
    return this.#owner.out.drained()
  }
  pump(): void {
    this.#owner.pump()
  }
  touch(): void {
    this.#owner.touch()
  }
  fail(error: unknown): void {
    this.#owner.guard.fail(error)
  }

  responded(): void {
    this.#call = undefined
    this.#owner.responded()
  }

  overdue(timer: Timeout, within?: number): Problem {
    const { host } = this.#owner
    const what = timeoutProblem(timer, host.limits, { functionName: this.#awaited, within })
    host.log.debug({ timer }, what.detail)
    return what
  }

  close(how: H1End, reason: string): void {
    if (how === 'unfinished') this.#call?.cancel(new Error(reason))
    if (how === 'done') this.#owner.goodbye()
    else if (how === 'refused') this.#owner.hangUp()
    else this.#owner.destroy(new Error(reason))
  }

  /** Whether a request is for here, or has an answer that no function gives. */
  admit({ head, expectsContinue }: Announced): boolean {
    if (this.#awaited !== undefined) return this.#follow(this.#awaited)
    const { host } = this.#owner
    const owner = host.ownerOf(head.path, head.host)
    const functionName = owner?.functionName ?? host.functionName
    this.#functionPath = owner?.functionPath ?? head.path
    const interrupted = this.#owner.refuse(head.method, functionName, true)
    const refusal = this.#refusal
    if (interrupted !== undefined) {
      this.#answer = interrupted
      // Behind the whole request: then the answer and its checkpoint go out as one.
      this.#behind = !expectsContinue
    } else if (functionName === host.functionName) this.#refusal = undefined
    else if (refusal === undefined) {
      this.#awaited = functionName
      return this.#follow(functionName)
    } else {
      this.#refusal = undefined
      this.#answer = refusal.answer
    }
    return true
  }

  request(request: HttpRequest, response: HttpResponse): void {
    const { host } = this.#owner
    const answer = this.#answer
    this.timers.stop('container')
    if (answer !== undefined) {
      this.#answer = undefined
      this.#refuse(request, response, answer)
    } else if (host.module.webSocket !== undefined && asksForWebSocket(request.protocol)) {
      this.#upgrade(request, response)
    } else {
      const own = ownAnswer(this.#functionPath, host, request.head)
      if (own !== undefined) {
        response.reply(own)
        logOwn(host, request.head, () => this.#owner.info(request.index), own)
        return
      }
      request.content(this.#begin(request, response))
    }
  }

  #begin(request: HttpRequest, response: HttpResponse): FunctionCall {
    const { host, guard } = this.#owner
    const place = {
      functionPath: this.#functionPath,
      connection: () => this.#owner.info(request.index),
      timeout: host.limits.timers.handler,
      guard,
      cover: this.#owner.onLeg ? this : undefined,
    }
    this.#call = new FunctionCall(request.head, host, place, response, request)
    return this.#call
  }

  /** Goes on with a call that was begun elsewhere. */
  #goOn(frozen: LeavingCall): void {
    // It is covered before anything is said.
    if (this.#owner.onLeg) this.#owner.out.flush()
    this.#resuming = undefined
    const { exchange } = this.#serving
    const { host } = this.#owner
    if (exchange === undefined) return
    this.#functionPath = host.ownerOf(exchange.path, exchange.host)?.functionPath ?? exchange.path
    const call = this.#begin(exchange, exchange)
    call.goOn(frozen, !exchange.unfinished, this.#owner.luggage.take(0))
    if (frozen.kind === 'response') return
    this.timers.accept()
    exchange.goOn(call)
  }

  /** The function is not answered any more. It sees to what it throws by itself: that would be ours. */
  error({ kind, cause, reason, status }: HttpFault): undefined {
    this.#call?.cancel(Object.assign(new Error(reason), { status }))
    if (kind === 'application') this.fail(cause)
  }

  /** From here on the connection is a WebSocket. */
  tunnel(rest: Uint8Array): HttpTunnel {
    this.#owner.switchProtocol(this.#upgrading!.begin(rest, this.#serving.http.requestsServed))
    return CLOSED_TUNNEL
  }

  #upgrade(request: HttpRequest, response: HttpResponse): void {
    this.#upgrading ??= new Upgrade(this.#owner)
    const refused = this.#upgrading.ask(request, response, this.#functionPath)
    if (refused !== undefined) this.#refuse(request, response, refused)
  }

  #refuse(request: HttpRequest, response: HttpResponse, answer: Problem): void {
    logOwn(this.#owner.host, request.head, () => this.#owner.info(request.index), answer)
    if (this.#behind) request.content({ ...NOWHERE, end: () => response.reply(problem(answer)) })
    else response.reply(problem(answer))
    this.#behind = false
  }

  /**
   * Follows the request that waits for a container of another function, if there is one now. @returns false:
   * it is not for here
   */
  #follow(functionName: string): false {
    if (!this.#owner.move(functionName)) this.timers.wait('container')
    return false
  }

  /** Answers the request that waits for a container of another function. */
  #giveUp(what: Problem): void {
    this.#awaited = undefined
    this.#answer = what
    this.#serving.letIn()
  }
}
