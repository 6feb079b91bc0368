import type { Field } from '../http/message.ts'
import { copied, LightBody, type Maker, type Source } from './body.ts'
import { fieldsFrom, hasField, LightHeaders } from './headers.ts'
import { native, unclonable } from './native.ts'
import { isBlob, isUnread, streamOfBlob } from './stream.ts'

/** Statuses without content (Fetch §2.2.3). */
const NULL_BODY: ReadonlySet<number> = new Set([101, 103, 204, 205, 304])
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** A reason phrase that Node need not judge. */
const PHRASE = /^[\t\x20-\x7e\x80-\xff]*$/

/** A response that is there as a whole. */
export interface WholeResponse {
  readonly status: number
  /** Names in lower case. */
  readonly fields: readonly Field[]
  readonly content: string | Uint8Array | null
}

interface Head {
  readonly status: number
  readonly statusText: string
  readonly fields: Field[]
  readonly url?: string
  readonly redirected?: boolean
}

/** The last status that a Response of Node's may have. */
const LAST_STATUS = 599

/** The web's Response: no stream is made of a body that is there as a whole, unless code asks for one. */
export class LightResponse {
  readonly #body: LightBody<LightResponse, Response>
  readonly #status: number
  readonly #statusText: string
  readonly #fields: Field[]
  readonly #immutable: boolean
  readonly #url: string
  readonly #redirected: boolean
  #headers: LightHeaders | undefined

  private constructor(
    source: Source,
    { status, statusText, fields, url = '', redirected = false }: Head,
    immutable = false,
  ) {
    this.#url = url
    this.#redirected = redirected
    this.#status = status
    this.#statusText = statusText
    this.#fields = fields
    this.#immutable = immutable
    this.#body = new LightBody(source, this, LightResponse.#MAKER)
    unclonable(this)
  }

