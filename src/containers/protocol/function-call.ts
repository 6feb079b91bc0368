import type { Journey } from '../../client/journey.ts'
import type { FetchHandler, RawResponse } from '../../functions/contract.ts'
import {
  fromResponseView,
  fromWebResponse,
  fromWholeResponse,
  RequestError,
  toWebRequest,
} from '../../functions/web.ts'
import type { Field, RequestHead } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { ContentSink, HttpRequest, ResponseSink } from '../../http/serving.ts'
import { isOne } from '../../platform/thrown.ts'
import type { FrozenCall } from '../../transfer/envelope.ts'
import { EMPTY } from '../../wire/index.ts'
import type { Arrived } from '../upstream/upstreams.ts'
import { CallContext, type Callee, type Informant } from './call-context.ts'
import {
  type CallRequest,
  callName,
  ELSEWHERE,
  functionFailed,
  isThenable,
  viewOf,
  withCallFields,
} from './call-messages.ts'
import { CallResponse } from './call-response.ts'
import { callersTime } from './callers-time.ts'
import { type LeavingCall, weightOf } from './passenger.ts'
import { type Pending, pendingCalls } from './pending.ts'
import { RequestBody } from './request-body.ts'
import { frozenState, resumed } from './response-flow.ts'

/**
 * One accepted request on its way through a function. The body is given whole if it is there at once,
 * otherwise as a stream that pulls; a raw handler gets it whole in any case.
 */
export class FunctionCall implements Informant, ContentSink, Pending {
  readonly #head: RequestHead
  readonly #context: CallContext
  readonly #callee: Callee
  readonly #response: CallResponse
  readonly #guard: CallRequest['guard']
  readonly #body: RequestBody
  /** Responses of upstreams that go along, when it has left. */
  journeys: readonly Journey[] = []
  readonly #timeout: number
  readonly answerWithin: number | undefined
  #started = false
  /** It is to stand still in the middle of its request. @see freezeSoon */
  #wanted: (() => void) | undefined
  #told = false
  /** What its function froze when it was asked last in the middle of its request. */
  #state: Uint8Array | undefined
  /** That was nothing that could be carried. */
  #rooted = false

  /** @param source of the body, told when {@link full} has become false again */
  constructor(
    head: RequestHead,
    callee: Callee,
    request: CallRequest,
    sink: ResponseSink,
    source: Pick<HttpRequest, 'resume'>,
  ) {
    this.#head = head
    this.#callee = callee
    this.#body = new RequestBody(source)
    this.answerWithin = callersTime(head.headers, callee.functionName, request.timeout)
    this.#timeout = this.answerWithin ?? request.timeout
    this.#guard = request.guard
    this.#context = new CallContext(head, callee, request.functionPath, request.connection, this)
    this.#response = new CallResponse(head, callee, this.#context, sink, this, request.cover)
  }

  /** More than this has not been read by the function: see {@link ContentSink.full}. */
  get full(): boolean {
    return this.#body.full
  }

  /** Whether the request has come whole. */
  get bodyEnded(): boolean {
    return this.#body.ended
  }

  /** Whether the function reads the request, and does not know its end. */
  get reads(): boolean {
    return this.#body.streams
  }

  /** Whether the function has been called. */
  get started(): boolean {
    return this.#started
  }

  /**
   * The body as far as it has come and no function has it; to be asked for only when the request is given up
   * here, unanswered. What becomes of that is for {@link settled}.
   */
  takeBack(): readonly Uint8Array[] {
    this.#response.leave(ELSEWHERE)
    return this.#body.take()
  }

  /** Bytes of it. */
  get unread(): number {
    return this.#body.unread
  }

