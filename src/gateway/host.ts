import { H1Error } from '../http/h1/error.ts'
import { DEFAULT_LIMITS, type H1Limits } from '../http/h1/limits.ts'
import { readRequest } from '../http/h1/request-head.ts'
import { HeadScanner } from '../http/h1/scanner.ts'
import type { RequestHead } from '../http/message.ts'

/** What the first bytes of a connection to the plain port turn out to be. */
export type FirstBytes =
  /** The beginning of a request; it takes more bytes to say whose. */
  | { readonly kind: 'more' }
  /** A whole request head. `host` is undefined if an HTTP/1.0 client named none. */
  | { readonly kind: 'request'; readonly host: string | undefined; readonly head: RequestHead }
  /** A TLS record: the client took this port for the other one. */
  | { readonly kind: 'tls' }
  /** A head that does not end within the limit; `status` is 414 or 431. */
  | { readonly kind: 'too_large'; readonly status: number; readonly reason: string }
  /** Nothing that we take for HTTP/1: 400, 501 or 505 says why. */
  | { readonly kind: 'not_http'; readonly status: number; readonly reason: string }

const HANDSHAKE_RECORD = 0x16

/**
 * Finds out which host the first request of a connection is for, without consuming a byte. It reads with the parser that the
 * container will read with, so that the two cannot disagree about the host.
 */
export class HostRecogniser {
  readonly #scanner: HeadScanner

  /** @param limits those of the container's parser: a head that it refuses is refused here */
  constructor(limits: H1Limits = DEFAULT_LIMITS) {
    this.#scanner = new HeadScanner('request-line', limits)
  }

  /** @param bytes everything received so far, from the connection's first byte */
  recognise(bytes: Uint8Array): FirstBytes {
    if (bytes[0] === HANDSHAKE_RECORD) return { kind: 'tls' }
    try {
      const scanned = this.#scanner.scan(bytes, 0, bytes.length)
      if (scanned === undefined) return { kind: 'more' }
      const { head } = readRequest(scanned)
      return { kind: 'request', host: head.host, head }
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
      const { status, message } = error
      const kind = status === 414 || status === 431 ? 'too_large' : 'not_http'
      return { kind, status, reason: message }
    }
  }
}
