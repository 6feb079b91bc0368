import { reasonOf } from '../../../wire/thrown.ts'
import { expectationIn, expectsContinue, lengthOf } from '../../field-values.ts'
import { HeadView } from '../../head-view.ts'
import { checkBytes, type Field, header, type RequestHead, type ResponseView } from '../../message.ts'
import type { Problem } from '../../problem.ts'
import {
  answerTo,
  CLOSED_TUNNEL,
  type ContentSink,
  type HttpFault,
  type HttpRequest,
  type HttpResponse,
  type HttpTunnel,
  replyTo,
  withoutTunnel,
} from '../../serving.ts'
import { type Expiry, HttpTimers, type TimerName } from '../../timers.ts'
import { ErrorCode } from '../error.ts'
import { prepareTrailers } from '../outgoing.ts'
import type { Announced, ExchangeOwner } from '../owner.ts'
import { type ContentOwner, RequestContent } from './content.ts'
import { lengthFirst, marked, Unsent, withLength } from './unsent.ts'

/** Bytes of content that are copied rather than kept until the client takes them. */
const LARGE = 65_536

/** How far an exchange has come. */
export interface Resumed {
  /** Its request has come whole. */
  readonly whole: boolean
  /** The head of its response has been sent. */
  readonly begun: boolean
  /** It is another protocol's. */
  readonly tunnel: boolean
}

/** One request and its response: a stream. */
export class H2Exchange extends HeadView implements HttpRequest, HttpResponse, ContentOwner {
  readonly head: RequestHead
  readonly announced: Announced
  readonly early: boolean
  readonly index: number
  onGone: ((reason: Error) => void) | undefined
  /** Sent with its response. */
  fields: readonly Field[]
  /** It is another protocol's, in which nothing is overdue. */
  #tunnel: boolean
  begun = false
  over = false
  readonly #serving: ExchangeOwner
  /** Made when something is waited for. */
  #timers: HttpTimers | undefined
  readonly #content: RequestContent
  /** Made when content is written in pieces. */
  #unsent: Unsent | undefined
  #ending: { readonly trailers: readonly Field[] | undefined } | undefined
  /** Of a tunnel: our half ends alone; it has. */
  #half: 'ends' | 'ended' | undefined

  /** @param resumed how far it had come elsewhere */
  constructor(
    serving: ExchangeOwner,
    announced: Announced,
    head: RequestHead,
    index: number,
    resumed?: Resumed,
  ) {
    super()
    this.begun = resumed?.begun === true
    this.#tunnel = resumed?.tunnel === true
    this.#serving = serving
    this.announced = announced
    this.head = head
    this.index = index
    this.early = serving.owner.early
    this.fields = serving.owner.fields
    this.#content = new RequestContent(this, resumed?.whole ? 'told' : announced.endStream ? 'none' : 'comes')
  }

