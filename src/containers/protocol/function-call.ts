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
import { EMPTY, Pieces } from '../../wire/index.ts'
import type { Arrived } from '../upstream/upstreams.ts'
import { CallContext, type Callee, type Informant } from './call-context.ts'
import { type CallRequest, functionFailed, isThenable, viewOf, withCallFields } from './call-messages.ts'
import { CallResponse } from './call-response.ts'
import { callersTime } from './callers-time.ts'
import { type Pending, pendingCalls } from './pending.ts'

/** Bytes of a request's body that wait for a function that reads it as a stream. */
const BODY_BUFFER = 65_536

/** Why a call is over here that goes on in another container. */
const ELSEWHERE = new Error('the response goes on in another container')

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
  readonly #source: Pick<HttpRequest, 'resume'>
  /** What has come of the body, and the function has not got. */
  readonly #pieces = new Pieces()
  /** Bytes of it that the function's stream was given. */
  #given = 0
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined
  readonly #timeout: number
  readonly answerWithin: number | undefined
  #started = false
  #bodyEnded = false
  #handing = false

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
    this.#source = source
    this.answerWithin = callersTime(head.headers, callee.functionName, request.timeout)
    this.#timeout = this.answerWithin ?? request.timeout
    this.#guard = request.guard
    this.#context = new CallContext(head, callee, request.functionPath, request.connection, this)
    this.#response = new CallResponse(head, callee, this.#context, sink, this, request.cover)
  }

  /** Whether more of the body may be read from the client now. */
  get wantsBody(): boolean {
    return !this.#bodyEnded && !this.full
  }

  /** More than this has not been read by the function: see {@link ContentSink.full}. */
  get full(): boolean {
    return this.#stream !== undefined && (this.#stream.desiredSize ?? 0) <= this.#pieces.length
  }

  /** Whether the request has come whole. */
  get bodyEnded(): boolean {
    return this.#bodyEnded
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
    return this.#pieces.take()
  }

  /** Bytes of it. */
  get unread(): number {
    return this.#pieces.length
  }

  /**
   * The same, and those that wait in the function's stream; as long as the request is not whole and its
   * response has not begun, also those that the function has read: as a rule it gathers them.
   */
  get held(): number {
    if (this.#cancelled) return 0
    if (!this.#bodyEnded && !this.#response.begun) return this.unread + this.#given
    const room = this.#stream?.desiredSize ?? BODY_BUFFER
    // Of a stream that is closed and empty there is no room, either.
    const inStream = room === 0 && this.#bodyEnded ? 0 : BODY_BUFFER - room
    return this.unread + inStream + this.#response.held + (this.#context.upstreams?.unread ?? 0)
  }

  /**
   * A piece of the body. A function that reads it as a stream gets it with what comes behind it, see {@link
   * wait}.
   */
  data(bytes: Uint8Array): void {
    if (!this.#cancelled) this.#pieces.adopt(bytes)
  }

  /** The body has come whole. */
  end(): void {
    this.#bodyEnded = true
    if (this.#cancelled) return
    if (this.#stream !== undefined) {
      this.#handOut()
    } else if (!this.#started) {
      this.#run(this.#pieces.takeWhole())
    }
  }

  /**
   * There is no more of the body for now: a function that can read a stream begins, or gets what has come.
   */
  wait(): void {
    if (this.#stream !== undefined) this.#handOut()
    if (this.#started || this.#bodyEnded || this.#cancelled || this.#callee.module.kind !== 'fetch') return
    const stream = new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#stream = controller
        },
        pull: () => this.#source.resume(),
      },
      { highWaterMark: BODY_BUFFER, size: chunk => chunk.length },
    )
    this.#handOut()
    this.#run(stream)
  }

  /** Its response goes on nevertheless. When none is wanted any more, {@link cancel} says so. */
  broken(): void {}

  inform(status: number, headers: readonly Field[]): void {
    if (!this.#response.answered && !this.#cancelled) this.#response.inform(status, headers)
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
    this.#pieces.take()
    this.#context.abort(reason)
    try {
      this.#stream?.error(reason)
    } catch {
      // It is closed already.
    }
  }

  blame(error: unknown): void {
    const { answered, streaming } = this.#response
    if ((answered && !streaming) || this.#cancelled) return
    this.failed(error)
    this.cancel(new Error('the function failed'))
  }

  /**
   * Its response is to go on elsewhere, as soon as it is known what the client has been given of it; see
   * {@link frozen}. @param then called when that is so
   */
  freezeSoon(then: () => void): void {
    if (this.#bodyEnded) this.#response.freezeSoon(then)
  }

  /** Bytes that go along if it goes now: see {@link freezeSoon}; undefined if it cannot. */
  get left(): number | undefined {
    if (!this.#bodyEnded) return this.#started ? undefined : this.unread
    const { left } = this.#response
    const { upstreams } = this.#context
    if (left === undefined || upstreams === undefined) return left
    return upstreams.size > (this.#callee.upstreams?.most ?? 0) ? undefined : left + upstreams.unread
  }

  /** Responses of upstreams that it has. */
  get upstreams(): number {
    return this.#context.upstreams?.size ?? 0
  }

  /** Its name, as long as it cannot go elsewhere; undefined: it can, or there is nothing of it. */
  get stays(): string | undefined {
    if (!this.#started || this.#cancelled || this.left !== undefined) return undefined
    const { method, path } = this.#head
    const { callId, began = 0 } = this.#context
    const age = Math.max(0, Math.round((this.#callee.clock.wall() - began) / 1000))
    return `${method} ${path.slice(0, 40)} of ${this.#callee.functionName} (call ${callId}, for ${age} s)`
  }

  /** It stays here after all. */
  thaw(): void {
    this.#response.thaw()
  }

  /** What is left of the response, as long as it stands still. */
  get frozen(): FrozenCall | undefined {
    return this.#response.frozen
  }

  /**
   * Its response is about to go on elsewhere; what becomes of that is for {@link settled}.
   * @returns the responses of upstreams that go along
   */
  leave(): readonly Journey[] {
    const leaving = this.#context.upstreams?.leave() ?? []
    this.#response.leave(ELSEWHERE)
    this.#drop(ELSEWHERE)
    return leaving
  }

  /** What became of it when it was to go on elsewhere. @param goesOn also if that is here, as another call */
  settled(goesOn: boolean): void {
    this.#response.settled(goesOn)
  }

  /**
   * Goes on with a response that was begun elsewhere.
   * @param frozen what was left of it there
   * @param upstreams responses that have come along
   */
  goOn(frozen: FrozenCall, upstreams: readonly Arrived[] = []): void {
    this.#context.arrived(upstreams)
    this.#started = this.#bodyEnded = true
    // While it is there: the client may be gone when the function asks.
    void this.#context.connection
    const { callId, began, deadline } = frozen
    Object.assign(this.#context, { callId, began, ...(deadline !== undefined && { deadline }) })
    pendingCalls.run(this, () => {
      this.#response.goOn(frozen, this.#timeout).catch(error => this.failed(error))
    })
  }

  /**
   * Gives the stream what has come. It may ask for more at once, which brings us here again: then that
   * follows behind.
   */
  #handOut(): void {
    if (this.#handing) return
    this.#handing = true
    try {
      while (this.#pieces.length > 0) {
        this.#given += this.#pieces.length
        for (const piece of this.#pieces.take()) this.#stream?.enqueue(piece)
      }
      if (this.#bodyEnded) this.#stream?.close()
    } catch {
      // The function has cancelled the stream: it does not want the rest.
    } finally {
      this.#handing = false
    }
  }

  get #cancelled(): boolean {
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
        const response = module.handle(viewOf(this.#told, body as Uint8Array), this.#context)
        if (response instanceof Promise) {
          // While it is there: the client may be gone when the function asks.
          void this.#context.connection
          this.#await(response, view => this.#answer(view))
        } else this.#answer(response)
        return
      }
      this.#fetch(module, body)
    } catch (error) {
      this.failed(error)
    }
  }

  /** The request as the function gets it. */
  get #told(): RequestHead {
    return !this.#response.metered ? this.#head : withCallFields(this.#head, this.#context)
  }

  /** Waits for what the function gives. */
  #await<T>(response: Promise<T>, then: (given: T) => void): void {
    pendingCalls.wait(this, response, then, error => this.failed(error))
  }

  #answer(view: RawResponse): void {
    if (this.#cancelled) return
    if (view.trailers !== undefined) this.#context.trailers(view.trailers)
    const trailed = this.#context.trailerSource !== undefined
    const { status, headers, body, length } = fromResponseView(view, this.#head.method, trailed)
    if (body !== undefined || length === 0)
      this.#response.give({ status, headers, body: (body as Uint8Array) ?? EMPTY })
    else this.#response.withoutBody({ status, headers, length })
  }

  #fetch(module: FetchHandler, body: Uint8Array | ReadableStream<Uint8Array>): void {
    const { tls, serverName } = this.#context.connection
    const request = toWebRequest(
      this.#told,
      body instanceof Uint8Array && body.length === 0 ? undefined : body,
      { scheme: tls ? 'https' : 'http', authority: serverName ?? 'localhost', caller: this.#context },
    )
    const response: unknown = module.fetch(request, this.#callee.environment, this.#context)
    if (isThenable(response)) this.#await(Promise.resolve(response), given => this.#respond(given))
    else this.#respond(response)
  }

  /** Gives out at once what is there as a whole. */
  #respond(response: unknown): void {
    try {
      const trailed = this.#context.trailerSource !== undefined
      const whole = fromWholeResponse(response, this.#head.method, trailed)
      if (whole === undefined) {
        this.#drain(response as Response, trailed).catch(error => this.failed(error))
        return
      }
      if (this.#cancelled) return
      const { status, headers, body } = whole
      if (body === undefined) this.#response.withoutBody(whole)
      else this.#response.give({ status, headers, body })
    } catch (error) {
      this.failed(error)
    }
  }

  async #drain(response: Response, trailed: boolean): Promise<void> {
    const out = await fromWebResponse(response, this.#head.method, trailed)
    if (this.#cancelled) {
      if (out.body instanceof ReadableStream) await out.body.cancel()
      return
    }
    if (out.body instanceof Uint8Array)
      this.#response.give({ status: out.status, headers: out.headers, body: out.body })
    else if (out.body === undefined) this.#response.withoutBody(out)
    else if (this.#head.method === 'HEAD') {
      this.#response.withoutBody(out)
      // The client gets none of it, and it may have no end.
      await out.body.cancel().catch(error => this.#callee.log.error({ err: error }, 'the function failed'))
    } else await this.#response.pipe(out, out.body)
  }

  failed(error: unknown): void {
    try {
      this.#refuse(error)
    } catch (fault) {
      this.#guard.fail(fault)
    }
  }

  /** The function has thrown, or what it gave cannot be sent. */
  #refuse(error: unknown): void {
    if (this.#cancelled) return
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
