import type { Field, RequestHead, ResponseView } from '../http/message.ts'
import { HOP_FIELDS, header, namedByConnection } from '../http/message.ts'
import { prepare } from '../web/globals.ts'
import { native } from '../web/native.ts'
import { type Caller, LightRequest } from '../web/request.ts'
import { LightResponse } from '../web/response.ts'
import { blobOf, drop, isSettled } from '../web/stream.ts'
import { concat, plain, sharedUtf8 } from '../wire/index.ts'
import { reasonOf, stringOf } from '../wire/thrown.ts'
import type { FunctionResponse } from './contract.ts'
import { isResumable } from './resumable.ts'

/** A request that a Request object cannot say. Answer it with `status`. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly status: 400 | 501

  constructor(status: 400 | 501, message: string) {
    super(message)
    this.status = status
  }
}

/** What a Request object has to know that the request head does not say. */
export interface RequestOrigin {
  readonly scheme: 'http' | 'https'
  /** Stands in for a missing Host field (HTTP/1.0): a host, perhaps with a port. */
  readonly authority: string
  /** Its signal becomes `request.signal`; it is asked for when the function asks. */
  readonly caller?: Caller
}

/**
 * The Request object of a request. A body that comes with GET or HEAD is left out, because the object cannot
 * have one.
 * @param body its memory is the object's from now on
 * @throws RequestError 400: the target or the host cannot stand in a URL; 501: the method is one that fetch
 * forbids
 */
export function toWebRequest(
  head: RequestHead,
  body: Uint8Array | ReadableStream<Uint8Array> | undefined,
  origin: RequestOrigin,
): Request {
  prepare()
  const { method, headers, path, query } = head
  const content = body === undefined || method === 'GET' || method === 'HEAD' ? null : body
  const { scheme, caller } = origin
  const authority = header(headers, 'host') || origin.authority
  const front = METHODS.has(method) ? originOf(scheme, authority) : undefined
  // All is written out, because a spread takes ten times as long.
  if (front !== undefined && PATH.test(path) && QUERY.test(query) && head.target.startsWith('/')) {
    const target = query === '' ? path : `${path}?${query}`
    return new LightRequest({ method, origin: front, target, headers, content, caller }) as unknown as Request
  }
  const judged = judgedBy(head, `${scheme}://${authority}`)
  const parts = { method: judged.method, origin: judged.url, target: '', headers, content, caller }
  return new LightRequest(parts) as unknown as Request
}

