import { concat, EMPTY, utf8 } from '../../wire/index.ts'
import type { Field } from '../message.ts'
import { BodyReader } from './body.ts'
import { ByteQueue } from './byte-queue.ts'
import type { H1ClientState } from './client-state.ts'
import { H1Error } from './error.ts'
import { type Framing, readFraming } from './framing.ts'
import { DEFAULT_LIMITS, type H1Limits } from './limits.ts'
import { serialiseTrailers } from './response-head.ts'
import { HeadScanner } from './scanner.ts'
import { fieldLine, isToken, latin1Bytes } from './syntax.ts'

/** A request to send. */
export interface OutgoingRequest {
  readonly method: string
  readonly target: string
  /**
   * Host must be among them, but for HTTP/1.0. Content-Length is added where there is content, or where its
   * absence would be odd; with `Transfer-Encoding: chunked`, and with a Content-Length and no content here,
   * the content follows by {@link H1Client.chunk} or as it is. Connection and Upgrade together ask for
   * another protocol.
   */
  readonly headers: readonly Field[]
  /** HTTP/1.1 by default. */
  readonly version?: '1.0' | '1.1'
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
  /**
   * The connection is HTTP no more: 101 granted what a request asked for, or CONNECT has been answered with
   * 2xx. `rest` is what has come behind the head.
   */
  | {
      readonly type: 'upgrade'
      readonly status: number
      readonly headers: readonly Field[]
      readonly rest: Uint8Array
    }
  /** The server broke a rule; nothing is read after it. */
  | { readonly type: 'error'; readonly reason: string }

const CLIENT_LIMITS: H1Limits = { ...DEFAULT_LIMITS, bodyBytes: 2 ** 31 }

/** A request that has not been answered whole. */
interface Pending {
  readonly method: string
  readonly upgrade: boolean
  /** The connection takes no request after it, whatever the response says. */
  readonly last: boolean
}

/** Methods whose requests say that they have no content, rather than nothing (RFC 9110 §8.6). */
const WITH_CONTENT = new Set(['POST', 'PUT', 'PATCH'])

/**
 * The client's side of an HTTP/1.0 or 1.1 connection (RFC 9112): writes requests, also pipelined, and reads
 * their responses.
 */
export class H1Client {
  readonly #limits: H1Limits
  readonly #queue = new ByteQueue()
  readonly #pending: Pending[] = []
  #scanner: HeadScanner | undefined
  #body: BodyReader | undefined
  #untilClose = false
  #persistent = true
  /** The last request that was sent cannot be followed by another one, or not before its response. */
  #last = false
  #failed = false
  #upgraded = false

  /** @param state from another connection's {@link export}; without it, a new connection */
  constructor(limits: H1Limits = CLIENT_LIMITS, state?: H1ClientState) {
    this.#limits = limits
    if (state === undefined) return
    this.#pending.push(...state.pending)
    this.#queue.adopt(state.inbound)
    this.#body = state.body && BodyReader.restore(state.body, limits)
    this.#untilClose = state.untilClose
    this.#persistent = state.persistent
    this.#last = state.last
  }

