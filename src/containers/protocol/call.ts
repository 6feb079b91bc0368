import type { ConnectionInfo } from '../../functions/contract.ts'
import type { H2Event, H2Server } from '../../http/h2/index.ts'
import type { Field, RequestHead, ResponseView } from '../../http/message.ts'
import { type Problem, problem } from '../../http/problem.ts'
import type { ResponseSink } from '../../http/serving.ts'
import { HttpTimers, type TimerSettings } from '../../http/timers.ts'
import { steadyNow } from '../../platform/clock.ts'
import type { Log } from '../../platform/log.ts'
import type { Guard } from '../../transport/guard.ts'
import { EMPTY, utf8 } from '../../wire/index.ts'
import { type Awaited, type Timeout, timeoutProblem } from '../connection/timeout.ts'
import type { Callee } from './call-context.ts'
import { FunctionCall } from './function-call.ts'

/** Ends a stream whose response was begun and cannot be finished. */
const INTERNAL_ERROR = 0x2
/** Ends one that holds too much (RFC 9113 §7). */
const ENHANCE_YOUR_CALM = 0xb

/** A request's head as HTTP/2 reports it. */
export type AnnouncedRequest = Extract<H2Event, { type: 'request' }>

/** What a call asks of the connection that its stream belongs to. */
export interface CallOwner {
  readonly http: H2Server
  readonly guard: Guard
  /** The platform's own fields, sent with every response. */
  readonly fields: readonly Field[]
  readonly log: Log
  /** Nobody is answered any more. */
  readonly gone: boolean
  /** There is output, or room for input. */
  kick(): void
  /** Whether more may be done in this turn of the event loop. */
  goesOn(): boolean
  readonly settings: TimerSettings
  /** The call wants to be told the time at that moment, in milliseconds as {@link steadyNow}, or before. */
  wakeBy(at: number): void
  /** The response has been given out whole, or has broken off. */
  ended(streamId: number): void
}

/**
 * A request on one stream that was accepted: content goes in as the function takes it, the response goes out
 * as windows allow.
 */
export class Call implements ResponseSink {
  readonly #owner: CallOwner
  readonly #streamId: number
  readonly #exchange: FunctionCall
  /** As it was announced. */
  readonly request: AnnouncedRequest
  readonly #bodyBytes: number
  #bytes = 0
  /** Bytes that the function has not taken yet: the client may send as many more when it has. */
  #uncredited = 0
  /** What waits for a window, and who waits for that. */
  #unsent: { data: Uint8Array; resolve: () => void } | undefined
  over = false
  #begun = false
  /** Made when something is waited for. */
  #timers: HttpTimers | undefined

