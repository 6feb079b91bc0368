import { H1Client, type H1ClientEvent } from '../http/h1/client.ts'
import type { H1ClientState } from '../http/h1/client-state.ts'
import { DEFAULT_LIMITS, type H1Limits } from '../http/h1/limits.ts'
import { type Field, header } from '../http/message.ts'
import { EMPTY } from '../wire/index.ts'
import { Connection, type ConnectionOwner, type ConnectionSettings, INTERIM } from './connection.ts'
import { ClientError } from './error.ts'
import type { Carrier, Exchange, Seen } from './exchange.ts'
import type { Carried } from './moving.ts'
import { pathOf } from './outgoing.ts'
import type { ClientApplication } from './state.ts'
import { Upload, type UploadSink } from './upload.ts'

const LIMITS: H1Limits = {
  ...DEFAULT_LIMITS,
  headBytes: 65_536,
  headerFields: 256,
  // What comes is read as the application takes it.
  bodyBytes: Number.MAX_SAFE_INTEGER,
}
/** Bytes of content that leave together with their head. */
const SMALL = 16_384
/** Milliseconds for which content waits for 100 (Continue) (RFC 9110 §10.1.1). */
const CONTINUE = 1000
/** Milliseconds before the server's own time to close an idle connection. */
const MARGIN = 1000

/** How a connection begins. */
export interface H1Beginning {
  /** See {@link H1Connection}. */
  readonly toProxy?: readonly Field[] | undefined
  /** Where it was in another process. */
  readonly state?: {
    readonly sent: number
    readonly idle: number
    readonly http: H1ClientState
    readonly exchange: Exchange | undefined
  }
}

/** A connection that speaks HTTP/1.1: one request after the other. */
export class H1Connection extends Connection implements Carrier, UploadSink {
  readonly protocol = 'http/1.1'
  readonly #http: H1Client
  /**
   * Fields for the proxy that the other side is, which is asked for whole URLs (RFC 9112 §3.2.2); undefined:
   * it is the origin.
   */
  readonly #toProxy: readonly Field[] | undefined
  #exchange: Exchange | undefined
  #upload: Upload | undefined
  /** Content that waits for 100 (Continue), or until it is clear that none comes. */
  #held: (() => void) | undefined
  #chunked = false
  /** Bytes of content that came from a stream. */
  #uploaded = 0
  /** All of the request has been given to the transport. */
  #requestSent = true
  /** The response has ended. */
  #responseEnded = true
  #interim = 0
  /** Of the response, as it has come so far. */
  #phase: 'idle' | 'continue' | 'headers' | 'body' = 'idle'
  #paused = false
  #room: (() => void) | undefined
  #idle: number

