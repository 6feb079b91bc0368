import { EMPTY, utf8 } from '../../wire/index.ts'
import type { Field, ResponseView } from '../message.ts'
import type { Scheme } from '../origin.ts'
import { ByteQueue } from './byte-queue.ts'
import { H1Error } from './error.ts'
import type { H1Event } from './event.ts'
import { DEFAULT_LIMITS, type H1Limits } from './limits.ts'
import { type IncomingRequest, readRequest } from './request-head.ts'
import {
  type ResponseHead,
  type SerialisedHead,
  serialiseHead,
  serialiseInterim,
  serialiseTrailers,
  serialiseTunnel,
} from './response-head.ts'
import { HeadScanner } from './scanner.ts'
import { type H1State, INBOUND_CEILING } from './state.ts'
import { latin1Bytes, replyBytes } from './syntax.ts'
import type { Exchange, H1Progress } from './underway.ts'
import * as middle from './underway.ts'

const CRLF = utf8('\r\n')
const LAST_CHUNK = utf8('0\r\n\r\n')
const CONTINUE = utf8('HTTP/1.1 100 Continue\r\n\r\n')

/**
 * The server's side of an HTTP/1.0 or 1.1 connection (RFC 9112), without socket or clock. Bytes go in by
 * {@link receive}; {@link next} is asked for one event after the other until it has none; {@link accept}
 * takes a request, and {@link respond}, {@link write} and {@link end} give the bytes to send. When the
 * response has ended, nothing more is reported of its request, and the next one is announced.
 *
 * Between an announcement and `accept()` the request is still nothing but bytes, so a container at which a
 * request arrives that belongs to another one can {@link export} the connection and hand it over.
 */
export class H1Server {
  readonly #limits: H1Limits
  readonly #scheme: Scheme | undefined
  readonly #queue = new ByteQueue()
  #requestsServed: number
  #scanner: HeadScanner | undefined
  #announced: IncomingRequest | undefined
  #exchange: Exchange | undefined
  /** The head that has been sent, while its content is being sent. */
  #response: SerialisedHead | undefined
  #responded = false
  /** Bytes of content that Content-Length still promises. */
  #owed = 0
  /** The connection may serve another request. */
  #persistent = true
  #failed = false
  #closed = false
  #upgraded = false

  /**
   * @param state from another connection's {@link export}; without it, a new connection
   * @param scheme see {@link originOf}
   */
  constructor(limits: H1Limits = DEFAULT_LIMITS, state?: H1State, scheme?: Scheme) {
    this.#limits = limits
    this.#scheme = scheme
    this.#requestsServed = state?.requestsServed ?? 0
    if (state !== undefined && state.inbound.length > 0) {
      this.#queue.adopt(state.inbound)
    }
    const from = state && middle.underway(state, limits)
    if (from === undefined) return
    const { exchange, head } = from
    this.#exchange = exchange
    this.#response = head
    this.#responded = head !== undefined
    this.#owed = head?.length ?? 0
    this.#persistent = exchange.request.persistent
  }