  /** It has not got one, either. */
  #asksForTunnel(): boolean {
    return !this.#tunnel && (this.protocol !== undefined || this.method === 'CONNECT')
  }

  /** Its response is waited for, or it is another protocol's. */
  get pending(): boolean {
    return this.#tunnel || !this.begun
  }

  /** Whether all of the request has come. */
  get whole(): boolean {
    return this.#content.whole
  }
  get protocol(): string | undefined {
    return this.announced.protocol
  }
  get length(): number | undefined {
    if (this.announced.endStream) return 0
    const length = header(this.announced.headers, 'content-length')
    return length === undefined ? undefined : lengthOf(length)
  }

  /** Where its content goes. */
  get sink(): ContentSink | undefined {
    return this.#content.sink
  }

  /** Its content goes on to that, as it went to another one elsewhere. */
  goOn(sink: ContentSink): void {
    this.#content.goOn(sink, this.#serving.http.unconsumed(this.announced.streamId))
    this.resume()
  }

  /** Our side of the protocol that it is, when that goes on here. */
  get tunnel(): HttpTunnel {
    return {
      write: data => this.write(data),
      endOutput: () => this.#endHalf(),
      end: () => this.end(),
      fail: cause => this.failed(cause),
    }
  }

  content(sink: ContentSink): void {
    if (this.sink !== undefined) throw new Error('the content has a sink already')
    if (this.over) return
    this.#content.sink = sink
    if (!this.whole && this.#content.bytes === 0 && this.#expectsContinue()) this.inform(100, [])
    this.#content.give()
    if (!this.whole) this.#serving.owner.wake()
  }

  #expectsContinue(): boolean {
    return !this.begun && expectsContinue(expectationIn(this.announced.headers))
  }

  /** Content has come. */
  data(bytes: Uint8Array, ends: boolean): void {
    if (this.over) return
    this.#content.bytes += bytes.length
    this.#timers?.stop('handler')
    if (this.#timers?.content(bytes.length, this.#serving.owner.now()) === false) {
      this.#expire('request-rate')
      return
    }
    // What is said in a tunnel is no request's content.
    if (!this.#tunnel && this.#content.bytes > this.#serving.owner.bodyBytes) {
      this.tooLarge()
      return
    }
    this.#content.data(bytes, ends)
  }

  ended(trailers: readonly Field[]): void {
    this.#content.ended(trailers)
  }

  resume(): void {
    if (this.over) return
    this.#content.credit(0)
    this.#serving.owner.wake()
  }

  inform(status: number, headers: readonly Field[]): void {
    if (this.#mute()) return
    if (!(status >= 100 && status < 200))
      throw new TypeError(`${status} is not the status of an interim response`)
    this.#serving.http.respond(this.announced.streamId, { status, headers })
    this.#serving.owner.wake()
  }

  upgrade(headers: readonly Field[], sink: ContentSink): HttpTunnel {
    if (this.#mute()) return CLOSED_TUNNEL
    if (this.protocol === undefined && this.method !== 'CONNECT')
      throw new Error('no request waits for an upgrade')
    // RFC 8441 §5: Upgrade and the like have no place here, and 200 is what 101 is elsewhere.
    const kept = headers.filter(([name]) => name.toLowerCase() !== 'upgrade')
    this.#begin(200, kept, undefined)
    this.#tunnel = true
    // The application gets what has come when it has the tunnel in its hands.
    if (this.#content.bytes > 0 || this.whole) this.#content.wait(Promise.resolve(), 0)
    this.content(sink)
    return this.tunnel
  }

  reply(response: ResponseView): void {
    if (this.#mute()) return
    if (response.body !== undefined && typeof response.body !== 'string') checkBytes(response.body)
    const { http, owner } = this.#serving
    const { streamId } = this.announced
    const { status } = response
    const said = this.#asksForTunnel() ? { ...response, status: withoutTunnel(status) } : response
    const whole = marked(withLength(said, this.method), this.fields)
    const { body } = whole
    if (!(body instanceof Uint8Array) || body.length <= LARGE || this.method === 'HEAD') {
      http.reply(streamId, whole, owner.date())
      this.#finish()
      return
    }
    // In pieces of the application's own memory, as the client's windows open.
    http.respond(streamId, whole, owner.date(), body.length)
    this.begun = true
    this.#unsent = new Unsent()
    this.#unsent.add(body)
    this.#ending = { trailers: undefined }
    this.#go()
  }

  begin({ status, headers, length }: Parameters<HttpResponse['begin']>[0]): void {
    if (this.#mute()) return
    this.#begin(this.#asksForTunnel() ? withoutTunnel(status) : status, headers, length)
  }

  #begin(status: number, headers: readonly Field[], length: number | undefined): void {
    const { http, owner } = this.#serving
    const fields = length === undefined || status === 204 ? headers : lengthFirst(headers, length)
    http.respond(this.announced.streamId, marked({ status, headers: fields }, this.fields), owner.date())
    this.begun = true
    this.#timers?.stop('handler')
    owner.wake()
  }

  write(data: Uint8Array): Promise<void> | undefined {
    if (this.#mute() || this.#half !== undefined) return undefined
    checkBytes(data)
    this.#unsent ??= new Unsent()
    this.#unsent.add(data)
    this.#go()
    return this.over ? undefined : this.#unsent.drained()
  }

  #endHalf(): void {
    if (this.#mute() || this.#half !== undefined) return
    this.#half = 'ends'
    this.#ending = { trailers: undefined }
    this.#go()
  }

  end(trailers?: readonly Field[]): void {
    if (this.#mute()) return
    // Now, and not when what waits before them has gone: the application hears of it here.
    this.#ending = { trailers: trailers && prepareTrailers(trailers) }
    if (this.#half === 'ended') this.#finish()
    this.#half = undefined
    this.#go()
  }

  abort(): void {
    if (this.#mute()) return
    this.#serving.http.reset(this.announced.streamId, ErrorCode.INTERNAL_ERROR)
    this.#finish()
  }

  /**
   * The client takes more. What is wrong with what waits shows only now, and the application is not there to
   * hear it.
   */
  drained(): void {
    try {
      this.#go()
    } catch (cause) {
      this.failed(cause)
    }
  }

  /** Writes as much as the client's windows take. */
  #go(): void {
    if (this.over || this.#half === 'ended') return
    const { http, owner } = this.#serving
    const { streamId } = this.announced
    const gone = this.#unsent?.send(data => http.write(streamId, data)) ?? true
    if (this.#ending === undefined) owner.wake()
    if (!gone || this.#ending === undefined || this.over) return
    try {
      http.end(streamId, this.#ending.trailers)
    } catch (error) {
      this.#ending = undefined
      // Content is missing, and the stream has been reset.
      if (error instanceof RangeError) this.#finish()
      throw error
    }
    if (this.#half !== 'ends' || this.#content.over) this.#finish()
    else {
      this.#half = 'ended'
      owner.wake()
    }
  }

  /** Nothing more can be done for now: starts the timers of what is waited for. */
  settle(): void {
    if (this.over || this.#tunnel) return
    if (this.#content.wanted) this.#await('request-body')
    else this.#timers?.stop('request-body')
    if (!this.begun && this.sink?.started !== false) this.#await('handler', this.sink?.answerWithin)
  }

  #await(timer: TimerName, within?: number): void {
    const { owner } = this.#serving
    this.#timers ??= new HttpTimers(owner.settings)
    if (this.#timers.running(timer)) return
    const now = owner.now()
    this.#timers.start(timer, now, within)
    this.tick(now)
  }

  /** Time has passed. @param now as {@link H2Owner.now} */
  tick(now: number): void {
    if (this.over || this.#timers === undefined) return
    const expiry = this.#timers.expired(now)
    if (expiry !== undefined) {
      this.#expire(expiry)
      return
    }
    const next = this.#timers.next(now)
    if (next !== undefined) this.#serving.owner.wakeBy(now + next)
  }

  #expire(timer: Expiry): void {
    const within = timer === 'handler' ? this.sink?.answerWithin : undefined
    const ordinary = this.#serving.owner.overdue(timer, within)
    const { status = 408, detail = '' } = ordinary ?? {}
    this.#fault({ kind: 'timeout', timer, status, reason: detail }, ordinary)
  }

  /** Milliseconds that its content may still be waited for, for when it is taken back and comes again. */
  get patience(): number {
    const { owner } = this.#serving
    this.#timers ??= new HttpTimers(owner.settings)
    return this.#timers.rate(owner.now())
  }

  /** It was taken back after so much waiting, and comes again. @param again bytes that have been counted */
  resumed(patience: number, again: number): void {
    this.#timers ??= new HttpTimers(this.#serving.owner.settings)
    this.#timers.resume(patience, again)
  }

  /** Bytes that are kept: content that no application has taken to itself, and what waits for a window. */
  get held(): number {
    return (this.sink?.held ?? 0) + this.#content.held + (this.#unsent?.length ?? 0)
  }

  /** Content that the client's windows have not let through. */
  get unsent(): readonly Uint8Array[] {
    return this.#unsent?.pieces ?? []
  }

  /** It goes on elsewhere. */
  leave(): void {
    this.over = true
    this.#unsent?.release()
  }

  /** The last of it, behind what waits for a window: from here on HTTP/2 sees to all of that. */
  complete(last: Uint8Array): void {
    this.#serving.http.complete(this.announced.streamId, [...this.unsent, last])
    this.leave()
  }

  /** Gives up for what it holds. */
  shed(what: Problem): void {
    this.#fault({ kind: 'memory', status: what.status, reason: what.detail ?? '' }, what)
  }

  /** The request has more content than it may. */
  tooLarge(): void {
    const reason = `more than ${this.#serving.owner.bodyBytes} bytes of content`
    this.#fault({ kind: 'client', status: 413, reason })
  }

  /** The application threw. */
  failed(cause: unknown): void {
    const fault = { kind: 'application', status: 500, reason: reasonOf(cause), cause } as const
    // An application that throws when all has been said is told of it, and the client is not.
    if (this.over) answerTo({ ...fault, request: this, answerable: false }, this.#serving.owner.handlers)
    else {
      this.onGone = undefined
      this.#fault(fault)
    }
  }

  /** There will be no response, because the client is gone or has been answered otherwise. */
  gone(reason: Error): void {
    if (this.over) return
    this.over = true
    this.#unsent?.release()
    try {
      if (!this.#content.over) this.sink?.broken(reason)
      this.onGone?.(reason)
    } catch (cause) {
      this.failed(cause)
    }
  }

  #fault(what: Omit<HttpFault, 'answerable' | 'request'>, ordinary?: Problem): void {
    const { http, owner } = this.#serving
    const { streamId } = this.announced
    // HTTP knows what it has begun; what is remembered elsewhere may be wrong.
    const fault = { ...what, request: this, answerable: http.answerable(streamId) }
    const answer = answerTo(fault, owner.handlers, ordinary)
    this.gone(Object.assign(new Error(fault.reason), { status: fault.status }))
    if (owner.gone) return
    if (!fault.answerable)
      http.reset(streamId, ErrorCode[fault.kind === 'memory' ? 'ENHANCE_YOUR_CALM' : 'INTERNAL_ERROR'])
    else
      replyTo(fault, answer, this.#asksForTunnel(), view =>
        http.reply(streamId, marked(withLength(view, this.method), this.fields), owner.date()),
      )
    this.#serving.responded(streamId)
  }

  // For its content.

  credit(bytes: number): void {
    this.#serving.http.consume(this.announced.streamId, bytes)
  }
  wake(): void {
    this.#serving.owner.wake()
  }
  fail(error: unknown): void {
    this.#serving.owner.fail(error)
  }
  told(): void {
    if (this.#half === 'ended' && !this.over) this.#finish()
  }

  #mute(): boolean {
    return this.over || this.#serving.owner.gone
  }

  #finish(): void {
    this.over = true
    this.#unsent?.release()
    try {
      if (!this.#content.over && this.sink !== undefined)
        this.sink.broken(new Error('the response has ended'))
    } catch (cause) {
      this.failed(cause)
    }
    this.#serving.responded(this.announced.streamId)
  }
}
