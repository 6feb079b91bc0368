import { EMPTY, sharedUtf8 } from '../../wire/index.ts'
import { reasonOf } from '../../wire/thrown.ts'
import { HeadView } from '../head-view.ts'
import { checkBytes, type Field, type RequestHead, type ResponseView } from '../message.ts'
import {
  answerTo,
  CLOSED_TUNNEL,
  type ContentSink,
  type HttpFault,
  type HttpHandlers,
  type HttpRequest,
  type HttpResponse,
  type HttpTunnel,
  withoutTunnel,
} from '../serving.ts'
import { isPromise } from '../telling.ts'
import type { RequestTimers } from '../timers.ts'
import type { H1Event } from './event.ts'
import type { H1Server } from './server.ts'

/** Bytes of content that are copied rather than kept until the client takes them. */
const LARGE = 65_536

export type Announced = Extract<H1Event, { type: 'request' }>

/** What an exchange asks of the connection that it is on. */
export interface ExchangeOwner {
  readonly http: H1Server
  readonly handlers: HttpHandlers
  readonly timers: RequestTimers
  /** Fields that are sent with every response; the same as lines. */
  readonly fields: readonly Field[]
  readonly lines: string
  /** The client gets nothing any more. */
  readonly gone: boolean
  /** Milliseconds since 1970. */
  date(): number
  /** @param last it ends a response */
  send(parts: readonly Uint8Array[], last?: boolean): void
  /** @returns undefined, or a promise of the moment when the client has taken enough for more */
  room(): Promise<void> | undefined
  /** Content may be read. */
  pump(): void
  /** The response is complete. */
  responded(): void
  /** The response cannot be completed. */
  cut(reason: string): void
  /** HTTP has said its last word. @param rest what has come behind the request */
  tunnel(rest: Uint8Array, sink: ContentSink): HttpTunnel
  fault(what: Omit<HttpFault, 'answerable'>): void
  /** Something was thrown where no caller hears of it. */
  fail(error: unknown): void
}

/** One request and its response. */
export class H1Exchange extends HeadView implements HttpRequest, HttpResponse {
  readonly #owner: ExchangeOwner
  readonly #announced: Announced
  readonly early: boolean
  readonly index: number
  onGone: ((reason: Error) => void) | undefined
  #sink: ContentSink | undefined
  #blocked = false
  /** Everything has come. */
  #whole = false
  over = false
  begun = false

  /** @param resumed how far it had come elsewhere */
  constructor(owner: ExchangeOwner, announced: Announced, early: boolean, resumed?: H1Server['serving']) {
    super()
    this.#owner = owner
    if (resumed !== undefined) {
      this.#whole = resumed.whole
      this.begun = resumed.begun
    }
    this.#announced = announced
    this.early = early
    this.index = owner.http.requestsServed
  }

  get head(): RequestHead {
    return this.#announced.head
  }
  get protocol(): string | undefined {
    return this.#announced.upgrade
  }
  get length(): number | undefined {
    return this.#announced.bodyLength
  }

  /** Whether pieces of content may be read now. */
  get wantsContent(): boolean {
    if (this.over) return true
    const sink = this.#sink
    return sink !== undefined && !this.#blocked && !this.#whole && sink.full !== true
  }

  /** Whether the application is at work. */
  get started(): boolean {
    return this.#sink?.started !== false
  }

  /** As {@link ContentSink.answerWithin}. */
  get answerWithin(): number | undefined {
    return this.#sink?.answerWithin
  }

  /** Whether content is missing. */
  get unfinished(): boolean {
    return !this.#whole
  }