  /** @param bodyBytes most content that the request may have */
  constructor(
    owner: CallOwner,
    request: AnnouncedRequest,
    head: RequestHead,
    callee: Callee,
    place: { readonly functionPath: string; readonly connection: ConnectionInfo },
    bodyBytes: number,
  ) {
    this.#owner = owner
    this.request = request
    this.#streamId = request.streamId
    this.#bodyBytes = bodyBytes
    const timeout = owner.settings.handler
    this.#exchange = new FunctionCall(head, callee, { ...place, timeout, guard: owner.guard }, this, {
      resume: () => this.#credit(),
    })
  }

  /** Whether the request has come whole. */
  get whole(): boolean {
    return this.#exchange.bodyEnded
  }

  /**
   * Bytes of content that go back when the function has not begun; undefined if it has, or if nobody waits
   * for it.
   */
  get portable(): number | undefined {
    const { started, bodyEnded, held } = this.#exchange
    return started || bodyEnded || this.over ? undefined : held
  }

  /** How slowly its content has come, for when it is taken back. */
  get rate(): { readonly left: number; readonly counted: number } {
    this.#timers ??= new HttpTimers(this.#owner.settings)
    return { left: this.#timers.rate(steadyNow()), counted: this.#exchange.held }
  }

  /** It was taken back somewhere, and comes again from its beginning. */
  resume({ left, counted }: { readonly left: number; readonly counted: number }): void {
    this.#timers ??= new HttpTimers(this.#owner.settings)
    this.#timers.resume(left, counted)
  }

  /** Bytes of content that no function has. */
  get held(): number {
    return this.#exchange.waiting + (this.#unsent?.data.length ?? 0)
  }

  /** Gives up for what it holds. */
  shed(what: Problem): void {
    this.#refuse(what, ENHANCE_YOUR_CALM)
  }

  /** Gives up, unanswered, what no function has begun with. @returns the content so far */
  takeBack(): readonly Uint8Array[] {
    this.over = true
    return this.#exchange.takeBack()
  }

  /** Content. What is too much is answered with 413, or ends the stream. */
  receive(data: Uint8Array): void {
    if (this.over) return
    this.#bytes += data.length
    const timers = this.#timers
    if (timers !== undefined) {
      const now = steadyNow()
      timers.prolong('handler', now)
      if (!timers.content(data.length, now)) {
        this.#expire('request-rate')
        return
      }
    }
    if (this.#bytes > this.#bodyBytes) {
      this.tooLarge()
      return
    }
    this.#uncredited += data.length
    if (data.length > 0) this.#exchange.data(data)
    this.#credit()
  }

  /** The request has come whole. */
  received(): void {
    this.#exchange.end()
  }

  /** There is no more of the content for now. */
  wait(): void {
    if (this.over) return
    const exchange = this.#exchange
    exchange.wait()
    if (exchange.wantsBody) this.#await('request-body')
    else this.#timers?.stop('request-body')
    if (exchange.started && !this.#begun) this.#await('handler')
  }

  #await(timer: Awaited): void {
    this.#timers ??= new HttpTimers(this.#owner.settings)
    if (this.#timers.running(timer)) return
    const now = steadyNow()
    this.#timers.start(timer, now)
    this.tick(now)
  }

  /** Time has passed. @param now as {@link steadyNow} */
  tick(now: number): void {
    if (this.over || this.#timers === undefined) return
    const timer = this.#timers.expired(now)
    if (timer !== undefined && timer !== 'keep-alive') {
      this.#expire(timer)
      return
    }
    const next = this.#timers.next(now)
    if (next !== undefined) this.#owner.wakeBy(now + next)
  }

  /** What has taken too long. */
  #expire(timer: Timeout): void {
    this.#refuse(timeoutProblem(timer, this.#owner.settings))
  }

  /** The request has more content than it may. */
  tooLarge(): void {
    const detail = `more than ${this.#bodyBytes} bytes of content`
    this.#refuse({ name: 'bad-request', status: 413, detail })
  }

  /** The function has no say any more: the platform answers, or ends the stream if its response has begun. */
  #refuse(what: Problem, code = INTERNAL_ERROR): void {
    this.#exchange.cancel(new Error(what.detail))
    if (this.#owner.http.answerable(this.#streamId)) this.reply(problem(what))
    else this.abort(code)
  }

  /** The client takes content again. */
  drained(): void {
    const unsent = this.#unsent
    if (unsent === undefined) return
    unsent.data = unsent.data.subarray(this.#owner.http.write(this.#streamId, unsent.data))
    if (unsent.data.length > 0) return
    this.#unsent = undefined
    unsent.resolve()
  }

  /** The stream is gone. */
  cancel(reason: Error): void {
    this.over = true
    this.#exchange.cancel(reason)
    this.#unsent?.resolve()
    this.#unsent = undefined
  }

  inform(status: number, headers: readonly Field[]): void {
    if (this.#mute) return
    this.#owner.http.respond(this.#streamId, { status, headers })
    this.#owner.kick()
  }

  reply(response: ResponseView): void {
    if (this.#mute) return
    this.#owner.http.reply(this.#streamId, this.#marked(withLength(response)), Date.now())
    this.#end()
  }

  begin({ status, headers, length }: Parameters<ResponseSink['begin']>[0]): void {
    if (this.#mute) return
    const head = this.#marked({ status, headers: [...headers, ...lengthField(status, length)] })
    this.#owner.http.respond(this.#streamId, head, Date.now())
    this.#begun = true
    this.#timers?.stop('handler')
    this.#owner.kick()
  }

  write(data: Uint8Array): Promise<void> | undefined {
    if (this.#mute) return undefined
    const accepted = this.#owner.http.write(this.#streamId, data)
    const waiting =
      accepted === data.length
        ? undefined
        : new Promise<void>(resolve => {
            this.#unsent = { data: data.subarray(accepted), resolve }
          })
    this.#owner.kick()
    return waiting
  }

  end(trailers?: readonly Field[]): void {
    if (this.#mute) return
    this.#owner.http.end(this.#streamId, trailers)
    this.#end()
  }

  abort(code = INTERNAL_ERROR): void {
    if (this.#mute) return
    this.#owner.http.reset(this.#streamId, code)
    this.#end()
  }

  get #mute(): boolean {
    return this.over || this.#owner.gone
  }

  #end(): void {
    this.over = true
    this.#owner.ended(this.#streamId)
  }

  #credit(): void {
    if (this.#uncredited === 0 || this.over || !this.#exchange.wantsBody) return
    const count = this.#uncredited
    this.#uncredited = 0
    this.#owner.http.consume(this.#streamId, count)
    this.#owner.kick()
  }

  #marked<T extends { readonly headers?: readonly Field[] }>(response: T): T & { headers: readonly Field[] } {
    return { ...response, headers: [...(response.headers ?? []), ...this.#owner.fields] }
  }
}

/**
 * Content-Length as HTTP/1.1 would have it: not with 204, which never has content (RFC 9110 §8.6).
 */
export function lengthField(status: number, length: number | undefined): readonly Field[] {
  return length === undefined || status === 204 ? [] : [['content-length', String(length)]]
}

/** A whole response says how long it is; what 304 is about has another length. */
export function withLength(response: ResponseView): ResponseView {
  const { status, headers = [], body = EMPTY } = response
  if (status === 304) return response
  const bytes = typeof body === 'string' ? utf8(body) : body
  return { status, headers: [...headers, ...lengthField(status, bytes.length)], body: bytes }
}
