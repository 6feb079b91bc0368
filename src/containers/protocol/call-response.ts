import type { FunctionResponse, TrailerSource } from '../../functions/contract.ts'
import type { Field, RequestHead, ResponseView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { ResponseSink } from '../../http/serving.ts'
import type { FrozenCall } from '../../transfer/envelope.ts'
import { EMPTY } from '../../wire/index.ts'
import type { LoggedSink } from './access-log.ts'
import { type CallContext, type Callee, fieldsOf } from './call-context.ts'
import type { Cover, ResponseStart, Whole } from './call-messages.ts'
import { MeteredSink } from './metered.ts'
import { type Pending, pendingCalls } from './pending.ts'
import { type FrozenFlow, ResponseFlow, restOf } from './response-flow.ts'

/** Bytes of a response that are given out at once; the next ones when the client has taken these. */
const PIECE = 65_536

/** Of a call that nothing counts. */
const NOTHING = { age: 0, given: 0 }

/** The call that a response belongs to. */
interface Answering extends Pending {
  /** The function has thrown, or what it gave cannot be sent. */
  failed(error: unknown): void
}

/** What one call's function gives, on its way to the client. */
export class CallResponse {
  readonly #head: RequestHead
  readonly #callee: Callee
  readonly #context: CallContext
  readonly #call: Answering
  readonly #sink: ResponseSink
  /** The same, if calls are counted. */
  readonly #metered: MeteredSink | undefined
  readonly #logged: LoggedSink | undefined
  /** The response has been given, or its head. */
  answered = false
  /** Its head has been given out. */
  begun = false
  /** The function may have more of it to give. */
  streaming = false
  /** It is not waited for any more. */
  cancelled = false
  readonly #cover: Cover | undefined
  /** Of the response that has begun. */
  #status = 0
  /** Its content, while that goes out. */
  #flow: ResponseFlow | undefined
  /** What is left of it cannot go elsewhere. */
  #rooted = false
  /** It was to be frozen before there was anything of it. */
  #wish: (() => void) | undefined

  constructor(
    head: RequestHead,
    callee: Callee,
    context: CallContext,
    sink: ResponseSink,
    call: Answering,
    cover?: Cover,
  ) {
    this.#cover = cover
    this.#head = head
    this.#callee = callee
    this.#context = context
    this.#call = call
    const { traffic, clock, accessLog } = callee
    this.#logged = accessLog?.follow(head, context, sink)
    const to = this.#logged ?? sink
    if (traffic !== undefined) this.#metered = new MeteredSink(to, traffic, clock, context)
    this.#sink = this.#metered ?? to
  }

  /** Whether the call is counted. */
  get metered(): boolean {
    return this.#metered !== undefined
  }

  /** All of it has been said, or the client is gone. */
  get over(): boolean {
    return this.#sink.over
  }

  /** An interim response. */
  inform(status: number, headers: readonly Field[]): void {
    this.#sink.inform(status, headers)
  }

  /** An answer that is not the function's. */
  refuse(answer: ResponseView): void {
    this.#sink.reply(answer)
  }

  /** It has begun and cannot be finished. */
  abort(): void {
    this.#sink.abort()
  }

  /** The client does not wait for it any more. @param reason with `status`: what it was answered with */
  cancel(reason: Error & { readonly status?: number }): void {
    this.cancelled = true
    this.#metered?.cancelled(reason.status)
    this.#logged?.cancelled(reason.status)
    this.#flow?.stop(reason)
  }

  /** The call is about to go on elsewhere: what becomes of that is for {@link settled}. */
  leave(reason: Error): void {
    this.cancelled = true
    this.#flow?.stop(reason)
  }

  /**
   * What became of a call that was to go on elsewhere.
   * @param goesOn it is counted where it does; otherwise it has ended here
   */
  settled(goesOn: boolean): void {
    if (goesOn) {
      this.#metered?.withdrawn()
      this.#logged?.withdrawn()
    } else {
      this.#metered?.cancelled()
      this.#logged?.cancelled()
    }
  }

  /** Bytes of it that are kept for the client alone. */
  get held(): number {
    return this.#flow?.held ?? 0
  }

  /**
   * Stops between two pieces, if what is left can go elsewhere. @param then called when that is so; it may
   * never be
   */
  freezeSoon(then: () => void): void {
    const flow = this.#flow
    if (flow === undefined) this.#wish = then
    if (flow === undefined || this.#rooted || !this.#portable(flow)) return
    flow.freezeSoon(failure => {
      if (failure === undefined) then()
      else {
        this.#rooted = true
        this.#callee.log.error({ err: failure }, 'a response cannot move: its function does not freeze')
        // Others that stand still for the sake of this one need not any more.
        then()
      }
    })
  }

  /** It stays here after all. */
  thaw(): void {
    this.#wish = undefined
    this.#flow?.thaw()
  }

  /** Bytes of content that go along if it stops now; undefined if it cannot. */
  get left(): number | undefined {
    const flow = this.#flow
    return flow === undefined || this.#rooted || !this.#portable(flow) ? undefined : flow.left
  }

  /** Its function is making it, and what is left of it can go elsewhere. */
  get resumable(): boolean {
    const flow = this.#flow
    return flow !== undefined && !flow.whole && flow.freezes
  }

  /** Its function is not at work on it, as far as that is known. */
  get idle(): boolean {
    return this.#flow?.idle === true
  }

  /** A call whose response has not begun. @param state what its function has frozen */
  unbegun(state: Uint8Array | undefined): FrozenCall {
    const { age } = this.#logged ?? this.#metered ?? NOTHING
    const { callId, began = this.#callee.clock.wall(), deadline } = this.#context
    return { callId, status: 0, began, deadline, age, given: 0, content: EMPTY, state }
  }

  /** The call was begun elsewhere, and its response was not. */
  goOnUnanswered({ age }: FrozenCall): void {
    this.#metered?.goOn(0, age)
    this.#logged?.goOn(0, age, 0)
  }

  /** What is left of it, as long as it stands still. */
  get frozen(): FrozenCall | undefined {
    return this.#told(this.#flow?.frozen)
  }

  /** Whether another container could go on with it, if that is little. */
  get coverable(): boolean {
    const flow = this.#flow
    return flow?.coverable === true && !this.cancelled && !this.#rooted && this.#portable(flow)
  }

  /** Gives out what waits for more; then {@link standing} says where it stands, in a turn of its own. */
  gather(): void {
    this.#flow?.gather()
  }

  /** What is left of it behind the piece that goes out now, if another container could go on from there. */
  get standing(): FrozenCall | undefined {
    const asks = (this.#context.upstreams?.size ?? 0) > 0
    return asks || this.cancelled ? undefined : this.#told(this.#flow?.standing)
  }

  #told(frozen: FrozenFlow | undefined): FrozenCall | undefined {
    const flow = this.#flow
    if (flow === undefined || frozen === undefined || !this.#portable(flow)) return undefined
    const { age, given } = this.#logged ?? this.#metered ?? NOTHING
    const { callId, began = this.#callee.clock.wall(), deadline } = this.#context
    return { callId, status: this.#status, began, deadline, age, given, ...frozen }
  }

  /**
   * Goes on with what was begun elsewhere.
   * @param within milliseconds in which the function has to give the rest; 0: for ever
   * @param request gives what is left of its request
   * @throws what the function throws when it is asked for that
   */
  async goOn(
    { status, content, state, age, given }: FrozenCall,
    within: number,
    request: () => Request | undefined,
  ): Promise<void> {
    this.answered = this.begun = true
    this.#status = status
    this.#metered?.goOn(status, age)
    this.#logged?.goOn(status, age, given)
    this.streaming = true
    pendingCalls.add(this.#call)
    const accompanied = this.#context.upstreams !== undefined
    const rest = state && { state, stream: this.#rest(state, within, request), accompanied }
    // It is looked at when the content has gone out.
    rest?.stream.catch(() => {})
    await this.#send(this.#flowOf(content, rest, true))
  }

  async #rest(
    state: Uint8Array,
    within: number,
    request: () => Request | undefined,
  ): Promise<ReadableStream<Uint8Array>> {
    const late = (): void => this.#call.blame(new Error(`\`resume\` has given nothing in ${within} ms`))
    const timer = within === 0 ? undefined : this.#callee.clock.after(within, late)
    try {
      return await restOf(this.#callee, state, this.#context, request)
    } finally {
      timer?.stop()
    }
  }

  /** Trailers, and what a sealed function is given, belong to the process that has them. */
  #portable({ freezes, whole }: ResponseFlow): boolean {
    const { sealed, resume } = this.#callee.module
    if (sealed || this.#trailers(this.#status) !== undefined) return false
    return whole || (freezes && resume !== undefined)
  }

  /** Gives out what the function gave, in whichever form that has its content. */
  async respond(out: FunctionResponse): Promise<void> {
    const { status, headers, body } = out
    if (body instanceof Uint8Array) this.give({ status, headers, body })
    else if (body === undefined) this.withoutBody(out)
    else if (this.#head.method === 'HEAD') {
      this.withoutBody(out)
      // The client gets none of it, and it may have no end.
      const { log } = this.#callee
      if (body instanceof ReadableStream)
        await body.cancel().catch(error => log.error({ err: error }, 'the function failed'))
    } else if (body instanceof ReadableStream) await this.pipe(out, body)
    else if (this.#isSmall(status, body.size)) {
      const bytes = new Uint8Array(await body.arrayBuffer())
      if (!this.cancelled) this.#reply({ status, headers, body: bytes })
    } else {
      this.#begin(out)
      await this.#pass(new ResponseFlow(this.#sink, EMPTY, body))
    }
  }

  /** Whether so many bytes go out at once. */
  #isSmall(status: number, bytes: number): boolean {
    return bytes <= PIECE && this.#trailers(status) === undefined
  }

  /** Gives out a response that has no content. */
  withoutBody(head: ResponseStart): void {
    this.#begin(head)
    const ending = this.#end()
    ending?.catch(error => this.#call.failed(error))
  }

  /**
   * What is there as a whole. A large one goes out in pieces of the function's own memory, as the client
   * takes them.
   */
  give(whole: Whole): void {
    if (this.#isSmall(whole.status, whole.body.length) || this.#head.method === 'HEAD') this.#reply(whole)
    else this.#pour(whole).catch(error => this.#call.failed(error))
  }

  #reply(whole: ResponseView): void {
    this.answered = true
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
    await this.#pass(new ResponseFlow(this.#sink, body))
  }

  /** Gives out a response whose content the function has yet to make. */
  async pipe(head: ResponseStart, body: ReadableStream<Uint8Array>): Promise<void> {
    this.#begin(head)
    await this.#send(this.#flowOf(EMPTY, body))
  }

  /** Where content goes, with checkpoints where there are any. */
  #covered(): Pick<ResponseSink, 'write'> {
    const cover = this.#cover
    const sink = this.#sink
    if (cover === undefined) return sink
    const write = (data: Uint8Array) => {
      if (data.length > PIECE) return sink.write(data)
      return cover.cover(
        () => sink.write(data),
        () => this.standing,
      )
    }
    return { write }
  }

  #flowOf(content: Uint8Array, behind: ConstructorParameters<typeof ResponseFlow>[2], carried = false) {
    return new ResponseFlow(this.#covered(), content, behind, carried, () => this.#context.upstreams)
  }

  /** Gives out content that the function has yet to make. */
  async #send(flow: ResponseFlow): Promise<void> {
    this.streaming = true
    pendingCalls.add(this.#call)
    try {
      await this.#pass(flow)
    } catch (error) {
      if (this.cancelled) return
      this.#callee.log.error({ err: error }, 'the body of a response broke off')
      this.#sink.abort()
    } finally {
      this.streaming = false
      pendingCalls.remove(this.#call)
    }
  }

  async #pass(flow: ResponseFlow): Promise<void> {
    this.#flow = flow
    const wish = this.#wish
    this.#wish = undefined
    // When it has begun.
    if (wish !== undefined) setImmediate(wish)
    try {
      const over = flow.run()
      // What is over at once ends at once.
      if (over === true || (await over)) await this.#end()
    } finally {
      this.#flow = undefined
    }
  }

  /** Behind content whose length was told there is no place for trailers over HTTP/1.1. */
  #begin({ status, headers, length }: ResponseStart): void {
    this.answered = true
    const trailed = this.#trailers(status) !== undefined
    this.#sink.begin({ status, headers, length: trailed ? undefined : length })
    this.begun = true
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
    if (!this.cancelled) this.#sink.end(fieldsOf(fields))
  }

  /** The trailers that the function gives, if the response has a place for them. */
  #trailers(status: number): TrailerSource | undefined {
    const source = this.#context.trailerSource
    if (source === undefined || this.#head.method === 'HEAD' || this.#head.version === '1.0') return undefined
    return status === 204 || status === 205 || status === 304 ? undefined : source
  }
}