/** Methods that Request leaves as they are. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
/** What a URL leaves as it is: no segment begins with a dot, nothing has to be escaped. */
const PATH = /^(?:\/(?!\.|%2e)[\w\-~!$&'()*+,;=:@%.]*)+$/i
const QUERY = /^[\w\-~!$&()*+,;=:@%./?]*$/
/** What may stand in front of a path: nothing that ends it, and no credentials. */
const AUTHORITY = /^https?:\/\/[\w\-.:[\]]+$/

/** As URLs write them, for what clients and configuration write. */
const ORIGINS = new Map<string, string>()
const MOST_ORIGINS = 256
/** What was asked for last: requests of one connection name the same host. */
let last = { scheme: '', authority: '', origin: '' }

/** undefined if Node has to judge it. */
function originOf(scheme: string, authority: string): string | undefined {
  if (last.authority === authority && last.scheme === scheme) return last.origin
  const written = `${scheme}://${authority}`
  let origin = ORIGINS.get(written)
  if (origin === undefined) {
    if (!AUTHORITY.test(written) || !URL.canParse(written)) return undefined
    const { protocol, host } = new URL(written)
    origin = `${protocol}//${host}`
    // Clients choose what stands in Host.
    if (ORIGINS.size >= MOST_ORIGINS) ORIGINS.clear()
    ORIGINS.set(written, origin)
  }
  last = { scheme, authority, origin }
  return origin
}

/** @throws RequestError */
function judgedBy(head: RequestHead, front: string): Request {
  const query = head.query === '' ? '' : `?${head.query}`
  // The asterisk-form asks about the server as a whole (RFC 9112 §3.2.4), which a URL says with an
  // empty path.
  const path = head.path.startsWith('/') ? head.path : '/'
  try {
    return new (native().Request)(front + path + query, { method: head.method })
  } catch (error) {
    if (/^(CONNECT|TRACE|TRACK)$/i.test(head.method))
      throw new RequestError(501, `${head.method} is not supported here`)
    throw new RequestError(400, `the request is malformed: ${reasonOf(error)}`)
  }
}

/**
 * Fields that are about one connection (RFC 9110 §7.6.1) or about framing, which is the sender's
 * business. Trailer stays where trailers follow. Their lengths stand in {@link isDropped}.
 */
const DROPPED = new Set(HOP_FIELDS)

/**
 * Takes a Response object apart if its body is there as a whole.
 * @returns undefined if that takes time: {@link fromWebResponse} does it
 * @throws TypeError its body is used already
 */
export function fromWholeResponse(
  response: unknown,
  method: string,
  trailed = false,
): (FunctionResponse & { readonly body: Uint8Array | undefined }) | undefined {
  if (typeof response !== 'object' || response === null) return undefined
  const whole = LightResponse.take(response)
  if (whole === undefined) return undefined
  const { status, fields, content } = whole
  const headers = withoutFraming(fields, trailed)
  if (content === null)
    return { status, headers, body: undefined, length: lengthOfNothing(status, method, fields) }
  const body = typeof content === 'string' ? sharedUtf8(content) : content
  return { status, headers, body, length: body.length }
}

/**
 * Takes a Response object apart. A body that is there at once is given whole, so that its length is known;
 * otherwise it stays a stream, and nothing waits for it.
 * @param method of the request
 * @param trailed whether trailers follow: then the field Trailer stays
 * @throws TypeError it is not a Response, its body is used already, or its body holds something other than
 * bytes
 */
export async function fromWebResponse(
  response: Response,
  method: string,
  trailed = false,
): Promise<FunctionResponse> {
  const whole = fromWholeResponse(response, method, trailed)
  if (whole !== undefined) return whole
  if (!isResponse(response)) throw new TypeError('the function did not return a Response')
  const { status } = response
  const headers: Field[] = []
  // The iterator gives each Set-Cookie field on its own; they cannot be joined (RFC 6265 §3).
  for (const field of response.headers) headers.push(field)
  const kept = withoutFraming(headers, trailed)
  if (response.body === null) {
    return { status, headers: kept, body: undefined, length: lengthOfNothing(status, method, headers) }
  }
  if (response.bodyUsed || response.body.locked)
    throw new TypeError('the body of the Response has already been used')
  const blob = blobOf(response.body as ReadableStream<Uint8Array>)
  if (blob !== undefined) {
    drop(response.body)
    return { status, headers: kept, body: blob, length: blob.size }
  }
  // What is read ahead of a stream that can go on elsewhere would have to go along.
  const body = isResumable(response.body) ? response.body : await atOnce(response.body)
  const length = body instanceof Uint8Array ? body.length : declaredLength(headers)
  return { status, headers: kept, body, length }
}

/** The same for what a raw handler gave. @throws TypeError it is no such thing */
export function fromResponseView(response: ResponseView, method: string, trailed = false): FunctionResponse {
  const { status, headers = [], body } = response
  if (!isStatus(status)) throw new TypeError(`the function returned the status ${stringOf(status)}`)
  if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw new TypeError('the function returned a body that is neither bytes nor text')
  }
  const bytes = typeof body === 'string' ? sharedUtf8(body) : body && plain(body)
  return {
    status,
    headers: withoutFraming(headers, trailed),
    body: bytes,
    length: bytes?.length ?? lengthOfNothing(status, method, headers),
  }
}

function isResponse(value: unknown): value is Response {
  if (value instanceof Response) return isStatus(value.status)
  // Another copy of undici has another class.
  const other = value as Partial<Response> | null
  return (
    typeof other === 'object' &&
    other !== null &&
    isStatus(other.status) &&
    typeof other.headers?.get === 'function'
  )
}

function isStatus(status: unknown): boolean {
  return Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 599
}

function isDropped(name: string): boolean {
  switch (name.length) {
    case 2:
    case 7:
    case 10:
    case 14:
    case 16:
    case 17:
      return DROPPED.has(name) || DROPPED.has(name.toLowerCase())
    default:
      return false
  }
}

function withoutFraming(headers: readonly Field[], trailed: boolean): readonly Field[] {
  // Most responses have none of them, and need no copy.
  let kept = true
  for (let i = 0; kept && i < headers.length; i++) kept = !isDropped(headers[i]![0])
  if (kept) return headers
  const named = namedByConnection(headers)
  return headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return (!DROPPED.has(lower) || (trailed && lower === 'trailer')) && !named.has(lower)
  })
}