  static readonly #MAKER: Maker<LightResponse, Response> = {
    make: (light, source) =>
      new (native().Response)(source as ConstructorParameters<typeof Response>[0], {
        // Node's class knows no other: what a server has invented is a failure (RFC 9110 §15).
        status: Math.min(light.#status, LAST_STATUS),
        statusText: light.#statusText,
      }),
    sync: (light, real) => replaceFields(real.headers, light.#fields),
  }

  /** What `new Response(body, init)` makes; undefined if that is for Node's class. */
  static of(body: unknown, init: unknown): LightResponse | undefined {
    const head = headOf(init)
    if (head === undefined) return undefined
    if (body === undefined || body === null) return new LightResponse(null, head)
    if (NULL_BODY.has(head.status)) return undefined
    if (typeof body === 'string') {
      addType(head.fields, 'text/plain;charset=UTF-8')
      return new LightResponse(body, head)
    }
    if (body instanceof ReadableStream) return isUnread(body) ? new LightResponse(body, head) : undefined
    const bytes = bytesOf(body)
    if (bytes !== undefined) return new LightResponse(bytes, head)
    if (!isBlob(body)) return undefined
    if (body.type !== '') addType(head.fields, body.type)
    return new LightResponse(streamOfBlob(body), head)
  }

  /**
   * A response whose parts are known to be right.
   * @param fields names in lower case, each once but for Set-Cookie; they and the content are the object's
   * @param about what was asked for, if something was
   */
  static from(
    status: number,
    fields: Field[],
    content: Source,
    about?: { readonly url: string; readonly redirected: boolean },
  ): LightResponse {
    return new LightResponse(content, { status, statusText: '', fields, ...about })
  }

  /** What `Response.json(data, init)` makes; undefined if that is for Node's class. */
  static json(data: unknown, init: unknown): LightResponse | undefined {
    const text = JSON.stringify(data)
    const head = headOf(init)
    if (text === undefined || head === undefined || NULL_BODY.has(head.status)) return undefined
    addType(head.fields, 'application/json')
    return new LightResponse(text, head)
  }

  /** What `Response.redirect(url, status)` makes; undefined if that is for Node's class. */
  static redirect(url: unknown, status: unknown = 302): LightResponse | undefined {
    if (typeof status !== 'number' || !REDIRECTS.has(status)) return undefined
    if (typeof url !== 'string' || !URL.canParse(url)) return undefined
    const fields: Field[] = [['location', new URL(url).href]]
    return new LightResponse(null, { status, statusText: '', fields }, true)
  }

  static is(value: object): value is LightResponse {
    return #body in value
  }

  /**
   * Takes a response that is there as a whole; its body counts as read.
   * @returns undefined if it is not one of ours, or its body is a stream by now
   * @throws TypeError its body has been read
   */
  static take(value: object): WholeResponse | undefined {
    if (!(#body in value) || value.#body.whole === undefined) return undefined
    const content = value.#body.take() as string | Uint8Array | null
    return { status: value.#status, fields: value.#fields, content }
  }

  /** Node's object in its place. */
  static real(light: LightResponse): Response {
    return light.#body.real
  }

  get type(): Response['type'] {
    return 'default'
  }
  get url(): string {
    return this.#url
  }
  get redirected(): boolean {
    return this.#redirected
  }
  get status(): number {
    return this.#status
  }
  get ok(): boolean {
    return this.#status >= 200 && this.#status <= 299
  }
  get statusText(): string {
    return this.#statusText
  }
  get headers(): Headers {
    this.#headers ??= new LightHeaders(this.#fields, undefined, this.#immutable)
    return this.#headers as unknown as Headers
  }
  get body(): ReadableStream<Uint8Array> | null {
    return this.#body.stream
  }
  get bodyUsed(): boolean {
    return this.#body.used
  }

  clone(): Response {
    const { copyable, of } = this.#body
    if (copyable === undefined && of === undefined) return this.#body.real.clone()
    const copy = copyable === undefined ? streamOfBlob(of!) : copied(copyable)
    const fields = this.#fields.slice()
    const [status, statusText, url, redirected] = [
      this.#status,
      this.#statusText,
      this.#url,
      this.#redirected,
    ]
    const head = { status, statusText, fields, url, redirected }
    return new LightResponse(copy, head, this.#immutable) as unknown as Response
  }

  async text(): Promise<string> {
    return this.#body.text()
  }
  async json(): Promise<unknown> {
    return this.#body.json()
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#body.arrayBuffer()
  }
  async bytes(): Promise<Uint8Array> {
    return this.#body.bytes()
  }
  async blob(): Promise<Blob> {
    return this.#body.blob()
  }
  async formData(): Promise<FormData> {
    return this.#body.formData()
  }
}

/** undefined for what is for Node to judge. */
function headOf(init: unknown): Head | undefined {
  if (init === undefined) return { status: 200, statusText: '', fields: [] }
  if (typeof init !== 'object' || init === null) return undefined
  const { status = 200, statusText = '', headers } = init as Readonly<Record<string, unknown>>
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > LAST_STATUS)
    return undefined
  if (typeof statusText !== 'string' || (statusText !== '' && !PHRASE.test(statusText))) return undefined
  const fields = fieldsFrom(headers)
  return fields && { status, statusText, fields }
}

function addType(fields: Field[], type: string): void {
  if (!hasField(fields, 'content-type')) fields.push(['content-type', type])
}

/** A copy, because the body of a Response does not change any more; undefined for what is unusual. */
function bytesOf(body: unknown): Uint8Array | undefined {
  if (body instanceof ArrayBuffer) return body.byteLength > 0 ? new Uint8Array(body.slice(0)) : undefined
  if (!(body instanceof Uint8Array) || !(body.buffer instanceof ArrayBuffer) || body.length === 0)
    return undefined
  return copyOf(body)
}

/** The same bytes in other memory, as no Buffer, whose `slice()` would share it. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return bytes.length > SMALL ? new Uint8Array(bytes) : smallCopy(bytes)
}

/** Bytes of small bodies, which share memory: memory for each would cost more than all else. */
const SMALL = 1024
const SLAB = 16_384
let slab = new Uint8Array(SLAB)
let used = 0

function smallCopy(bytes: Uint8Array): Uint8Array {
  if (used + bytes.length > SLAB) {
    slab = new Uint8Array(SLAB)
    used = 0
  }
  const copy = slab.subarray(used, used + bytes.length)
  used += bytes.length
  copy.set(bytes)
  return copy
}

/** Makes them the only fields of an object of Node's. */
export function replaceFields(headers: Headers, fields: readonly Field[]): void {
  for (const name of [...headers.keys()]) headers.delete(name)
  for (const [name, value] of fields) headers.append(name, value)
}
