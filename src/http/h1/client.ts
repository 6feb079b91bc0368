import { concat, EMPTY, utf8 } from '../../wire/index.ts'
import type { Field } from '../message.ts'
import { BodyReader } from './body.ts'
import { ByteQueue } from './byte-queue.ts'
import { H1Error } from './error.ts'
import { readFraming } from './framing.ts'
import { DEFAULT_LIMITS, type H1Limits } from './limits.ts'
import { HeadScanner } from './scanner.ts'
import { isFieldValue, isToken, writeLatin1 } from './syntax.ts'

/** A request to send. */
export interface OutgoingRequest {
  readonly method: string
  readonly target: string
  /** Host must be among them. Content-Length is added where there is content. */
  readonly headers: readonly Field[]
}

/** What {@link H1Client.receive} reports. */
export type H1ClientEvent =
  | {
      readonly type: 'response'
      readonly status: number
      readonly reason: string
      readonly version: '1.0' | '1.1'
      readonly headers: readonly Field[]
      /** Bytes of content; undefined if the length is not known beforehand. */
      readonly bodyLength: number | undefined
    }
  /** An interim response (1xx); the final one follows. */
  | { readonly type: 'interim'; readonly status: number; readonly headers: readonly Field[] }
  /** A piece of content, in memory of its own. */
  | { readonly type: 'body'; readonly data: Uint8Array }
  /** The response has been read whole. */
  | { readonly type: 'end'; readonly trailers: readonly Field[] }
  /** The server broke a rule; nothing is read after it. */
  | { readonly type: 'error'; readonly reason: string }

const CLIENT_LIMITS: H1Limits = { ...DEFAULT_LIMITS, bodyBytes: 2 ** 31 }

/** The client's side of an HTTP/1.1 connection (RFC 9112): writes requests, also pipelined, and reads their responses. */
export class H1Client {
  readonly #limits: H1Limits
  readonly #queue = new ByteQueue()
  /** The methods of the requests that have not been answered whole. */
  readonly #methods: string[] = []
  #scanner: HeadScanner | undefined
  #body: BodyReader | undefined
  #untilClose = false
  #persistent = true
  #failed = false

  constructor(limits: H1Limits = CLIENT_LIMITS) {
    this.#limits = limits
  }

  /** A request's bytes. @throws TypeError for what must not be sent */
  request({ method, target, headers }: OutgoingRequest, body: Uint8Array = EMPTY): Uint8Array {
    if (!isToken(method)) throw new TypeError('the method is not a token')
    if (!/^[\x21-\x7e]+$/.test(target)) throw new TypeError('the target is not visible ASCII')
    let text = `${method} ${target} HTTP/1.1\r\n`
    let host = false
    let framed = false
    for (const [name, value] of headers) {
      if (!isToken(name)) throw new TypeError('a field name is not a token')
      if (!isFieldValue(value)) throw new TypeError(`the value of ${name} cannot be sent in a field`)
      const lower = name.toLowerCase()
      if (lower === 'host') host = true
      if (lower === 'content-length' || lower === 'transfer-encoding') framed = true
      text += `${name}: ${value}\r\n`
    }
    if (!host) throw new TypeError('a request needs a Host field')
    if (!framed && body.length > 0) text += `Content-Length: ${body.length}\r\n`
    text += '\r\n'
    const head = new Uint8Array(text.length)
    writeLatin1(text, head)
    this.#methods.push(method)
    return body.length === 0 ? head : concat(head, body)
  }

  /** A chunk of a request's content that was announced as `Transfer-Encoding: chunked`; no bytes: the last chunk. */
  static chunk(data: Uint8Array): Uint8Array {
    return concat(utf8(`${data.length.toString(16)}\r\n`), data, utf8('\r\n'))
  }

  /** Bytes from the server, in any pieces. @returns what they complete */
  receive(bytes: Uint8Array): H1ClientEvent[] {
    const events: H1ClientEvent[] = []
    if (this.#failed) return events
    this.#queue.push(bytes)
    try {
      while (this.#step(events)) {}
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
      this.#fail(events, error.message)
    }
    this.#queue.settle()
    return events
  }

  /** The server has closed: the end of a response without a length, or of nothing; otherwise an error. */
  finish(): H1ClientEvent[] {
    const events: H1ClientEvent[] = []
    if (this.#failed) return events
    if (this.#untilClose) {
      this.#endResponse([], events)
      this.#persistent = false
    }
    const open = this.#methods.length > 0 || this.#queue.length > 0
    if (open) this.#fail(events, 'the connection ended before the response')
    return events
  }

  /** No request waits for its response, and another one may be sent. */
  get reusable(): boolean {
    return this.#methods.length === 0 && this.#persistent && !this.#failed
  }

  #step(events: H1ClientEvent[]): boolean {
    const body = this.#body
    if (body === undefined) return this.#readHead(events)
    const count = body.advance(this.#queue)
    if (count > 0) events.push({ type: 'body', data: this.#queue.take(count) })
    if (!body.done) return count > 0
    this.#endResponse(body.trailers, events)
    return true
  }

  #readHead(events: H1ClientEvent[]): boolean {
    const queue = this.#queue
    if (queue.length === 0) return false
    const method = this.#methods[0]
    if (method === undefined || !this.#persistent) throw new H1Error(400, 'a response to no request')
    this.#scanner ??= new HeadScanner('status-line', this.#limits)
    const scanned = this.#scanner.scan(queue.bytes, queue.start, queue.end)
    if (scanned === undefined) return false
    queue.skip(scanned.length)
    this.#scanner = undefined
    const [protocol, code, reason] = scanned.start!
    const version = protocol === 'HTTP/1.1' ? '1.1' : '1.0'
    const status = Number(code)
    const headers = scanned.fields
    if (status < 100) throw new H1Error(400, 'a status below 100')
    if (status < 200) {
      if (status === 101) throw new H1Error(400, '101 (Switching Protocols) without being asked')
      events.push({ type: 'interim', status, headers })
      return true
    }
    const framing = readFraming(version, headers)
    if (framing.close || (version === '1.0' && !framing.keepAlive)) this.#persistent = false
    // RFC 9112, Section 6.3: these never carry content, whatever their fields say.
    const empty = method === 'HEAD' || status === 204 || status === 304
    const length = empty ? 0 : framing.contentLength
    if (length !== undefined && length > this.#limits.bodyBytes) throw new H1Error(413, 'too much content')
    this.#untilClose = length === undefined && !framing.chunked
    const end = length ?? (framing.chunked ? 'chunked' : 'until close')
    this.#body = new BodyReader(end, this.#limits)
    events.push({ type: 'response', status, reason, version, headers, bodyLength: length })
    return true
  }

  #endResponse(trailers: readonly Field[], events: H1ClientEvent[]): void {
    this.#body = undefined
    this.#untilClose = false
    this.#methods.shift()
    events.push({ type: 'end', trailers })
  }

  #fail(events: H1ClientEvent[], reason: string): void {
    this.#failed = true
    this.#queue.clear()
    events.push({ type: 'error', reason })
  }
}