  /**
   * Bytes from the client, in any pieces. They are borrowed: the caller leaves them alone until {@link next}
   * has returned undefined or this is called again, and a piece with a key of a sealed function is wiped.
   * Nothing bounds what is kept here: stop reading while {@link buffered} is large.
   */
  receive(bytes: Uint8Array): void {
    if (this.#closed || this.#failed || this.#upgraded) return
    this.#queue.settle()
    this.#queue.push(bytes)
  }

  /**
   * The next event; undefined if it takes more bytes, {@link accept}, or the end of the response. After that,
   * look at {@link shouldClose}.
   */
  next(): H1Event | undefined {
    if (this.#closed || this.#failed || this.#upgraded) return undefined
    try {
      const event = this.#exchange === undefined ? this.#nextRequest() : this.#nextContent(this.#exchange)
      if (event === undefined) this.#queue.settle()
      return event
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
      return this.#fail(error)
    }
  }

  /**
   * Takes the request that was announced. A request that another container shall serve is left alone instead.
   */
  accept(): void {
    const request = this.#announced
    if (request === undefined) throw new Error('no request has been announced')
    const whole = this.#queue.length - request.length >= (request.bodyLength ?? Infinity)
    const head = whole ? EMPTY : this.#queue.take(request.length)
    if (whole) this.#queue.skip(request.length)
    this.#queue.wipeKey(request, -request.length)
    this.#queue.guard(false)
    this.#announced = undefined
    this.#scanner = undefined
    this.#persistent = request.persistent && this.#requestsServed + 1 < this.#limits.requests
    this.#exchange = middle.begun(request, head, this.#limits)
  }

  /**
   * Whether {@link withdraw} is possible: a request was accepted before all of it had come, and more is
   * missing.
   */
  get withdrawable(): boolean {
    return (
      this.#exchange !== undefined &&
      middle.isWithdrawable(this.#exchange) &&
      !this.#responded &&
      !this.#failed
    )
  }

  /**
   * Takes {@link accept} back: the request is bytes again, which another connection may {@link export}, or
   * which are announced here anew.
   * @param content all that was reported of it, which is not kept here
   * @throws Error if it has been read whole, or answered
   */
  withdraw(content: readonly Uint8Array[]): void {
    const exchange = this.#exchange
    if (exchange === undefined || !this.withdrawable) throw new Error('no request can be withdrawn')
    const bytes = middle.unread(exchange, content, this.#queue.copy())
    this.#forget()
    this.#queue.clear()
    this.#queue.push(bytes)
    this.#queue.settle()
    this.#persistent = true
  }

  /** 100 (Continue), if the client waits for it and the response has not begun; otherwise no bytes. */
  continue(): Uint8Array {
    const exchange = this.#exchange
    if (exchange === undefined || exchange.continued || this.#responded || this.#failed) return EMPTY
    if ((exchange.request.bodyLength ?? 0) > this.#limits.bodyBytes) return EMPTY
    exchange.continued = true
    // Who sends already is not told to (RFC 9110 §10.1.1).
    if (this.#queue.length > 0) return EMPTY
    return CONTINUE
  }

  /**
   * An interim response (RFC 9110 §15.2) such as 103 (Early Hints), any number of them before the
   * final one.
   * @returns its bytes; none for an HTTP/1.0 client, which must not get any
   * @throws TypeError for 100, which is {@link continue}, for 101, which is {@link upgrade}, and for what
   * must not be sent
   */
  inform(status: number, headers: readonly Field[]): Uint8Array {
    if (status === 100 || status === 101) throw new TypeError(`${status} is not sent this way`)
    const text = serialiseInterim(status, headers)
    if (this.#exchange === undefined || this.#responded || this.#failed) {
      throw new Error('no request waits for a response')
    }
    return this.#exchange.request.head.version === '1.0' ? EMPTY : latin1Bytes(text)
  }

  /**
   * Grants the upgrade that the accepted request asks for (RFC 9110 §7.8) when it has been read
   * whole: 101 (Switching Protocols) is HTTP's last word here, and the connection belongs to the other
   * protocol. CONNECT (§9.3.6) is granted by 200 in the same way.
   * @param headers Upgrade, which must name one of what was asked for, and others; Connection is ours. For
   * CONNECT no Upgrade
   * @returns the bytes to send, and what has been received behind the request
   * @throws Error if nothing was asked for or the request has not ended; TypeError for fields that must not
   * be sent
   */
  upgrade(headers: readonly Field[]): { readonly head: Uint8Array; readonly rest: Uint8Array } {
    const exchange = this.#exchange
    const connects = exchange?.request.head.method === 'CONNECT'
    const asked = exchange !== undefined && (connects || exchange.request.upgrade !== undefined)
    if (!asked || this.#responded || this.#failed) throw new Error('no request waits for an upgrade')
    if (exchange.reading === 'content' && !exchange.body.done)
      throw new Error('the request has not been read whole')
    const head = latin1Bytes(connects ? serialiseTunnel(headers) : serialiseInterim(101, headers))
    const rest = this.#queue.copy()
    this.#requestsServed++
    this.#upgraded = true
    this.#exchange = undefined
    this.#queue.clear()
    return { head, rest }
  }

  /**
   * Begins the response to the accepted request, or to an answerable error.
   * @param now milliseconds since 1970, for Date
   * @param lines further fields, by {@link fieldLines}
   * @returns the head's bytes
   * @throws TypeError for a head that must not be sent; then another one may be tried
   */
  respond(head: ResponseHead, now: number, lines?: string): Uint8Array {
    return latin1Bytes(this.#begin(head, now, lines).text)
  }

  /** A part of the content, framed. Nothing goes out where a response carries no content: HEAD, 204, 304. */
  write(data: Uint8Array): Uint8Array[] {
    const { framing } = this.#open()
    if (framing === 'no content' || data.length === 0) return []
    if (framing === 'chunked') return [utf8(`${data.length.toString(16)}\r\n`), data, CRLF]
    if (framing === 'length') {
      if (data.length > this.#owed) throw new RangeError('more content than Content-Length says')
      this.#owed -= data.length
    }
    return [data]
  }

  /**
   * Ends the response.
   * @param trailers go out where the content is in chunks; anywhere else there is no place for them, and they
   * are dropped
   * @returns what ends its framing
   * @throws RangeError if content is missing; then the connection can only be closed; TypeError for trailers
   * that must not be sent
   */
  end(trailers: readonly Field[] = []): Uint8Array {
    const { framing } = this.#open()
    const last = trailers.length === 0 ? LAST_CHUNK : latin1Bytes(serialiseTrailers(trailers))
    if (framing === 'length' && this.#owed > 0) {
      this.#close()
      throw new RangeError('less content than Content-Length says')
    }
    this.#finishResponse()
    return framing === 'chunked' ? last : EMPTY
  }

  /** {@link respond}, {@link write} and {@link end} in one piece, which `replyMemory` takes back. */
  reply({ status, headers = [], body }: ResponseView, now: number, lines?: string): Uint8Array {
    const content = body === undefined ? EMPTY : typeof body === 'string' ? utf8(body) : body
    const { text, framing, length } = this.#begin({ status, headers, length: content.length }, now, lines)
    const bytes = replyBytes(text, length)
    if (framing === 'length') bytes.set(content, text.length)
    this.#finishResponse()
    return bytes
  }

  /**
   * Gives the connection up between two requests, with one last response such as 408: what has begun to
   * arrive is not read any more.
   * @throws Error unless idle; TypeError for a response that must not be sent
   */
  refuse(response: ResponseView, now: number): Uint8Array {
    if (!this.idle) throw new Error('a request is being served')
    this.#failed = true
    this.#announced = undefined
    this.#queue.clear()
    return this.reply(response, now)
  }

  /** There is nothing more to do here: send what was given out, and close. */
  get shouldClose(): boolean {
    return this.#closed
  }

  /** Between two messages: {@link export} is possible. A request may be announced, or partly there. */
  get idle(): boolean {
    return this.#exchange === undefined && !this.#failed && !this.#closed && !this.#upgraded
  }

  /** A response can be begun: to the accepted request, or to an answerable error. */
  get answerable(): boolean {
    return !this.#responded && !this.#closed && (this.#exchange !== undefined || this.#failed)
  }

  /** The connection speaks another protocol, which {@link upgrade} has granted. */
  get upgraded(): boolean {
    return this.#upgraded
  }

  /** Bytes received and not yet taken. When idle, more than none means that a request has begun to arrive. */
  get buffered(): number {
    return this.#queue.length
  }

  /** Requests answered so far on this connection, wherever that was. */
  get requestsServed(): number {
    return this.#requestsServed
  }

  /** The request that is being served, how far it has come, and whether its response has begun. */
  get serving(): H1Progress | undefined {
    const exchange = this.#exchange
    return exchange && middle.progressOf(exchange, this.#responded)
  }

  /**
   * In the middle of a response whose request has come whole: {@link export} is possible as well.
   * @param reads the application has not got all of the request: in the middle of that
   */
  pausable(reads = false): boolean {
    const exchange = this.#exchange
    if (exchange === undefined || this.#failed || this.#closed || this.#upgraded) return false
    if (this.#response === undefined ? this.#responded || !reads : !reads && exchange.reading !== 'over')
      return false
    return middle.goesOn(exchange, this.#response)
  }

  /** Forgets what has come: it goes on elsewhere. */
  left(): void {
    const request = this.#announced
    if (request !== undefined) this.#queue.wipeKey(request, 0)
    request?.head.key?.fill(0)
    this.#queue.clear()
  }

  /**
   * The connection as a value. This object can go on; a caller that gives the value away must not let it.
   * @param reads the application has not got all of the request
   * @throws Error unless {@link idle} or {@link pausable}
   */
  export(reads = false): H1State {
    if (!this.idle && !this.pausable(reads)) throw new Error('neither between messages nor within one')
    if (this.#queue.length > INBOUND_CEILING) throw new Error('too many bytes received to be exported')
    const state = { requestsServed: this.#requestsServed, inbound: this.#queue.passing() }
    if (this.#exchange === undefined) return state
    return {
      ...state,
      ...middle.middleOf(this.#exchange, this.#response, this.#owed, this.#persistent, reads),
    }
  }

  #nextRequest(): H1Event | undefined {
    const queue = this.#queue
    if (this.#announced !== undefined || queue.length === 0) return undefined
    this.#scanner ??= new HeadScanner('request-line', this.#limits)
    const scanned = this.#scanner.scan(queue.bytes, queue.start, queue.end)
    queue.guard(this.#scanner.hasKey(queue.bytes, queue.start, queue.end))
    if (scanned === undefined) return undefined
    const request = readRequest(scanned, this.#scheme, this.#limits.tunnels)
    this.#announced = request
    const { head, expectsContinue, bodyLength, upgrade } = request
    return { type: 'request', head, expectsContinue, bodyLength, upgrade }
  }

  #nextContent(exchange: Exchange): H1Event | undefined {
    const { body, request } = exchange
    if (exchange.reading === 'over') return undefined
    if (exchange.reading === 'drain') return this.#drain(exchange)
    if ((request.bodyLength ?? 0) > this.#limits.bodyBytes) {
      throw new H1Error(413, `more than ${this.#limits.bodyBytes} bytes of content`)
    }
    const count = body.advance(this.#queue)
    if (count > 0) {
      exchange.continued = true
      return { type: 'body', data: body.take(this.#queue, count) }
    }
    if (!body.done) return undefined
    exchange.reading = 'over'
    return { type: 'end', trailers: body.trailers }
  }

  /** Reads the rest of a request that has been answered, and goes on to the next one. */
  #drain(exchange: Exchange): H1Event | undefined {
    const before = this.#queue.length
    const queue = this.#queue
    for (let count = 1; count > 0; queue.skip(count)) count = exchange.body.advance(queue)
    exchange.allowance -= before - this.#queue.length
    if (exchange.body.remaining > exchange.allowance) {
      this.#close()
      return undefined
    }
    if (!exchange.body.done) return undefined
    this.#finishExchange()
    return this.#closed ? undefined : this.#nextRequest()
  }

  #begin(head: ResponseHead, now: number, lines = ''): SerialisedHead {
    if (!this.answerable) throw new Error('no request waits for a response')
    const exchange = this.#exchange
    // A client that was not told to go on may or may not send its content: only closing makes that clear.
    const clear = exchange === undefined || exchange.continued
    const serialised = serialiseHead(head, {
      headRequest: exchange?.request.head.method === 'HEAD',
      version: exchange?.request.head.version ?? '1.0',
      persistent: this.#persistent && !this.#failed && clear,
      now,
      lines,
    })
    if (serialised.close) this.#persistent = false
    this.#owed = serialised.length
    this.#response = serialised
    this.#responded = true
    return serialised
  }

  #open(): SerialisedHead {
    if (this.#response === undefined) throw new Error('no response has been begun')
    return this.#response
  }

  #finishResponse(): void {
    const exchange = this.#exchange
    this.#response = undefined
    this.#requestsServed++
    const reusable = exchange !== undefined && !this.#failed && this.#persistent
    if (!reusable || exchange.body.remaining > middle.DRAIN) this.#close()
    else if (exchange.body.done) this.#finishExchange()
    else exchange.reading = 'drain'
  }

  #finishExchange(): void {
    this.#forget()
    this.#responded = false
  }

  #fail(error: H1Error): H1Event {
    const answerable = !this.#responded
    this.#failed = true
    this.#announced = undefined
    this.#queue.clear()
    if (!answerable && this.#response === undefined) this.#close()
    return { type: 'error', status: error.status, reason: error.message, answerable }
  }

  /** What is left of the request that is over; of a key, nothing. */
  #forget(): void {
    const { request, head } = this.#exchange ?? {}
    if (request?.head.key !== undefined) {
      request.head.key.fill(0)
      head?.fill(0)
    }
    this.#exchange = undefined
  }

  #close(): void {
    this.#closed = true
    this.#forget()
    this.#announced = undefined
    this.#response = undefined
    this.#queue.clear()
  }
}
