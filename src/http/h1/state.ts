import {
  boolean,
  enumeration,
  opaque,
  optional,
  type Struct,
  secret,
  struct,
  type TypeOf,
  text,
  uint8,
  uint32,
  uint64,
  vector,
} from '../../wire/index.ts'
import type { RequestHead } from '../message.ts'
import { h1BodyState } from './body-state.ts'
import { parseTarget } from './target.ts'

/**
 * All that an HTTP/1 server connection is between two messages, in the middle of a response, and in the
 * middle of a request that an application reads. A request that none has begun with is still nothing but
 * bytes.
 */
export interface H1State {
  /** Requests answered so far. */
  requestsServed: number
  /** Received and not yet accepted: nothing, or a request, or the beginning of one, or several. */
  inbound: Uint8Array
  /** The response that is being sent; undefined between two messages. */
  response?: H1Response | undefined
  /** The request that is being read; undefined between two messages, and if it has come whole. */
  upload?: H1Upload | undefined
}

/** Most bytes that {@link H1State.inbound} can carry. */
export const INBOUND_CEILING = 2 ** 24 - 1

/** {@link H1State} between two messages, on the wire: 7 bytes when idle. */
export const h1State: Struct<Omit<H1State, 'response' | 'upload'>> = struct('H1State', {
  requestsServed: uint32,
  /** Secret: what clients say in it is theirs, and it may be a key. */
  inbound: secret(opaque(0, INBOUND_CEILING, 'passing')),
})

/** The fields of a request. Their characters are bytes (ISO 8859-1); here they are UTF-8. */
export const requestFields = vector(
  struct('RequestField', { name: text(1, 2 ** 16 - 1), value: text(0, 2 ** 24 - 1) }),
  0,
  2 ** 24 - 1,
)

/** The head of a request that is being answered. */
export const carriedRequest = struct('CarriedRequest', {
  method: text(1, 2 ** 16 - 1),
  target: text(1, 2 ** 24 - 1),
  headers: requestFields,
  host: optional(text(0, 2 ** 16 - 1)),
})
export type CarriedRequest = TypeOf<typeof carriedRequest>

const framing = enumeration('Http1Framing', uint8, { length: 0, chunked: 1, until_close: 2 })

/** A response whose head has been sent, and whose content has not come to its end. */
export const h1Response = struct('H1Response', {
  /** What it answers; it has come whole. */
  request: carriedRequest,
  /** Of HTTP/1.1; otherwise of HTTP/1.0. */
  current: boolean,
  framing,
  /** Bytes of content that Content-Length still promises; 0 with another framing. */
  owed: uint64,
  /** The connection may serve another request behind it. */
  persistent: boolean,
})
export type H1Response = TypeOf<typeof h1Response>

/** A request that is being read by what answers it, or will. */
export const h1Upload = struct('H1Upload', {
  request: carriedRequest,
  /** Of HTTP/1.1; otherwise of HTTP/1.0. */
  current: boolean,
  /** Where its content is; undefined: it has come whole. */
  body: optional(h1BodyState),
  /** Its response, if the head of that has been sent. */
  response: optional(
    struct('H1Begun', {
      framing,
      /** Bytes of content that Content-Length still promises; 0 with another framing. */
      owed: uint64,
    }),
  ),
  /** The connection may serve another request behind it. */
  persistent: boolean,
})
export type H1Upload = TypeOf<typeof h1Upload>

/** A request's head, to be carried; without the key of a sealed function. */
export function carried({ method, target, headers, host }: RequestHead): CarriedRequest {
  return { method, target, headers: headers.map(([name, value]) => ({ name, value })), host }
}

/** The head of a request that has been carried. @throws H1Error for a target that no request has */
export function carriedHead(
  { method, target, headers, host }: CarriedRequest,
  version: RequestHead['version'],
): RequestHead {
  const { path, query } = parseTarget(method, target)
  const fields = headers.map(({ name, value }) => [name, value] as const)
  return { method, target, version, headers: fields, host, path, query }
}
