import type { Field, RequestView, ResponseView } from '../http/message.ts'
import type { Log } from '../platform/log.ts'
import type { EventSourceFunction } from './events.ts'
import type { ResumableSource, ResumableStream } from './resumable.ts'
import type { Store } from './sealed/store.ts'
import type { Secrets } from './secrets.ts'
import type { Trace } from './trace.ts'

/** What a function is told of the connection that its request came on. */
export interface ConnectionInfo {
  readonly tls: boolean
  /** The protocol that ALPN chose, as `http/1.1`. */
  readonly alpn?: string
  /** The server name of the ClientHello, in lower case. */
  readonly serverName?: string
  /** The client's IP address, where it is known. */
  readonly remoteAddress?: string
  /** How often the connection has moved between containers so far. */
  readonly hops: number
  /** Requests on this connection before this one. */
  readonly requestIndex: number
  /** The container that answers, as `echo-1`. */
  readonly container: string
}

/** @param session undefined on a connection without TLS @param remoteAddress undefined if it is unknown */
export function infoOf(
  session: { readonly alpn: string | undefined; readonly serverName: string | undefined } | undefined,
  remoteAddress: string | undefined,
  place: Pick<ConnectionInfo, 'hops' | 'requestIndex' | 'container'>,
): ConnectionInfo {
  const { hops, requestIndex, container } = place
  const info: { -readonly [K in keyof ConnectionInfo]: ConnectionInfo[K] } = {
    tls: session !== undefined,
    hops,
    requestIndex,
    container,
  }
  // A key without a value would be seen where the object is written out.
  if (session?.alpn !== undefined) info.alpn = session.alpn
  if (session?.serverName !== undefined) info.serverName = session.serverName
  if (remoteAddress !== undefined) info.remoteAddress = remoteAddress
  return info
}

/** Fields as a function gives them: a `Headers`, a `Map`, or pairs of name and value. */
export type FieldSource = Iterable<readonly [name: string, value: string]>

/** Trailer fields, or a function that is called once, when all of the content has been given out. */
export type TrailerSource = FieldSource | (() => FieldSource | Promise<FieldSource>)

/** What a function is told besides the request itself. */
export interface Context {
  /** Of the request's X-Call-Id field, or made for it. */
  readonly callId: string
  readonly functionName: string
  /** The path without the `/NAME` or `/function/NAME` that chose the function; always begins with a slash. */
  readonly functionPath: string
  /** The names of all functions of the platform: a path `/NAME` leads to each. */
  readonly functions?: readonly string[]
  /**
   * When the platform gives up on the answer, in milliseconds since 1970; later if content of the request
   * still comes.
   */
  readonly deadline?: number
  /** Aborted when the client is gone or the deadline has passed. */
  readonly signal: AbortSignal
  readonly connection: ConnectionInfo
  /** What the stack file gives it under `secrets`. */
  readonly secrets: Secrets
  /** What a sealed function keeps between requests; other functions have none. */
  readonly store?: Store | undefined
  /** The trace that the request belongs to, or a new one; its `headers` go with requests of the function. */
  readonly trace: Trace
  readonly log: Log
  /** Work that goes on after the response; the container waits for it before it stops. */
  waitUntil(work: Promise<unknown>): void
  /**
   * Sends an interim response (RFC 9110 §15.2) ahead of the response, such as 103 (Early Hints, RFC 8297);
   * any number of them. Nothing is sent when the response has begun or the client is gone, to a client of
   * HTTP/1.0, and where the request is lent.
   * @throws TypeError for another status than 102 to 199, or a field that must not be sent
   */
  inform(status: number, headers?: FieldSource): void
  /**
   * Gives the fields that follow the content of the response (RFC 9110 §6.5); what was given last counts. To
   * be called before the response is returned: it is sent in chunks then, or without Content-Length, and its
   * `Trailer` field stays. There is no place for trailers where a response has no content, nor in HTTP/1.0:
   * there they are dropped, and a function that would give them is not called. If it fails, or a field must
   * not be sent, the client sees that the response broke off.
   */
  trailers(source: TrailerSource): void
  /**
   * Says where a call stands that reads its request and has not answered: a value that JSON can say, at most
   * 1 MiB of it, from which the export `resume` of the module goes on with the rest of the request in another
   * container. It is asked while the function waits for the next piece of the request's body, perhaps often,
   * and must change nothing.
   */
  freezes(freeze: () => unknown): void
  /**
   * Asks an upstream. The response can go to another container with its connection, together with the call:
   * where `freeze` of a {@link ResumableStream} names it within its value, `resume` gets the rest of it in
   * that place. Nothing is decoded, and no coding is asked for. What is underway ends with the call.
   * @throws (as rejection) as the `fetch` of `@hotpotato-tls/hotpotato/client`
   */
  fetch(input: string | URL | Request, init?: UpstreamInit): Promise<Response>
  /** See {@link ResumableStream}. */
  resumable(source: ResumableSource): ResumableStream
  /** A stream of server-sent events, see `events.ts`. */
  events(last: string, next: EventSourceFunction): ResumableStream
}

/** What {@link Context.fetch} takes besides what `fetch` does. */
export interface UpstreamInit extends RequestInit {
  /** Certificates of authorities to trust instead of Node's, in PEM. */
  readonly ca?: string
}

/** What the platform's own contexts have besides, because a signal takes longer to make than most answers. */
export interface Endings {
  /** @param listener called at once, or when {@link Context.signal} is aborted; one for each call */
  onAbort(listener: (reason: Error) => void): void
}

/** The settings that the configuration gives to a function. */
export type Environment = Readonly<Record<string, string>>

/** The usual kind of function: `export default { fetch(request, env, ctx) }`. */
export interface FetchHandler {
  fetch(request: Request, env: Environment, context: Context): Response | Promise<Response>
}

/**
 * The export `resume` of a module: goes on with a call that was begun in another container.
 * @param state what `freeze` of its response's stream gave there, or {@link Context.freezes} if that had not
 * begun
 * @param request the request, whose body is what the function has not read of it
 * @returns what follows behind all that the stream had given, or the response if that had not begun
 */
export type ResumeFunction = (
  state: unknown,
  context: Context,
  env: Environment,
  request: Request,
) => ReadableStream<Uint8Array> | Response | Promise<ReadableStream<Uint8Array> | Response>

/** `export default (request, ctx) => response`, for short. */
export type BareHandler = (request: Request, context: Context) => Response | Promise<Response>

/**
 * The quick kind: `export default { handle(request, ctx) }`, with neither Request nor Response objects and
 * whole bodies.
 */
export interface RawHandler {
  handle(request: RequestView, context: Context): RawResponse | Promise<RawResponse>
}

/** What a raw handler gives. */
export interface RawResponse extends ResponseView {
  /** As {@link Context.trailers}. */
  readonly trailers?: TrailerSource | undefined
}

/** A response as both kinds of function end up giving it, ready for whatever HTTP version sends it. */
export interface FunctionResponse {
  readonly status: number
  /** Without the fields that say how the message is framed, and without Content-Length, which is `length`. */
  readonly headers: readonly Field[]
  readonly body: Uint8Array | Blob | ReadableStream<Uint8Array> | undefined
  /**
   * Bytes of the body; undefined if that is not known yet. Of a stream it is what the function declares,
   * which the sender must hold it to; of an absent body to HEAD or with 304, what the function says that GET
   * would give.
   */
  readonly length: number | undefined
}