  constructor(
    connected: Carried,
    owner: ConnectionOwner,
    settings: ConnectionSettings,
    { toProxy, state }: H1Beginning = {},
  ) {
    super(connected, owner, settings)
    this.#toProxy = toProxy
    this.#idle = state?.idle ?? settings.timeouts.idle
    this.#http = new H1Client(LIMITS, state?.http)
    this.sent = state?.sent ?? 0
    const exchange = state?.exchange
    if (exchange !== undefined) this.#resume(exchange)
    this.open()
    if (exchange === undefined) {
      this.ring(this.#idle)
      this.hold(false)
    }
    // The server has said that it is to end.
    if (exchange === undefined && !this.#http.reusable) this.drain()
    // What has come already may be all that there is.
    if (state !== undefined) this.guard.run(() => this.onBytes(EMPTY))
  }

  #resume(exchange: Exchange): void {
    exchange.begin(this, true)
    this.#exchange = exchange
    this.#responseEnded = false
    this.#phase = exchange.seen === 'answered' ? 'body' : 'headers'
    this.ring(this.settings.timeouts[this.#phase])
  }

  protected get obstacle(): string | undefined {
    if (this.#toProxy !== undefined) return 'it goes through a proxy'
    if (this.#held !== undefined) return 'a request waits for 100 (Continue)'
    if (!this.#requestSent) return 'the content of a request is a stream, and being sent'
    return this.#exchange?.obstacle
  }

  protected export(): ClientApplication {
    this.ring(0)
    const { sent } = this
    const exchange = this.#exchange?.export()
    return { protocol: 'http/1.1', sent, idle: this.#idle, http: this.#http.export(), exchange }
  }

  get connection(): this {
    return this
  }

  protected thaw(): void {
    if (this.#exchange?.full === false) this.#readOn()
  }

  get room(): number {
    return this.#exchange === undefined && this.#http.reusable && !this.closing ? 1 : 0
  }

  get underway(): number {
    return this.#exchange === undefined ? 0 : 1
  }

  send(exchange: Exchange): void {
    this.guard.run(() => this.#send(exchange))
  }

  #send(exchange: Exchange): void {
    const { outgoing } = exchange
    const { method, url, content } = outgoing
    const toProxy = this.#toProxy
    const target = toProxy === undefined ? pathOf(url) : url.href.slice(0, url.href.length - url.hash.length)
    const headers: Field[] = [['Host', url.host], ...outgoing.fields, ...(toProxy ?? [])]
    const streams = content instanceof ReadableStream
    this.#chunked = streams && outgoing.length === undefined
    if (this.#chunked) headers.push(['Transfer-Encoding', 'chunked'])
    else if (streams) headers.push(['Content-Length', String(outgoing.length)])
    const waits = content !== undefined && header(headers, 'expect')?.toLowerCase() === '100-continue'
    const whole = streams || content === undefined ? EMPTY : content
    const together = whole.length <= SMALL && !waits
    if (!streams && !together) headers.push(['Content-Length', String(whole.length)])
    let head: Uint8Array
    try {
      head = this.#http.request({ method, target, headers }, together ? whole : EMPTY)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      exchange.fail(error, 'answered')
      this.owner.available(this)
      return
    }
    exchange.begin(this, this.sent++ > 0)
    this.hold(true)
    this.#exchange = exchange
    this.#interim = 0
    this.#responseEnded = false
    this.#requestSent = together && !streams
    const rest = this.#requestSent ? undefined : () => this.#sendContent(content!)
    if (waits) this.#held = rest
    this.transport.write(!waits && !streams && !together ? [head, whole] : [head])
    this.#phase = waits ? 'continue' : 'headers'
    this.ring(waits ? CONTINUE : this.settings.timeouts.headers)
    if (!waits && streams) rest?.()
    else if (!waits) this.#requestSent = true
  }

  #sendContent(content: Uint8Array | ReadableStream<Uint8Array>): void {
    if (content instanceof ReadableStream) {
      this.#upload = new Upload(content, this)
      return
    }
    this.transport.write([content])
    this.#requestSent = true
  }

  /** The server wants the content, or we wait no longer for a word of it. */
  #release(): void {
    const held = this.#held
    this.#held = undefined
    if (this.#phase === 'continue') this.#phase = 'headers'
    this.ring(this.settings.timeouts.headers)
    held?.()
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.over) return undefined
    const left = this.#exchange?.outgoing.length
    if (left !== undefined) this.#count(bytes.length, left)
    this.transport.write(this.#chunked ? [H1Client.chunk(bytes)] : [bytes])
    if (this.#phase === 'headers') this.ring(this.settings.timeouts.headers)
    if (!this.transport.queued) return undefined
    return new Promise(resolve => {
      this.#room = resolve
    })
  }

  #count(bytes: number, promised: number): void {
    this.#uploaded += bytes
    if (this.#uploaded > promised) throw new RangeError('more content than Content-Length says')
  }

  finish(): void {
    if (this.over) return
    const promised = this.#exchange?.outgoing.length
    if (promised !== undefined && this.#uploaded < promised) {
      this.failed(new RangeError('less content than Content-Length says'))
      return
    }
    if (this.#chunked) this.transport.write([H1Client.chunk(EMPTY)])
    this.#upload = undefined
    this.#uploaded = 0
    this.#requestSent = true
    this.#afterBoth()
  }

  failed(error: unknown): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    this.fail(new ClientError('aborted', 'the content of the request failed', { cause: error }))
    exchange?.cancel(error)
  }

  consumed(): void {
    this.#readOn()
  }

  cancel(): void {
    if (this.over) return
    this.#exchange = undefined
    this.fail(new ClientError('aborted', 'the request was given up'))
  }

  protected onBytes(view: Uint8Array): void {
    const events = this.#http.receive(view)
    for (const event of events) {
      if (this.over) return
      this.#on(event)
    }
    const exchange = this.#exchange
    if (exchange === undefined) return
    if (this.#responseEnded) this.#afterBoth()
    else {
      exchange.settle()
      if (exchange.full) this.#pause()
      else if (this.#phase === 'body') this.ring(this.settings.timeouts.body)
    }
  }

  protected onEnd(): void {
    for (const event of this.#http.finish()) this.#on(event)
    if (this.#exchange !== undefined) this.#afterBoth()
    if (!this.over) this.close()
  }

  protected onDrain(): void {
    const room = this.#room
    this.#room = undefined
    room?.()
  }

  protected onTime(): void {
    if (this.#phase === 'continue') this.#release()
    else if (this.#phase === 'idle') this.close()
    else if (this.#phase === 'headers') this.fail(this.late('headers', 'no response'))
    else this.fail(this.late('body', 'no more of the response'))
  }

  protected failAll(error: ClientError, seen?: Seen): void {
    this.#upload?.stop(error)
    this.#held = undefined
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.fail(error, seen)
  }

  #on(event: H1ClientEvent): void {
    const exchange = this.#exchange
    switch (event.type) {
      case 'interim':
        if (++this.#interim > INTERIM) {
          this.#broken(`more than ${INTERIM} interim responses`)
          return
        }
        if (event.status === 100 && this.#held !== undefined) this.#release()
        exchange?.inform(event.status, event.headers)
        return
      case 'response': {
        const { status, headers } = event
        // The content is not wanted, if it has not been asked for by now.
        this.#held = undefined
        this.#phase = 'body'
        this.#learn(headers)
        exchange?.respond(status, headers)
        return
      }
      case 'body':
        exchange?.data(event.data)
        return
      case 'end':
        this.#responseEnded = true
        exchange?.end(event.trailers)
        return
      case 'upgrade':
        this.#broken(`${event.status} without being asked`)
        return
      case 'error':
        this.#broken(event.reason)
    }
  }

  #broken(reason: string): void {
    this.fail(new ClientError('protocol', reason))
  }

  /** How long the server keeps the connection (RFC 9112 appendix C.2.2). */
  #learn(headers: readonly Field[]): void {
    const said = header(headers, 'keep-alive')
    const [, seconds] = /(?:^|[,;\s])timeout=(\d{1,6})/i.exec(said ?? '') ?? []
    if (seconds === undefined) return
    this.#idle = Math.min(this.settings.timeouts.idle, Math.max(1, Number(seconds) * 1000 - MARGIN))
  }

  #afterBoth(): void {
    if (!this.#responseEnded || this.over) return
    if (!this.#requestSent) {
      // The server has answered without the rest: what still goes out would be read as another request.
      this.#exchange = undefined
      this.#upload?.stop(new Error('the server has answered already'))
      this.fail(new ClientError('protocol', 'answered before the end of the request'))
      return
    }
    this.#exchange = undefined
    this.#phase = 'idle'
    this.#readOn()
    if (this.closing || !this.#http.reusable) {
      this.close()
      return
    }
    this.ring(this.#idle)
    this.hold(false)
    this.owner.available(this)
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.ring(0)
    this.transport.pause()
  }

  #readOn(): void {
    if (!this.#paused || this.over || this.frozen) return
    this.#paused = false
    if (this.#phase === 'body') this.ring(this.settings.timeouts.body)
    this.transport.resume()
  }
}
