import type { ConnectionInfo, FetchHandler, RawResponse, TrailerSource } from '../../functions/contract.ts'
import {
  fromResponseView,
  fromWebResponse,
  fromWholeResponse,
  RequestError,
  toWebRequest,
} from '../../functions/web.ts'
import type { Field, RequestHead, ResponseView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { ContentSink, HttpRequest, ResponseSink } from '../../http/serving.ts'
import { isOne } from '../../platform/thrown.ts'
import type { Guard } from '../../transport/guard.ts'
import { EMPTY, Pieces } from '../../wire/index.ts'
import type { LoggedSink } from './access-log.ts'
import { BodyWriter } from './body-writer.ts'
import { CallContext, type Callee, fieldsOf, type Informant } from './call-context.ts'
import {
  functionFailed,
  isThenable,
  type ResponseStart,
  viewOf,
  type Whole,
  withCallFields,
} from './call-messages.ts'
import { callersTime } from './callers-time.ts'
import { MeteredSink } from './metered.ts'
import { type Pending, pendingCalls } from './pending.ts'

/** What a call knows besides the request's head. */
export interface CallRequest {
  readonly functionPath: string
  /** Or what gives it: to ask the kernel for an address costs more than most calls have to do with it. */
  readonly connection: ConnectionInfo | (() => ConnectionInfo)
  /**
   * Milliseconds that the function has to begin its response, for its `deadline`; 0: for ever. Others see to
   * it.
   */
  readonly timeout: number
  /** For what is no function's fault: whatever the response goes to ends. */
  readonly guard: Pick<Guard, 'fail'>
}

/** Bytes of a response that are given out at once; the next ones when the client has taken these. */
const PIECE = 65_536

/** Bytes of a request's body that wait for a function that reads it as a stream. */
const BODY_BUFFER = 65_536

/**
 * One accepted request on its way through a function. The body is given whole if it is there at once,
 * otherwise as a stream that pulls; a raw handler gets it whole in any case.
 */
export class FunctionCall implements Informant, ContentSink, Pending {
  readonly #head: RequestHead
  readonly #context: CallContext
  readonly #callee: Callee
  readonly #sink: ResponseSink
  /** The same, if calls are counted. */
  readonly #metered: MeteredSink | undefined
  readonly #logged: LoggedSink | undefined
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
  /** The head of its response has been given out. */
  #begun = false
  /** The response has been given, or its head. */
  #answered = false
  /** The function may have more of its response to give. */
  #streaming = false
  #bodyEnded = false
  #handing = false
  /** Of the response that has begun. */
  #status = 0
  /** No response is waited for any more. */
  #cancelled = false

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
    const { traffic, clock, accessLog } = callee
    this.#logged = accessLog?.follow(head, this.#context, sink)
    const to = this.#logged ?? sink
    if (traffic !== undefined) this.#metered = new MeteredSink(to, traffic, clock, this.#context)
    this.#sink = this.#metered ?? to
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
   * here, unanswered.
   */
  takeBack(): readonly Uint8Array[] {
    this.#cancelled = true
    this.#metered?.withdrawn()
    this.#logged?.withdrawn()
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
    if (!this.#bodyEnded && !this.#begun) return this.unread + this.#given
    const room = this.#stream?.desiredSize ?? BODY_BUFFER
    // Of a stream that is closed and empty there is no room, either.
    return this.unread + (room === 0 && this.#bodyEnded ? 0 : BODY_BUFFER - room)
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
    if (!this.#answered && !this.#cancelled) this.#sink.inform(status, headers)
  }

  /**
   * The response is not waited for any more: the client is gone, or has been answered otherwise.
   * @param reason with `status`: what with
   */
  cancel(reason: Error & { readonly status?: number }): void {
    this.#cancelled = true
    this.#metered?.cancelled(reason.status)
    this.#logged?.cancelled(reason.status)
    pendingCalls.remove(this)
    this.#pieces.take()
    this.#context.abort(reason)
    try {
      this.#stream?.error(reason)
    } catch {
      // It is closed already.
    }
  }

  blame(error: unknown): void {
    if ((this.#answered && !this.#streaming) || this.#cancelled) return
    this.#fail(error)
    this.cancel(new Error('the function failed'))
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

  #run(body: Uint8Array | ReadableStream<Uint8Array>): void {
    this.#started = true
    if (this.#timeout > 0) this.#context.deadline = this.#callee.clock.wall() + this.#timeout
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
      this.#fail(error)
    }
  }

  /** The request as the function gets it. */
  get #told(): RequestHead {
    return this.#metered === undefined ? this.#head : withCallFields(this.#head, this.#context)
  }

  /** Waits for what the function gives. */
  #await<T>(response: Promise<T>, then: (given: T) => void): void {
    pendingCalls.wait(this, response, then, error => this.#fail(error))
  }

  #answer(view: RawResponse): void {
    if (this.#cancelled) return
    if (view.trailers !== undefined) this.#context.trailers(view.trailers)
    const trailed = this.#context.trailerSource !== undefined
    const { status, headers, body, length } = fromResponseView(view, this.#head.method, trailed)
    if (body !== undefined || length === 0)
      this.#give({ status, headers, body: (body as Uint8Array) ?? EMPTY })
    else this.#withoutBody({ status, headers, length })
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
        this.#drain(response as Response, trailed).catch(error => this.#fail(error))
        return
      }
      if (this.#cancelled) return
      const { status, headers, body } = whole
      if (body === undefined) this.#withoutBody(whole)
      else this.#give({ status, headers, body })
    } catch (error) {
      this.#fail(error)
    }
  }

  async #drain(response: Response, trailed: boolean): Promise<void> {
    const out = await fromWebResponse(response, this.#head.method, trailed)
    if (this.#cancelled) {
      if (out.body instanceof ReadableStream) await out.body.cancel()
      return
    }
    if (out.body instanceof Uint8Array)
      this.#give({ status: out.status, headers: out.headers, body: out.body })
    else if (out.body === undefined) this.#withoutBody(out)
    else if (this.#head.method === 'HEAD') {
      this.#withoutBody(out)
      // The client gets none of it, and it may have no end.
      await out.body.cancel().catch(error => this.#callee.log.error({ err: error }, 'the function failed'))
    } else await this.#pipe(out, out.body)
  }

  #withoutBody(head: ResponseStart): void {
    this.#begin(head)
    const ending = this.#end()
    ending?.catch(error => this.#fail(error))
  }

  /**
   * What is there as a whole. A large one goes out in pieces of the function's own memory, as the client
   * takes them.
   */
  #give(whole: Whole): void {
    const small = whole.body.length <= PIECE && this.#trailers(whole.status) === undefined
    if (small || this.#head.method === 'HEAD') this.#reply(whole)
    else this.#pour(whole).catch(error => this.#fail(error))
  }

  #reply(whole: ResponseView): void {
    this.#answered = true
    try {
      this.#sink.reply(whole)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      this.#callee.log.error({ err: error }, 'the function gave a response that cannot be sent')
      const detail = `the response cannot be sent: ${error.message}`
      this.#sink.reply(problem({ name: 'function-failed', status: 500, detail }))
    }
  }

  async #pour({ status, headers, body }: Whole): Promise<void> {
    this.#begin({ status, headers, length: body.length })
    for (let at = 0; at < body.length && !this.#cancelled; at += PIECE) {
      const waiting = this.#sink.write(body.subarray(at, at + PIECE))
      if (waiting !== undefined) await waiting
    }
    if (!this.#cancelled) await this.#end()
  }

  async #pipe(head: ResponseStart, body: ReadableStream<Uint8Array>): Promise<void> {
    this.#begin(head)
    const writer = new BodyWriter(this.#sink)
    this.#streaming = true
    pendingCalls.add(this)
    try {
      for await (const chunk of body) {
        if (this.#cancelled) return
        const waiting = writer.write(chunk)
        if (waiting !== undefined) await waiting
      }
      if (!this.#cancelled) await writer.end()
      if (!this.#cancelled) await this.#end()
    } catch (error) {
      if (this.#cancelled) return
      this.#callee.log.error({ err: error }, 'the body of a response broke off')
      this.#sink.abort()
    } finally {
      this.#streaming = false
      pendingCalls.remove(this)
      writer.stop()
    }
  }

  /** Behind content whose length was told there is no place for trailers over HTTP/1.1. */
  #begin({ status, headers, length }: ResponseStart): void {
    this.#answered = true
    const trailed = this.#trailers(status) !== undefined
    this.#sink.begin({ status, headers, length: trailed ? undefined : length })
    this.#begun = true
    this.#status = status
  }

  /** Ends the response, with the trailers that there are then. @returns undefined if that is over at once */
  #end(): Promise<void> | undefined {
    const source = this.#trailers(this.#status)
    if (source !== undefined) return this.#endWith(source)
    this.#sink.end()
    return undefined
  }

  async #endWith(source: TrailerSource): Promise<void> {
    const fields = typeof source === 'function' ? await source() : source
    if (!this.#cancelled) this.#sink.end(fieldsOf(fields))
  }

  /** The trailers that the function gives, if the response has a place for them. */
  #trailers(status: number): TrailerSource | undefined {
    const source = this.#context.trailerSource
    if (source === undefined || this.#head.method === 'HEAD' || this.#head.version === '1.0') return undefined
    return status === 204 || status === 205 || status === 304 ? undefined : source
  }

  #fail(error: unknown): void {
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
    if (this.#sink.over && !(error instanceof RangeError)) throw error
    if (!this.#begun && isOne(error, RequestError)) {
      this.#sink.reply(problem({ name: 'bad-request', status: error.status, detail: error.message }))
      return
    }
    this.#callee.log.error({ err: error, callId: this.#context.callId }, 'the function failed')
    if (this.#begun) {
      this.#sink.abort()
      return
    }
    this.#sink.reply(problem(functionFailed(this.#callee.functionName)))
  }
}