  content(sink: ContentSink): void {
    if (this.#sink !== undefined) throw new Error('the content has a sink already')
    if (this.over) return
    this.#sink = sink
    const owner = this.#owner
    if (this.#announced.expectsContinue) owner.send([owner.http.continue()])
    owner.pump()
  }

  /** Gives the rest of the content to a sink that goes on where another one was. */
  goOn(sink: ContentSink): void {
    this.#sink = sink
    this.#owner.pump()
  }

  resume(): void {
    if (!this.over) this.#owner.pump()
  }

  data(bytes: Uint8Array): void {
    let taken: Promise<void> | void
    try {
      taken = this.#sink?.data(bytes)
    } catch (cause) {
      this.failed(cause)
      return
    }
    if (!isPromise(taken)) return
    this.#blocked = true
    Promise.resolve(taken)
      .then(
        () => {
          this.#blocked = false
          this.resume()
        },
        cause => this.failed(cause),
      )
      .catch(error => this.#owner.fail(error))
  }

  ended(trailers: readonly Field[]): void {
    this.#whole = true
    try {
      this.#sink?.end(trailers)
    } catch (cause) {
      this.failed(cause)
    }
  }

  inform(status: number, headers: readonly Field[]): void {
    if (!this.#mute()) this.#owner.send([this.#owner.http.inform(status, headers)])
  }

  upgrade(headers: readonly Field[], sink: ContentSink): HttpTunnel {
    if (this.#mute()) return CLOSED_TUNNEL
    const owner = this.#owner
    const { head, rest } = owner.http.upgrade([...headers, ...owner.fields])
    this.over = true
    owner.send([head])
    return owner.tunnel(rest, sink)
  }

  reply(response: ResponseView): void {
    if (this.#mute()) return
    const owner = this.#owner
    const { http } = owner
    const { headers = [], body = EMPTY } = response
    const status = this.#statusOf(response)
    const content = typeof body === 'string' ? sharedUtf8(body) : body
    checkBytes(content)
    if (content.length <= LARGE) {
      owner.send([http.reply({ status, headers, body: content }, owner.date(), owner.lines)], true)
    } else {
      // The application's own memory, and no copy for each client.
      const head = http.respond({ status, headers, length: content.length }, owner.date(), owner.lines)
      owner.send([head, ...http.write(content), http.end()], true)
    }
    this.#finished()
    owner.responded()
  }

  begin(head: Parameters<HttpResponse['begin']>[0]): void {
    if (this.#mute()) return
    const owner = this.#owner
    const { headers, length } = head
    const status = this.#statusOf(head)
    owner.send([owner.http.respond({ status, headers, length }, owner.date(), owner.lines)])
    owner.timers.stop('handler')
    this.begun = true
  }

  write(data: Uint8Array): Promise<void> | undefined {
    if (this.#mute()) return undefined
    checkBytes(data)
    const owner = this.#owner
    owner.send(owner.http.write(data))
    return owner.room()
  }

  end(trailers?: readonly Field[]): void {
    if (this.#mute()) return
    const owner = this.#owner
    let last: Uint8Array
    try {
      last = owner.http.end(trailers)
    } catch (error) {
      if (error instanceof RangeError) this.abort()
      throw error
    }
    owner.send([last], true)
    this.#finished()
    owner.responded()
  }

  abort(): void {
    if (this.#mute()) return
    this.over = true
    this.#break('the response broke off')
    this.#owner.cut('the response broke off')
  }

  /** The application threw. */
  failed(cause: unknown): void {
    const owner = this.#owner
    const fault = { kind: 'application', status: 500, reason: reasonOf(cause), cause, request: this } as const
    // An application that throws when all has been said is told of it, and the client is not.
    if (this.over) answerTo({ ...fault, answerable: false }, owner.handlers)
    else {
      this.onGone = undefined
      owner.fault(fault)
    }
  }

  /** There will be no response, because the client is gone or has been answered otherwise. */
  gone(reason: Error): void {
    if (this.over) return
    this.over = true
    try {
      if (!this.#whole) this.#sink?.broken(reason)
      this.onGone?.(reason)
    } catch (cause) {
      this.failed(cause)
    }
  }

  #statusOf({ status }: { readonly status: number }): number {
    return this.method === 'CONNECT' ? withoutTunnel(status) : status
  }

  #mute(): boolean {
    return this.over || this.#owner.gone
  }

  #finished(): void {
    this.over = true
    this.#break('the response has ended')
  }

  /** Tells the sink that there is no more, which must stop nothing here. */
  #break(reason: string): void {
    // An error costs more than all the rest of a small request.
    if (this.#whole || this.#sink === undefined) return
    try {
      this.#sink.broken(new Error(reason))
    } catch (cause) {
      this.failed(cause)
    }
  }
}