  /** The connection as a value, at any byte. @throws Error if it is HTTP no more, or has failed */
  export(): H1ClientState {
    if (this.#failed || this.#upgraded) throw new Error('the connection is over')
    return {
      pending: [...this.#pending],
      inbound: this.#queue.copy(),
      body: this.#body?.export(),
      untilClose: this.#untilClose,
      persistent: this.#persistent,
      last: this.#last,
    }
  }

  /**
   * A request's bytes.
   * @throws TypeError for what must not be sent; Error if this connection takes no more requests
   */
  request(request: OutgoingRequest, body: Uint8Array = EMPTY): Uint8Array {
    const { method, target, headers, version = '1.1' } = request
    if (!this.#persistent || this.#last || this.#failed || this.#upgraded) {
      throw new Error('this connection takes no more requests')
    }
    if (!isToken(method)) throw new TypeError('the method is not a token')
    if (!/^[\x21-\x7e]+$/.test(target)) throw new TypeError('the target is not visible ASCII')
    let text = `${method} ${target} HTTP/${version}\r\n`
    for (const [name, value] of headers) text += fieldLine(name, value)
    const framing = outgoingFraming(version, headers, body.length)
    if (framing.host === undefined && version === '1.1') throw new TypeError('a request needs a Host field')
    const silent = framing.contentLength === undefined && !framing.chunked
    if (silent && (body.length > 0 || WITH_CONTENT.has(method))) text += `Content-Length: ${body.length}\r\n`
    const head = latin1Bytes(`${text}\r\n`)
    const upgrade = framing.upgrading && framing.upgrade !== undefined
    const last = framing.close || (version === '1.0' && !framing.keepAlive)
    // What comes behind a request for another protocol would be read in that one.
    this.#last = last || upgrade || method === 'CONNECT'
    this.#pending.push({ method, upgrade, last })
    if (body.length === 0) return head
    return concat(head, framing.chunked ? H1Client.chunk(body) : body)
  }

  /**
   * A chunk of a request's content that was announced as `Transfer-Encoding: chunked`; no bytes: the last
   * chunk.
   * @param trailers behind the last chunk. @throws TypeError for trailers that must not be sent
   */
  static chunk(data: Uint8Array, trailers: readonly Field[] = []): Uint8Array {
    if (data.length === 0) return latin1Bytes(serialiseTrailers(trailers))
    return concat(utf8(`${data.length.toString(16)}\r\n`), data, utf8('\r\n'))
  }

  /** Bytes from the server, in any pieces. @returns what they complete */
  receive(bytes: Uint8Array): H1ClientEvent[] {
    const events: H1ClientEvent[] = []
    if (this.#failed || this.#upgraded) return events
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
    if (this.#failed || this.#upgraded) return events
    if (this.#untilClose) {
      this.#endResponse([], events)
      this.#persistent = false
    }
    const open = this.#pending.length > 0 || this.#queue.length > 0
    if (open) this.#fail(events, 'the connection ended before the response')
    return events
  }

  /** No request waits for its response, and another one may be sent. */
  get reusable(): boolean {
    const { length } = this.#pending
    return length === 0 && this.#persistent && !this.#last && !this.#failed && !this.#upgraded
  }

  #step(events: H1ClientEvent[]): boolean {
    const body = this.#body
    if (body === undefined) return this.#readHead(events)
    const count = body.advance(this.#queue)
    if (count > 0) events.push({ type: 'body', data: body.take(this.#queue, count) })
    if (!body.done) return count > 0
    this.#endResponse(body.trailers, events)
    return true
  }

  #readHead(events: H1ClientEvent[]): boolean {
    const queue = this.#queue
    if (queue.length === 0) return false
    const pending = this.#pending[0]
    if (pending === undefined || !this.#persistent) throw new H1Error(400, 'a response to no request')
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
      if (status === 101) {
        if (!pending.upgrade) throw new H1Error(400, '101 (Switching Protocols) without being asked')
        return this.#upgrade(status, headers, events)
      }
      events.push({ type: 'interim', status, headers })
      return true
    }
    // RFC 9112 §6.3: what follows the head of a 2xx response to CONNECT is a tunnel, whatever its
    // fields say.
    const { method } = pending
    if (method === 'CONNECT' && status < 300) return this.#upgrade(status, headers, events)
    const framing = readFraming(version, headers)
    if (framing.close || (version === '1.0' && !framing.keepAlive)) this.#persistent = false
    // RFC 9112 §6.3: these never carry content, whatever their fields say.
    const empty = method === 'HEAD' || status === 204 || status === 304
    const length = empty ? 0 : framing.contentLength
    if (length !== undefined && length > this.#limits.bodyBytes) throw new H1Error(413, 'too much content')
    this.#untilClose = length === undefined && !framing.chunked
    const end = length ?? (framing.chunked ? 'chunked' : 'until close')
    this.#body = new BodyReader(end, this.#limits)
    events.push({ type: 'response', status, reason, version, headers, bodyLength: length })
    return true
  }

  #upgrade(status: number, headers: readonly Field[], events: H1ClientEvent[]): boolean {
    events.push({ type: 'upgrade', status, headers, rest: this.#queue.copy() })
    this.#queue.clear()
    this.#pending.length = 0
    this.#upgraded = true
    return false
  }

  #endResponse(trailers: readonly Field[], events: H1ClientEvent[]): void {
    this.#body = undefined
    this.#untilClose = false
    const answered = this.#pending.shift()
    if (this.#pending.length === 0) this.#last = answered?.last === true
    events.push({ type: 'end', trailers })
  }

  #fail(events: H1ClientEvent[], reason: string): void {
    this.#failed = true
    this.#queue.clear()
    events.push({ type: 'error', reason })
  }
}

/**
 * What the fields of a request say about its framing. @throws TypeError if they contradict each other or the
 * content
 */
function outgoingFraming(version: '1.0' | '1.1', headers: readonly Field[], length: number): Framing {
  try {
    const framing = readFraming(version, headers)
    const { contentLength } = framing
    if (length > 0 && contentLength !== undefined && contentLength !== length) {
      throw new TypeError(`Content-Length says ${contentLength}, but the content has ${length} bytes`)
    }
    return framing
  } catch (error) {
    throw error instanceof H1Error ? new TypeError(error.message) : error
  }
}
