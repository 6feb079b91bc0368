import { EMPTY, sharedUtf8 } from '../../wire/index.ts'
import type { Field, RequestHead, ResponseView } from '../message.ts'
import {
  answerTo,
  type ContentSink,
  type HttpRequest,
  type HttpResponse,
  type HttpTunnel,
  NOBODY,
  reasonOf,
} from '../serving.ts'
import type { H1Event } from './server.ts'
import type { H1Serving } from './serving.ts'

/** Bytes of content that are copied rather than kept until the client takes them. */
const LARGE = 65_536

export type Announced = Extract<H1Event, { type: 'request' }>

/** One request and its response. */
export class H1Exchange implements HttpRequest, HttpResponse {
  readonly #owner: H1Serving
  readonly #announced: Announced
  readonly early: boolean
  readonly index: number
  onGone: ((reason: Error) => void) | undefined
  #sink: ContentSink | undefined
  #blocked = false
  /** Everything has come. */
  #whole = false
  #over = false
  begun = false

  constructor(owner: H1Serving, announced: Announced) {
    this.#owner = owner
    this.#announced = announced
    this.early = owner.early
    this.index = owner.http.requestsServed
  }

  get #head(): RequestHead {
    return this.#announced.head
  }
  get method(): string {
    return this.#head.method
  }
  get target(): string {
    return this.#head.target
  }
  get version(): RequestHead['version'] {
    return this.#head.version
  }
  get headers(): readonly Field[] {
    return this.#head.headers
  }
  get host(): string | undefined {
    return this.#head.host
  }
  get path(): string {
    return this.#head.path
  }
  get query(): string {
    return this.#head.query
  }
  get protocol(): string | undefined {
    return this.#announced.upgrade
  }
  get length(): number | undefined {
    return this.#announced.bodyLength
  }

  /** Whether pieces of content may be read now. */
  get wantsContent(): boolean {
    return this.#over || (this.#sink !== undefined && !this.#blocked && !this.#whole)
  }

  /** Whether content is missing. */
  get unfinished(): boolean {
    return !this.#whole
  }

  content(sink: ContentSink): void {
    if (this.#sink !== undefined) throw new Error('the content goes to somebody already')
    if (this.#over) return
    this.#sink = sink
    const owner = this.#owner
    if (this.#announced.expectsContinue) owner.send(owner.http.continue())
    if (this.length !== 0) owner.timers.start('request-body', owner.context.now())
    owner.pump()
  }

  data(bytes: Uint8Array): void {
    let taken: Promise<void> | void
    try {
      taken = this.#sink?.data(bytes)
    } catch (cause) {
      this.failed(cause)
      return
    }
    if (taken === undefined) return
    this.#blocked = true
    this.#owner.timers.stop('request-body')
    taken
      .then(
        () => this.#unblock(),
        cause => this.failed(cause),
      )
      .catch(this.#owner.context.fault)
  }

  ended(trailers: readonly Field[]): void {
    this.#whole = true
    try {
      this.#sink?.end(trailers)
    } catch (cause) {
      this.failed(cause)
    }
  }

  #unblock(): void {
    this.#blocked = false
    if (this.#over) return
    const owner = this.#owner
    owner.timers.start('request-body', owner.context.now())
    owner.pump()
  }

  inform(status: number, headers: readonly Field[]): void {
    if (!this.#over) this.#owner.send(this.#owner.http.inform(status, headers))
  }

  upgrade(headers: readonly Field[], sink: ContentSink): HttpTunnel {
    if (this.#over) return NOBODY
    const { http } = this.#owner
    const { head, rest } = http.upgrade(headers)
    this.#over = true
    return this.#owner.tunnel(head, rest, sink)
  }

  reply(response: ResponseView): void {
    if (this.#over) return
    const owner = this.#owner
    const { status, headers = [], body = EMPTY } = response
    const content = typeof body === 'string' ? sharedUtf8(body) : body
    if (content.length <= LARGE) owner.send(owner.http.reply(response, owner.context.date()))
    else {
      // The application's own memory, and no copy for each client.
      const { http } = owner
      owner.send(http.respond({ status, headers, length: content.length }, owner.context.date()))
      for (const bytes of http.write(content)) owner.send(bytes)
      owner.send(http.end())
    }
    this.#finished()
    owner.responded()
  }

  begin(head: Parameters<HttpResponse['begin']>[0]): void {
    if (this.#over) return
    const owner = this.#owner
    owner.send(owner.http.respond(head, owner.context.date()))
    owner.timers.stop('handler')
    this.begun = true
  }

  write(data: Uint8Array): Promise<void> | undefined {
    if (this.#over) return undefined
    const owner = this.#owner
    for (const bytes of owner.http.write(data)) owner.send(bytes)
    return owner.room()
  }

  end(trailers?: readonly Field[]): void {
    if (this.#over) return
    const owner = this.#owner
    try {
      owner.send(owner.http.end(trailers))
    } catch (error) {
      if (error instanceof RangeError) this.abort()
      throw error
    }
    this.#finished()
    owner.responded()
  }

  abort(): void {
    if (this.#over) return
    this.#over = true
    this.#break(new Error('the response broke off'))
    this.#owner.cut()
  }

  /** The application threw. */
  failed(cause: unknown): void {
    const owner = this.#owner
    const fault = { kind: 'application', status: 500, reason: reasonOf(cause), cause, request: this } as const
    // Whoever throws when all has been said is told of it, and the client is not.
    if (this.#over) answerTo({ ...fault, answerable: false }, owner.context.handlers)
    else {
      this.onGone = undefined
      owner.fault(fault)
    }
  }

  /** There will be no response, because the client is gone or has been answered otherwise. */
  gone(reason: Error): void {
    if (this.#over) return
    this.#over = true
    try {
      if (!this.#whole) this.#sink?.broken(reason)
      this.onGone?.(reason)
    } catch (cause) {
      this.failed(cause)
    }
  }

  #finished(): void {
    this.#over = true
    this.#break(new Error('the response has ended'))
  }

  /** Tells whoever gets the content that there is no more, which must stop nothing here. */
  #break(reason: Error): void {
    try {
      if (!this.#whole) this.#sink?.broken(reason)
    } catch (cause) {
      this.failed(cause)
    }
  }
}
