import { H1Error } from '../http/h1/error.ts'
import { DEFAULT_LIMITS, type H1Limits } from '../http/h1/limits.ts'
import { readRequest } from '../http/h1/request-head.ts'
import { HeadScanner } from '../http/h1/scanner.ts'
import { CLIENT_PREFACE, ErrorCode, type H2Limits, H2Server, limitsFor } from '../http/h2/index.ts'
import { requestHead } from '../http/h2/request-head.ts'
import type { RequestHead, ResponseView } from '../http/message.ts'
import { type Problem, problem } from '../http/problem.ts'
import { utf8 } from '../wire/index.ts'

/** What the first bytes of a connection to the plain port turn out to be. */
export type FirstBytes =
  /** The beginning of a request; it takes more bytes to say whose. */
  | { readonly kind: 'more' }
  /**
   * HTTP/2 with prior knowledge; its first request has not come yet. The client may be waiting for our
   * SETTINGS.
   */
  | { readonly kind: 'preface' }
  /** HTTP/2 whose first request is malformed, or too long: its stream has ended, and it belongs nowhere. */
  | { readonly kind: 'reset' }
  /** A whole request head, of either version. `host` is undefined if an HTTP/1.0 client named none. */
  | { readonly kind: 'request'; readonly host: string | undefined; readonly head: RequestHead }
  /** A TLS record: the client took this port for the other one. */
  | { readonly kind: 'tls' }
  /** A head that does not end within the limit; `status` is 414 or 431. */
  | { readonly kind: 'too_large'; readonly status: number; readonly reason: string }
  /** Nothing that we take for HTTP: 400, 501 or 505 says why. */
  | { readonly kind: 'not_http'; readonly status: number; readonly reason: string }

const HANDSHAKE_RECORD = 0x16
const PREFACE = utf8(CLIENT_PREFACE)

/**
 * Finds out which host the first request of a connection is for, without consuming a byte. It reads with the
 * parser that the container will read with, so that the two cannot disagree about the host.
 */
export class HostRecogniser {
  readonly #scanner: HeadScanner
  readonly #limits: H2Limits
  /**
   * Reads what a client of HTTP/2 says; nothing of it is kept when the connection goes on to its container.
   */
  #http2: H2Server | undefined
  #read = 0

  /** @param limits those of the container's parser: a head that it refuses is refused here */
  constructor(limits: H1Limits = DEFAULT_LIMITS) {
    this.#scanner = new HeadScanner('request-line', limits)
    this.#limits = limitsFor(limits.headBytes)
  }

  /** @param bytes everything received so far, from the connection's first byte */
  recognise(bytes: Uint8Array): FirstBytes {
    if (bytes[0] === HANDSHAKE_RECORD) return { kind: 'tls' }
    // `PRI * HTTP/2.0` is not a request that a client could make (RFC 9113 §3.4).
    if (bytes[0] === PREFACE[0] && begins(bytes)) {
      return bytes.length < PREFACE.length ? { kind: 'more' } : this.#recogniseHttp2(bytes)
    }
    try {
      const scanned = this.#scanner.scan(bytes, 0, bytes.length)
      if (scanned === undefined) return { kind: 'more' }
      const { head } = readRequest(scanned, 'http')
      return { kind: 'request', host: head.host, head }
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
      const { status, message } = error
      const kind = status === 414 || status === 431 ? 'too_large' : 'not_http'
      return { kind, status, reason: message }
    }
  }

  #recogniseHttp2(bytes: Uint8Array): FirstBytes {
    this.#http2 ??= new H2Server(this.#limits)
    this.#http2.receive(bytes.subarray(this.#read))
    this.#read = bytes.length
    for (let event = this.#http2.next(); event !== undefined; event = this.#http2.next()) {
      if (event.type === 'error') return { kind: 'not_http', status: 400, reason: event.reason }
      if (event.type !== 'request') continue
      try {
        const head = requestHead(event, 'http')
        return { kind: 'request', host: head.host, head }
      } catch (error) {
        if (!(error instanceof H1Error)) throw error
        return { kind: 'not_http', status: error.status, reason: error.message }
      }
    }
    return { kind: this.#http2.refused ? 'reset' : 'preface' }
  }
}

/**
 * Whether bytes are the beginning of the preface of HTTP/2, or begin with it. `P` alone may as well become
 * POST.
 */
function begins(bytes: Uint8Array): boolean {
  const count = Math.min(bytes.length, PREFACE.length)
  for (let i = 0; i < count; i++) if (bytes[i] !== PREFACE[i]) return false
  return count > 1
}

/**
 * A problem as the answer to the first request of a connection that speaks HTTP/2 with prior knowledge, and
 * the end of the connection; undefined if it does not speak that. What else the client has asked for already
 * it may ask again elsewhere.
 * @param inbound what the client has sent
 */
export function http2Answer(inbound: Uint8Array, what: Problem, now: number): Uint8Array | undefined {
  return http2Reply(inbound, problem(what), now)
}

/** The same with any response. */
export function http2Reply(inbound: Uint8Array, response: ResponseView, now: number): Uint8Array | undefined {
  if (inbound.length < PREFACE.length || !begins(inbound)) return undefined
  const server = new H2Server()
  server.receive(inbound)
  let answered = false
  for (let event = server.next(); event !== undefined; event = server.next()) {
    if (event.type !== 'request') continue
    if (answered) server.reset(event.streamId, ErrorCode.REFUSED_STREAM)
    else server.reply(event.streamId, response, now)
    answered = true
  }
  server.shutdown()
  server.shutdown()
  return server.takeOutput()
}
