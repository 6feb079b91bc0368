import { EMPTY, sharedUtf8 } from '../../wire/index.ts'
import { parseHost, splitPath } from '../h1/target.ts'
import type { Field, RequestHead, ResponseView } from '../message.ts'
import { type Problem, problem } from '../problem.ts'
import {
  answerTo,
  type ContentSink,
  type HttpFault,
  type HttpRequest,
  type HttpResponse,
  type HttpTunnel,
  NOBODY,
  reasonOf,
} from '../serving.ts'
import { expiryProblem, HttpTimers } from '../timers.ts'
import { ErrorCode } from './error.ts'
import type { H2Event } from './event.ts'
import type { H2Serving } from './serving.ts'

/** Bytes of content that are copied rather than kept until the client takes them. */
const LARGE = 65_536

export type Announced = Extract<H2Event, { type: 'request' }>

/** One request and its response: a stream. */
export class H2Exchange implements HttpRequest, HttpResponse {
  readonly version = '2'
  readonly early: boolean
  readonly index: number
  readonly host: string | undefined
  readonly path: string
  readonly query: string
  onGone: ((reason: Error) => void) | undefined
  readonly #owner: H2Serving
  readonly #announced: Announced
  readonly #timers: HttpTimers
  #sink: ContentSink | undefined
  /** Content that nobody has asked for yet, or that waits for a sink that is busy. */
  #held: Uint8Array[] = []
  #blocked = false
  /** Bytes of content for which the client gets a window when the sink takes more again. */
  #uncredited = 0
  #trailers: readonly Field[] | undefined
  #told = false
  /** Content of the response that waits for a window. */
  #waiting: Uint8Array[] = []
  #writers: (() => void)[] = []
  #ending: { readonly trailers: readonly Field[] | undefined } | undefined
  /** It is another protocol's, in which nobody is overdue. */
  #tunnel = false
  over = false

  /** @throws H1Error if the authority is no host, or the path none of ours */
  constructor(owner: H2Serving, announced: Announced, index: number) {
    this.#owner = owner
    this.#announced = announced
    this.early = owner.early
    this.index = index
    this.host = announced.authority === '' ? undefined : parseHost(announced.authority)
    const { path, query } = splitPath(announced.path)
    this.path = path
    this.query = query
    if (announced.endStream) this.#trailers = []
    this.#timers = new HttpTimers(owner.context.timers)
    this.#timers.start('handler', owner.context.now())
  }

  /** Whether all of the request has come. */
  get whole(): boolean {
    return this.#trailers !== undefined
  }
  get head(): RequestHead {
    const { method, target, version, headers, host, path, query } = this
    return { method, target, version, headers, host, path, query }
  }
  get method(): string {
    return this.#announced.method
  }
  get target(): string {
    return this.#announced.path
  }
  get headers(): readonly Field[] {
    return this.#announced.headers
  }

  get protocol(): string | undefined {
    return this.#announced.protocol
  }