function declaredLength(headers: readonly Field[]): number | undefined {
  const value = header(headers, 'content-length')
  if (value === undefined || !/^\d{1,15}$/.test(value)) return undefined
  return Number(value)
}

/** An absent body is empty, unless the method or the status leaves it out (RFC 9110 §8.6). */
function lengthOfNothing(status: number, method: string, headers: readonly Field[]): number | undefined {
  return method === 'HEAD' || status === 304 ? declaredLength(headers) : 0
}

const LATER = Symbol('later')
type Chunk = { readonly done: boolean; readonly value?: unknown }

/** All of a stream if it is there without waiting, otherwise a stream of the same bytes. */
async function atOnce(stream: ReadableStream<Uint8Array>): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const settled = isSettled(stream)
  const most = settled ? SETTLED_AT_ONCE : AT_ONCE
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let immediate: NodeJS.Immediate | undefined
  const later = new Promise<typeof LATER>(settle => {
    if (!settled) immediate = setImmediate(() => settle(LATER))
  })
  try {
    for (let bytes = 0; ; ) {
      const pending = reader.read()
      const chunk: Chunk | typeof LATER = await Promise.race([pending, later])
      if (chunk === LATER) return rejoin(chunks, pending, reader)
      if (chunk.done) return join(chunks)
      // What is large and in one piece is there already; of everything else no more is asked for than a
      // client takes at once.
      if (chunks.length > 0 && bytes > most) return rejoin(chunks, pending, reader)
      chunks.push(bytesOf(chunk))
      bytes += chunks.at(-1)!.length
      // A source that never ends must not hold the response back.
      if (!settled && chunks.length === MAX_CHUNKS) return rejoin(chunks, reader.read(), reader)
    }
  } catch (error) {
    reader.cancel(error).catch(() => {})
    throw error
  } finally {
    clearImmediate(immediate)
  }
}

const MAX_CHUNKS = 16
/** Bytes of a stream that are taken before its response begins. */
const AT_ONCE = 65_536
/** The same of content that is there: what has been read whole can go elsewhere with its connection. */
const SETTLED_AT_ONCE = 1_048_576

function bytesOf({ value }: Chunk): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    throw new TypeError('the body of the Response contains something other than bytes')
  }
  return plain(value)
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 ? chunks[0]! : concat(...chunks)
}

function rejoin(
  chunks: readonly Uint8Array[],
  pending: Promise<Chunk>,
  reader: ReadableStreamDefaultReader<Uint8Array>,
): ReadableStream<Uint8Array> {
  let next: Promise<Chunk> | undefined = pending
  // The reader sees it when it pulls; until then it must not count as unhandled.
  pending.catch(() => {})
  return new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
    },
    async pull(controller) {
      const chunk = await (next ?? reader.read())
      next = undefined
      if (chunk.done) controller.close()
      else controller.enqueue(bytesOf(chunk))
    },
    cancel: reason => reader.cancel(reason),
  })
}
