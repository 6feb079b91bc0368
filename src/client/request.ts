import { lengthOf } from '../http/field-values.ts'
import { type Field, isNamed } from '../http/message.ts'
import { plain, utf8 } from '../wire/index.ts'
import type { Content, Outgoing } from './outgoing.ts'

/** As the web has them: what Node's own types call by other names. */
type HeadersInit = ConstructorParameters<typeof Headers>[0]
type BodyInit = ConstructorParameters<typeof Response>[0]

/** What is asked for besides the URL: as much of `RequestInit` as means something here. */
export interface RequestOptions {
  readonly method?: string | undefined
  readonly headers?: HeadersInit | undefined
  readonly body?: BodyInit | Uint8Array | AsyncIterable<Uint8Array> | null | undefined
  readonly signal?: AbortSignal | null | undefined
  readonly redirect?: 'follow' | 'error' | 'manual' | undefined
}

/** Methods that are written in capitals, however they are given (Fetch, normalize). */
const NORMALISED: ReadonlySet<string> = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'])
/** Methods that are no requests to an origin. */
const FORBIDDEN: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'TRACK'])
/** Fields of one connection: what they say is ours to say. */
const OURS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/**
 * A request as users of `fetch` write it.
 * @param defaults fields that it has unless it says otherwise, names in lower case
 * @throws TypeError for what cannot be asked
 */
export function outgoingOf(
  input: string | URL | Request,
  init: RequestOptions,
  defaults: readonly Field[],
): Outgoing {
  const request = input instanceof Request ? input : undefined
  const url = urlOf(request?.url ?? (input as string | URL))
  const method = methodOf(init.method ?? request?.method ?? 'GET')
  const given = init.headers ?? request?.headers
  const asked = given === undefined ? [] : fieldsOf(given)
  const { content, type } = contentOf(init.body === undefined ? request?.body : init.body)
  if (content !== undefined && (method === 'GET' || method === 'HEAD'))
    throw new TypeError(`a ${method} request has no content`)
  const said = asked.find(([name]) => isNamed(name, 'content-length'))?.[1]
  const length = said === undefined || !(content instanceof ReadableStream) ? undefined : lengthOf(said)
  if (length !== undefined && !Number.isFinite(length)) throw new TypeError(`Content-Length: ${said}`)
  const fields = asked.filter(isCallers)
  const names = new Set(fields.map(([name]) => name.toLowerCase()))
  if (type !== undefined && !names.has('content-type')) fields.push(['content-type', type])
  for (const field of defaults) if (!names.has(field[0])) fields.push(field)
  return { method, url, fields, content, length }
}

/**
 * Fields for all requests, as users write them, names in lower case. @throws TypeError for what is no field
 */
export function defaultFields(given: NonNullable<HeadersInit>): Field[] {
  return [...new Headers(given)].filter(isCallers)
}

function isCallers([name]: Field): boolean {
  return !OURS.has(name.toLowerCase())
}

/** @throws TypeError for what is no URL, without showing it: there may be a password in it */
export function parsedUrl(given: string | URL): URL {
  const text = `${given}`
  if (!URL.canParse(text)) throw new TypeError('that is no URL: it is written as https://host.example/path')
  return new URL(text)
}

function urlOf(given: string | URL): URL {
  const url = parsedUrl(given)
  url.hash = ''
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TypeError(`${url.protocol} is not spoken here: http: and https: are`)
  if (url.username !== '' || url.password !== '')
    throw new TypeError('a URL with credentials in it: the Authorization field is for them')
  return url
}

function methodOf(method: string): string {
  const given = `${method}`
  const capitals = given.toUpperCase()
  if (FORBIDDEN.has(capitals)) throw new TypeError(`${given} is not a method that can be asked for`)
  return NORMALISED.has(capitals) ? capitals : given
}

function fieldsOf(given: NonNullable<HeadersInit>): Field[] {
  if (given instanceof Headers) return [...given]
  if (typeof given !== 'object') throw new TypeError(`headers: an object, or pairs, not ${typeof given}`)
  if (Symbol.iterator in given) return Array.from(given as Iterable<Field>, pairOf)
  return Object.entries(given).map(([name, value]) => [name, `${value}`])
}

function pairOf(given: Field): Field {
  const [name, value, ...more] = given
  if (value === undefined || more.length > 0)
    throw new TypeError(`headers: pairs of name and value, not ${JSON.stringify(given)}`)
  return [name, `${value}`]
}

/** @throws TypeError its memory has been given away */
function bytesOf(body: ArrayBufferView | ArrayBuffer): Uint8Array {
  if (isDetached(body instanceof ArrayBuffer ? body : body.buffer))
    throw new TypeError('the content is memory that has been transferred elsewhere')
  if (body instanceof Uint8Array) return plain(body)
  if (body instanceof ArrayBuffer) return new Uint8Array(body)
  return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
}

/** Node 20 does not say it by itself. */
function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false
  try {
    new Uint8Array(buffer)
    return false
  } catch {
    return true
  }
}

interface TypedContent {
  readonly content: Content
  /** The media type that goes with it. */
  readonly type?: string | undefined
}

function contentOf(body: RequestOptions['body']): TypedContent {
  if (body === undefined || body === null) return { content: undefined }
  if (typeof body === 'string') return { content: utf8(body), type: 'text/plain;charset=UTF-8' }
  if (body instanceof URLSearchParams)
    return { content: utf8(body.toString()), type: 'application/x-www-form-urlencoded;charset=UTF-8' }
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return { content: bytesOf(body) }
  if (body instanceof ReadableStream) {
    if (body.locked) throw new TypeError('the content is a stream that has a reader already')
    return { content: body as ReadableStream<Uint8Array> }
  }
  if (Symbol.asyncIterator in Object(body)) return { content: streamFrom(body as AsyncIterable<Uint8Array>) }
  // A Blob, a form: Node knows how they are written.
  const written = new Response(body as BodyInit)
  return { content: written.body ?? undefined, type: written.headers.get('content-type') ?? undefined }
}

function streamFrom(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      cancel: async reason => void (await iterator.return?.(reason)),
    },
    { highWaterMark: 0 },
  )
}
