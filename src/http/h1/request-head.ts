import { expectsContinue } from '../field-values.ts'
import type { RequestHead } from '../message.ts'
import { originOf, type Scheme } from '../origin.ts'
import { H1Error } from './error.ts'
import { readFraming } from './framing.ts'
import type { ScannedHead } from './scanner.ts'
import { parseTarget } from './target.ts'

/** A request's head, and what follows from it for the connection. */
export interface IncomingRequest {
  readonly head: RequestHead
  /** Bytes of the head in the input. */
  readonly length: number
  /** Where the head's key lies in it; -1: there is none. */
  readonly keyAt: number
  /** Bytes of content; undefined: chunked. */
  readonly bodyLength: number | undefined
  /** The client waits for 100 (Continue) before it sends its content (RFC 9110 §10.1.1). */
  readonly expectsContinue: boolean
  /**
   * What the client would rather speak on this connection (RFC 9110 §7.8), as `websocket`; undefined
   * if nothing.
   */
  readonly upgrade: string | undefined
  /** The client lets the connection be used again (RFC 9112 §9.3). */
  readonly persistent: boolean
}

/**
 * Judges a scanned request. @param connection see {@link originOf} @param tunnels whether CONNECT is taken
 * @throws H1Error with the status to answer
 */
export function readRequest(
  { start, fields, length, key }: ScannedHead,
  connection?: Scheme,
  tunnels?: boolean,
): IncomingRequest {
  const [method, target, protocol] = start as readonly [string, string, string]
  const version = protocol === 'HTTP/1.1' ? '1.1' : '1.0'
  const { path, query, scheme, authority } = parseTarget(method, target, tunnels)
  const framing = readFraming(version, fields)
  if (framing.host === undefined && version === '1.1') throw new H1Error(400, 'no Host field')
  const origin = originOf({ scheme, authority, host: framing.host, fields }, connection)
  // RFC 9110 §10.1.1: an expectation in an HTTP/1.0 request is ignored.
  const expects = version === '1.1' && expectsContinue(framing.expect)
  return {
    head: {
      method,
      target,
      version,
      headers: origin.fields,
      host: origin.host,
      path,
      query,
      key: key?.value,
    },
    length,
    keyAt: key?.at ?? -1,
    bodyLength: framing.chunked ? undefined : (framing.contentLength ?? 0),
    expectsContinue: expects && (framing.chunked || (framing.contentLength ?? 0) > 0),
    // §7.8: nothing without the connection option, and nothing from an HTTP/1.0 client.
    upgrade: framing.upgrading && version === '1.1' ? framing.upgrade : undefined,
    persistent: !framing.close && (version === '1.1' || framing.keepAlive),
  }
}
