import type { Field } from '../http/message.ts'
import { copied, LightBody, type Maker, type Source } from './body.ts'
import { LightHeaders } from './headers.ts'
import { native, unclonable } from './native.ts'
import { replaceFields } from './response.ts'

/** The call that has the signal, which is made when code asks for it. */
export interface Caller {
  readonly signal: AbortSignal
  /** A body that comes as a stream is read ahead from now on: what of it the code has is not known. */
  gather?(): void
}

/** What a request is made of. */
export interface RequestParts {
  /** As `new Request` would spell it. */
  readonly method: string
  /** As `new URL` would write it: what stands in front of the path, and the rest. */
  readonly origin: string
  readonly target: string
  /** As they came. */
  readonly headers: readonly Field[]
  /** null with GET and HEAD. */
  readonly content: Uint8Array | ReadableStream<Uint8Array> | null
  readonly caller: Caller | undefined
}

/** A request taken apart. */
export interface RequestContents {
  /** Of its URL. */
  readonly host: string
  /** Path and query of its URL. */
  readonly target: string
  readonly fields: readonly Field[]
  readonly content: Uint8Array | ReadableStream<Uint8Array> | null
}

/** The web's Request as a server gets it: URL, headers, body and signal are made when code asks for them. */
export class LightRequest {
  readonly #body: LightBody<LightRequest, Request>
  readonly #parts: RequestParts
  #url: string | undefined
  #headers: LightHeaders | undefined
  #signal: AbortSignal | undefined

  constructor(parts: RequestParts) {
    this.#parts = parts
    unclonable(this)
    this.#body = new LightBody<LightRequest, Request>(parts.content as Source, this, LightRequest.#MAKER)
  }

  static readonly #MAKER: Maker<LightRequest, Request> = {
    make(light, source) {
      const init: RequestInit & { duplex: 'half' } = { method: light.method, duplex: 'half' }
      if (source !== null) init.body = source as NonNullable<RequestInit['body']>
      return new (native().Request)(light.url, init)
    },
    sync: (light, real) => replaceFields(real.headers, LightHeaders.fieldsOf(light.#fields())),
  }

  static is(value: unknown): value is LightRequest {
    return typeof value === 'object' && value !== null && #body in value
  }

  /** Node's object in its place. Its signal is one of its own: {@link signal} is what counts. */
  static real(light: LightRequest): Request {
    return light.#body.real
  }

  /** The same request for another URL, with its body; undefined if that is a stream, or has been read. */
  static at(light: LightRequest, { origin, pathname, search }: URL): LightRequest | undefined {
    if (light.#body.whole === undefined || light.#body.used) return undefined
    const content = light.#body.take() as Uint8Array | null
    return light.#like({ origin, target: pathname + search, content })
  }

  /** Takes a request apart: its body counts as read. @throws TypeError it has been read */
  static takeApart(light: LightRequest): RequestContents {
    const { origin, target, headers } = light.#parts
    const front = target === '' ? new URL(origin) : undefined
    return {
      host: front?.host ?? origin.slice(origin.indexOf('//') + 2),
      target: front === undefined ? target : front.pathname + front.search,
      fields: light.#headers === undefined ? headers : LightHeaders.givenTo(light.#headers),
      content: light.#body.give() as RequestContents['content'],
    }
  }

  get method(): string {
    return this.#parts.method
  }
  get url(): string {
    this.#url ??= this.#parts.origin + this.#parts.target
    return this.#url
  }
  get headers(): Headers {
    return this.#fields() as unknown as Headers
  }
  get signal(): AbortSignal {
    this.#signal ??= this.#parts.caller?.signal ?? new AbortController().signal
    return this.#signal
  }
  get body(): ReadableStream<Uint8Array> | null {
    return this.#body.stream
  }
  get bodyUsed(): boolean {
    return this.#body.used
  }

  clone(): Request {
    const whole = this.#body.copyable
    if (whole !== undefined)
      return this.#like({ content: copied(whole) as Uint8Array | null }) as unknown as Request
    const clone = this.#gathered.real.clone()
    Object.defineProperty(clone, 'signal', { get: () => this.signal, configurable: true })
    return clone
  }

  async text(): Promise<string> {
    return this.#gathered.text()
  }
  async json(): Promise<unknown> {
    return this.#gathered.json()
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#gathered.arrayBuffer()
  }
  async bytes(): Promise<Uint8Array> {
    return this.#gathered.bytes()
  }
  async blob(): Promise<Blob> {
    return this.#gathered.blob()
  }
  async formData(): Promise<FormData> {
    return this.#gathered.formData()
  }

  /** The body, of which more is read from now on than code gets. */
  get #gathered(): LightBody<LightRequest, Request> {
    if (this.#body.whole === undefined) this.#parts.caller?.gather?.()
    return this.#body
  }

  #fields(): LightHeaders {
    this.#headers ??= new LightHeaders([], this.#parts.headers)
    return this.#headers
  }

  #like(other: Partial<RequestParts>): LightRequest {
    const headers =
      this.#headers === undefined ? this.#parts.headers : LightHeaders.fieldsOf(this.#headers).slice()
    return new LightRequest({ ...this.#parts, headers, caller: this, ...other })
  }
}