  get length(): number | undefined {
    if (this.#announced.endStream) return 0
    for (const [name, value] of this.headers) if (name === 'content-length') return Number(value)
    return undefined
  }

  content(sink: ContentSink): void {
    if (this.#sink !== undefined) throw new Error('the content goes to somebody already')
    if (this.over) return
    this.#sink = sink
    if (this.#trailers === undefined) this.#timers.start('request-body', this.#owner.context.now())
    this.#give()
  }

  data(bytes: Uint8Array, ends: boolean): void {
    if (bytes.length > 0) this.#held.push(bytes)
    const now = this.#owner.context.now()
    this.#timers.content(bytes.length, now)
    this.#timers.prolong('handler', now)
    if (ends) this.#trailers = []
    this.#give()
  }

  ended(trailers: readonly Field[]): void {
    this.#trailers = trailers
    this.#give()
  }

  /** Gives the sink what there is, and the client a window as large as what the sink has taken. */
  #give(): void {
    const sink = this.#sink
    if (sink === undefined || this.over) return
    const { context } = this.#owner
    while (this.#held.length > 0 && !this.#blocked && !this.over) {
      const bytes = this.#held.shift()!
      let taken: Promise<void> | void
      try {
        taken = sink.data(bytes)
      } catch (cause) {
        this.failed(cause)
        return
      }
      if (taken === undefined) this.#credit(bytes.length)
      else {
        this.#blocked = true
        this.#timers.stop('request-body')
        taken
          .then(
            () => this.#taken(bytes.length),
            cause => this.failed(cause),
          )
          .catch(context.fault)
      }
    }
    if (this.#blocked || this.over || this.#told) return
    if (this.#trailers === undefined) {
      if (!this.#tunnel) this.#timers.start('request-body', context.now())
    } else {
      this.#told = true
      this.#timers.stop('request-body')
      try {
        sink.end(this.#trailers)
      } catch (cause) {
        this.failed(cause)
      }
    }
  }

  #taken(count: number): void {
    this.#blocked = false
    if (this.over) return
    this.#credit(count)
    this.#give()
    this.#owner.wake()
  }

  resume(): void {
    if (this.over) return
    this.#credit(0)
    this.#owner.wake()
  }

  /** The client may send so much more, unless the sink is full. */
  #credit(count: number): void {
    this.#uncredited += count
    if (this.#uncredited === 0 || this.#sink?.full === true) return
    this.#owner.http.consume(this.#announced.streamId, this.#uncredited)
    this.#uncredited = 0
  }

  inform(status: number, headers: readonly Field[]): void {
    if (this.over) return
    this.#owner.http.respond(this.#announced.streamId, { status, headers })
    this.#owner.wake()
  }

  upgrade(headers: readonly Field[], sink: ContentSink): HttpTunnel {
    if (this.over) return NOBODY
    if (this.protocol === undefined) throw new Error('no request waits for an upgrade')
    // RFC 8441 §5: Upgrade and the like have no place here, and 200 is what 101 is elsewhere.
    const kept = headers.filter(([name]) => name.toLowerCase() !== 'upgrade')
    this.begin({ status: 200, headers: kept, length: undefined })
    this.#tunnel = true
    // The application gets what has come when it has the tunnel in its hands.
    this.#blocked = true
    this.content(sink)
    this.#timers.stop('request-body')
    Promise.resolve()
      .then(() => this.#taken(0))
      .catch(this.#owner.context.fault)
    return { write: data => this.write(data), end: () => this.end() }
  }

  reply(response: ResponseView): void {
    if (this.over) return
    const { http, context } = this.#owner
    const { streamId } = this.#announced
    const whole = withLength(response, this.method)
    const { body } = whole
    if (!(body instanceof Uint8Array) || body.length <= LARGE || this.method === 'HEAD') {
      http.reply(streamId, whole, context.date())
      this.#finish()
      return
    }
    // In pieces of the application's own memory, as the client's windows open.
    http.respond(streamId, whole, context.date(), body.length)
    this.#timers.stop('handler')
    this.#waiting.push(body)
    this.#ending = { trailers: undefined }
    this.#go()
  }

  begin({ status, headers, length }: Parameters<HttpResponse['begin']>[0]): void {
    if (this.over) return
    const { http, context } = this.#owner
    const fields = length === undefined ? headers : lengthFirst(headers, length)
    http.respond(this.#announced.streamId, { status, headers: fields }, context.date())
    this.#timers.stop('handler')
    this.#owner.wake()
  }

  write(data: Uint8Array): Promise<void> | undefined {
    if (this.over) return undefined
    this.#waiting.push(data)
    this.#go()
    if (this.#waiting.length === 0) return undefined
    return new Promise(resolve => this.#writers.push(resolve))
  }

  end(trailers?: readonly Field[]): void {
    if (this.over) return
    this.#ending = { trailers }
    this.#go()
  }

  abort(): void {
    if (this.over) return
    this.#owner.http.reset(this.#announced.streamId, ErrorCode.INTERNAL_ERROR)
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
    if (this.over) return
    const { http } = this.#owner
    const { streamId } = this.#announced
    const waiting = this.#waiting
    while (waiting.length > 0) {
      const [first] = waiting as [Uint8Array]
      const accepted = http.write(streamId, first)
      this.#owner.wake()
      if (accepted < first.length) {
        waiting[0] = first.subarray(accepted)
        return
      }
      waiting.shift()
    }
    this.#release()
    if (this.#ending === undefined) return
    try {
      http.end(streamId, this.#ending.trailers)
    } finally {
      this.#finish()
    }
  }

  tick(now: number): void {
    const timer = this.#timers.expired(now)
    if (timer === undefined) return
    const { context } = this.#owner
    const ordinary = expiryProblem(timer, context.timers)
    const { status = 408, detail = '' } = ordinary ?? {}
    this.#fault({ kind: 'timeout', timer, status, reason: detail, request: this }, ordinary)
  }

  /** Bytes of content that nobody has asked for, and of a response that wait for a window. */
  get held(): number {
    let bytes = 0
    for (const { length } of this.#held) bytes += length
    for (const { length } of this.#waiting) bytes += length
    return bytes
  }

  /** Gives up for what it holds. */
  shed(what: Problem): void {
    const { status, detail = '' } = what
    this.#fault({ kind: 'memory', status, reason: detail, request: this }, what)
  }

  /** The application threw. */
  failed(cause: unknown): void {
    const fault = { kind: 'application', status: 500, reason: reasonOf(cause), cause, request: this } as const
    // Whoever throws when all has been said is told of it, and the client is not.
    if (this.over) answerTo({ ...fault, answerable: false }, this.#owner.context.handlers)
    else {
      this.onGone = undefined
      this.#fault(fault)
    }
  }

  /** There will be no response, because the client is gone or has been answered otherwise. */
  gone(reason: Error): void {
    if (this.over) return
    this.over = true
    this.#release()
    try {
      if (!this.#told) this.#sink?.broken(reason)
      this.onGone?.(reason)
    } catch (cause) {
      this.failed(cause)
    }
  }

  #fault(what: Omit<HttpFault, 'answerable'>, ordinary?: Problem): void {
    const { http, context } = this.#owner
    const { streamId } = this.#announced
    // HTTP knows what it has begun; what is remembered elsewhere may be wrong.
    const fault = { ...what, answerable: http.answerable(streamId) }
    const answer = answerTo(fault, context.handlers, ordinary)
    this.gone(new Error(fault.reason))
    if (!fault.answerable)
      http.reset(streamId, ErrorCode[fault.kind === 'memory' ? 'ENHANCE_YOUR_CALM' : 'INTERNAL_ERROR'])
    else {
      try {
        http.reply(streamId, withLength(answer, this.method), context.date())
      } catch (error) {
        if (!(error instanceof TypeError)) throw error
        http.reply(streamId, problem({ name: 'application-failed', status: 500 }), context.date())
      }
    }
    this.#owner.forget(streamId)
    this.#owner.wake()
  }

  #finish(): void {
    this.over = true
    this.#release()
    try {
      if (!this.#told && this.#sink !== undefined) this.#sink.broken(new Error('the response has ended'))
    } catch (cause) {
      this.failed(cause)
    }
    this.#owner.forget(this.#announced.streamId)
    this.#owner.wake()
  }

  #release(): void {
    const writers = this.#writers
    if (writers.length === 0) return
    this.#writers = []
    for (const resolve of writers) resolve()
  }
}

/** The same response with its length, as over HTTP/1; 204 and 304 have none that the content would tell. */
function withLength(response: ResponseView, method: string): ResponseView {
  const { status, headers = [], body } = response
  if (status === 204 || status === 304) return response
  const content = typeof body === 'string' ? sharedUtf8(body) : (body ?? EMPTY)
  // To HEAD an absent body says nothing: the application may not know.
  if (body === undefined && method === 'HEAD') return response
  return { status, headers: lengthFirst(headers, content.length), body: content }
}

function lengthFirst(headers: readonly Field[], length: number): readonly Field[] {
  for (const [name] of headers)
    if (name.length === 14 && name.toLowerCase() === 'content-length') return headers
  return [['content-length', String(length)], ...headers]
}