  /** The same; until the request is whole or its response begins, with {@link RequestBody.gathered}. */
  get held(): number {
    if (this.#cancelled()) return 0
    if (!this.bodyEnded && !this.#response.begun)
      return this.unread + this.#body.gathered(this.#context.freezer !== undefined)
    return this.unread + this.#response.held + (this.#context.upstreams?.unread ?? 0)
  }

  /** A piece of the body. A function that reads a stream gets it with what comes behind: see {@link wait}. */
  data(bytes: Uint8Array): void {
    if (!this.#cancelled()) this.#body.add(bytes)
  }

  /** The body has come whole. */
  end(): void {
    this.#body.end()
    if (this.#cancelled()) return
    if (this.#started) this.#body.give()
    else this.#run(this.#body.takeWhole())
  }

  /**
   * There is no more of the body for now: a function that can read a stream begins, or gets what has come.
   */
  wait(): void {
    this.#body.give()
    if (this.#started || this.bodyEnded || this.#cancelled() || this.#callee.module.kind !== 'fetch') return
    this.#run(this.#body.stream())
  }

  /** Its response goes on nevertheless. When none is wanted any more, {@link cancel} says so. */
  broken(): void {}

  inform(status: number, headers: readonly Field[]): void {
    if (!this.#response.answered && !this.#cancelled()) this.#response.inform(status, headers)
  }

  /**
   * The response is not waited for any more: the client is gone, or has been answered otherwise.
   * @param reason with `status`: what with
   */
  cancel(reason: Error & { readonly status?: number }): void {
    this.#response.cancel(reason)
    this.#drop(reason)
  }

  #drop(reason: Error): void {
    pendingCalls.remove(this)
    this.#context.upstreams?.drop(reason)
    this.#context.abort(reason)
    this.#body.break(reason)
  }

  blame(error: unknown): void {
    const { answered, streaming } = this.#response
    if ((answered && !streaming) || this.#cancelled()) return
    this.#failed(error)
    this.cancel(new Error('the function failed'))
  }

  /**
   * It is to go on elsewhere, as soon as it is known what its client has been given and what its function has
   * read. @param then called when {@link still} may say something
   */
  freezeSoon(then: () => void): void {
    if (!this.reads) {
      if (this.bodyEnded) this.#response.freezeSoon(then)
    } else if (this.left !== undefined) {
      if (this.#wanted === undefined) this.#body.pause(() => this.#stand())
      this.#wanted = then
      this.#stand()
    }
  }

  /** Its function gets nothing of its request any more, and may have done with what it got. */
  #stand(): void {
    const then = this.#wanted
    if (then === undefined || !this.#settled()) return
    if (this.#response.begun) this.#response.freezeSoon(then)
    else if (!this.#told) {
      this.#told = true
      setImmediate(then)
    }
  }

  /** The function has done with what it got of its request. */
  #settled(): boolean {
    return this.#body.settled || this.#response.idle
  }

  /** Bytes that go along if it goes, now or soon; undefined if it cannot. */
  get left(): number | undefined {
    if (!this.reads) {
      if (!this.bodyEnded) return this.#started ? undefined : this.unread
      return this.#withUpstreams(this.#response.left)
    }
    const { resume, sealed } = this.#callee.module
    if (resume === undefined || sealed || this.#rooted || this.#context.gathers) return undefined
    const { begun, answered, resumable, left } = this.#response
    if (begun) {
      if (left === undefined || !(resumable || !this.#body.touched)) return undefined
      return this.#withUpstreams(left + this.unread)
    }
    const { freezer, trailerSource } = this.#context
    if (answered || freezer === undefined || trailerSource !== undefined || this.upstreams > 0)
      return undefined
    return this.unread + (this.#state?.length ?? 0)
  }

  /** What it weighs with the responses of upstreams that it has; undefined if these are too many. */
  #withUpstreams(bytes: number | undefined): number | undefined {
    const { upstreams } = this.#context
    if (bytes === undefined || upstreams === undefined) return bytes
    return upstreams.size > (this.#callee.upstreams?.most ?? 0) ? undefined : bytes + upstreams.unread
  }

  /** Responses of upstreams that it has. */
  get upstreams(): number {
    return this.#context.upstreams?.size ?? 0
  }

  /** The same, if it can go now. A function that has not answered is asked where it stands. */
  get still(): number | undefined {
    if (this.#response.begun || !this.reads) {
      if (this.reads && (this.#wanted === undefined || !this.#settled())) return undefined
      const { frozen } = this.#response
      return frozen && weightOf(frozen) + this.unread
    }
    if (this.#wanted === undefined || !this.#settled() || this.left === undefined) return undefined
    try {
      this.#state = frozenState(this.#context.freezer?.())
      return this.unread + this.#state.length
    } catch (error) {
      this.#callee.log.error({ err: error }, 'a request cannot move: its function does not freeze')
      this.#rooted = true
      this.thaw()
      return undefined
    }
  }

  /** Whether another container could go on from a checkpoint of its response; undefined: it has not begun. */
  get coverable(): boolean | undefined {
    if (!this.#response.begun) return undefined
    return this.bodyEnded && !this.reads && this.upstreams === 0 && this.#response.coverable
  }

  /** See {@link CallResponse.gather}. */
  gather(): void {
    this.#response.gather()
  }

  /** See {@link CallResponse.standing}. */
  get standing(): FrozenCall | undefined {
    return this.coverable === true ? this.#response.standing : undefined
  }

  /** How it is called where it holds something up. */
  get name(): string {
    const { callId, began = 0 } = this.#context
    return callName(this.#head, this.#callee, callId, began)
  }

  /** Its name, as long as it cannot go elsewhere; undefined: it can, or there is nothing of it. */
  get stays(): string | undefined {
    return !this.#started || this.#cancelled() || this.left !== undefined ? undefined : this.name
  }

  /** It stays here after all. */
  thaw(): void {
    this.#wanted = undefined
    this.#told = false
    this.#body.unpause()
    this.#response.thaw()
  }

  /**
   * It goes on elsewhere, which {@link still} has just said is possible. What becomes of that is for {@link
   * settled}, what goes along with it are {@link journeys}.
   */
  leave(): LeavingCall {
    const call = this.#response.begun ? this.#response.frozen! : this.#response.unbegun(this.#state)
    const frozen: LeavingCall = this.reads
      ? { kind: 'upload', call, unread: this.#body.copy() }
      : { kind: 'response', call }
    this.journeys = this.#context.upstreams?.leave() ?? []
    this.#response.leave(ELSEWHERE)
    this.#drop(ELSEWHERE)
    return frozen
  }

  /** What became of it when it was to go on elsewhere. @param goesOn also if that is here, as another call */
  settled(goesOn: boolean): void {
    this.#response.settled(goesOn)
  }

  /**
   * Goes on with a call that was begun elsewhere.
   * @param frozen what was left of it there @param whole its request has come whole
   * @param upstreams responses that have come along
   */
  goOn(frozen: LeavingCall, whole: boolean, upstreams: readonly Arrived[] = []): void {
    this.#context.arrived(upstreams)
    this.#started = true
    const body = frozen.kind === 'upload' ? this.#body.stream() : undefined
    if (frozen.kind === 'upload') this.#body.add(frozen.unread)
    if (whole) this.#body.end()
    // While it is there: the client may be gone when the function asks.
    void this.#context.connection
    const { callId, began, deadline } = frozen.call
    Object.assign(this.#context, { callId, began, ...(deadline !== undefined && { deadline }) })
    const { module } = this.#callee
    const request = () => (module.kind === 'fetch' ? this.#requestWith(body) : undefined)
    pendingCalls.run(this, () => {
      if (frozen.call.status === 0) this.#goOnUnanswered(frozen.call, request)
      else this.#response.goOn(frozen.call, this.#timeout, request).catch(error => this.#failed(error))
    })
  }

  #goOnUnanswered(call: FrozenCall, request: () => Request | undefined): void {
    this.#response.goOnUnanswered(call)
    const given = resumed(this.#callee, call.state ?? EMPTY, this.#context, request)
    this.#await(given, response => this.#respond(response))
  }

  #cancelled(): boolean {
    return this.#response.cancelled
  }

  #run(body: Uint8Array | ReadableStream<Uint8Array>): void {
    this.#started = true
    const began = this.#callee.clock.wall()
    this.#context.began = began
    if (this.#timeout > 0) this.#context.deadline = began + this.#timeout
    pendingCalls.run(this, () => this.#call(body))
  }

  #call(body: Uint8Array | ReadableStream<Uint8Array>): void {
    const { module } = this.#callee
    try {
      if (module.kind === 'raw') {
        const response = module.handle(viewOf(this.#asTold(), body as Uint8Array), this.#context)
        if (response instanceof Promise) {
          // While it is there: the client may be gone when the function asks.
          void this.#context.connection
          this.#await(response, view => this.#answer(view))
        } else this.#answer(response)
        return
      }
      this.#fetch(module, body)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** The request as the function gets it. */
  #asTold(): RequestHead {
    return !this.#response.metered ? this.#head : withCallFields(this.#head, this.#context)
  }

  /** Waits for what the function gives. */
  #await<T>(response: Promise<T>, then: (given: T) => void): void {
    pendingCalls.wait(this, response, then, error => this.#failed(error))
  }

  #answer(view: RawResponse): void {
    if (this.#cancelled()) return
    if (view.trailers !== undefined) this.#context.trailers(view.trailers)
    const trailed = this.#context.trailerSource !== undefined
    const { status, headers, body, length } = fromResponseView(view, this.#head.method, trailed)
    if (body !== undefined || length === 0)
      this.#response.give({ status, headers, body: (body as Uint8Array) ?? EMPTY })
    else this.#response.withoutBody({ status, headers, length })
  }

  #fetch(module: FetchHandler, body: Uint8Array | ReadableStream<Uint8Array>): void {
    const request = this.#requestWith(body instanceof Uint8Array && body.length === 0 ? undefined : body)
    const response: unknown = module.fetch(request, this.#callee.environment, this.#context)
    if (isThenable(response)) this.#await(Promise.resolve(response), given => this.#respond(given))
    else this.#respond(response)
  }

  #requestWith(body: Uint8Array | ReadableStream<Uint8Array> | undefined): Request {
    const { tls, serverName } = this.#context.connection
    const origin = { scheme: tls ? 'https' : 'http', authority: serverName ?? 'localhost' } as const
    return toWebRequest(this.#asTold(), body, { ...origin, caller: this.#context })
  }

  /** Gives out at once what is there as a whole. */
  #respond(response: unknown): void {
    try {
      const trailed = this.#context.trailerSource !== undefined
      const whole = fromWholeResponse(response, this.#head.method, trailed)
      if (whole === undefined) {
        this.#drain(response as Response, trailed).catch(error => this.#failed(error))
        return
      }
      if (this.#cancelled()) return
      const { status, headers, body } = whole
      if (body === undefined) this.#response.withoutBody(whole)
      else this.#response.give({ status, headers, body })
    } catch (error) {
      this.#failed(error)
    }
  }

  async #drain(response: Response, trailed: boolean): Promise<void> {
    const out = await fromWebResponse(response, this.#head.method, trailed)
    if (!this.#cancelled()) await this.#response.respond(out)
    else if (out.body instanceof ReadableStream) await out.body.cancel()
  }

  failed(error: unknown): void {
    this.#failed(error)
  }

  #failed(error: unknown): void {
    try {
      this.#refuse(error)
    } catch (fault) {
      this.#guard.fail(fault)
    }
  }

  /** The function has thrown, or what it gave cannot be sent. */
  #refuse(error: unknown): void {
    if (this.#cancelled()) return
    // What is thrown when all has been said is no function's, but for content that is missing.
    if (this.#response.over && !(error instanceof RangeError)) throw error
    if (!this.#response.begun && isOne(error, RequestError)) {
      this.#response.refuse(problem({ name: 'bad-request', status: error.status, detail: error.message }))
      return
    }
    this.#callee.log.error({ err: error, callId: this.#context.callId }, 'the function failed')
    if (this.#response.begun) {
      this.#response.abort()
      return
    }
    this.#response.refuse(problem(functionFailed(this.#callee.functionName)))
  }
}
