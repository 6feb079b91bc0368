import { H1Client, type H1ClientEvent } from '../../http/h1/index.ts'
import { type Field, header } from '../../http/message.ts'
import type { Source } from '../../web/body.ts'
import { addField, lowerName } from '../../web/headers.ts'
import { copyOf, LightResponse } from '../../web/response.ts'
import { concat, plain } from '../../wire/index.ts'
import type { Context } from '../contract.ts'
import { type Head, readHead } from './node-head.ts'
import { BUFFER, type NodeSocket, type Written } from './node-socket.ts'

/** What an application may answer with. It is trusted more than a client is. */
const LIMITS = { headBytes: 262_144, headerFields: 2000, bodyBytes: Number.MAX_SAFE_INTEGER, requests: 1 }

/**
 * Makes a Response of what an application writes: whole if it writes all of it at once, otherwise as a
 * stream. A plain response is read as it is written; one in chunks, or behind interim responses, by a client
 * of HTTP/1.1.
 */
export class NodeAnswer {
  readonly #socket: NodeSocket
  readonly #method: string
  readonly #context: Context
  #given: Response | undefined
  #failure: Error | undefined
  #resolve: ((response: Response) => void) | undefined
  #reject: ((error: Error) => void) | undefined
  #http: H1Client | undefined
  /** Bytes of content to come, if the head has said it. */
  #left: number | undefined
  #trailers: readonly Field[] = []
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #over = false

  constructor(method: string, context: Context, socket: NodeSocket) {
    this.#method = method
    this.#context = context
    this.#socket = socket
  }

  /** The response, or a promise of it if it is not there yet. @throws what the application has thrown */
  get response(): Response | Promise<Response> {
    if (this.#failure !== undefined) throw this.#failure
    return (
      this.#given ??
      new Promise((resolve, reject) => {
        this.#resolve = resolve
        this.#reject = reject
      })
    )
  }

  get room(): boolean {
    return (this.#controller?.desiredSize ?? 1) > 0
  }

  take(written: readonly Written[]): void {
    if (this.#over) return
    if (this.#http !== undefined) this.#parse(written)
    else if (this.#controller !== undefined) this.#pass(written)
    else this.#first(written)
  }

  /** @throws never: what is missing is told to who reads the response */
  finished(): void {
    if (this.#over) return
    if (this.#http === undefined && this.#controller !== undefined && this.#left === undefined) this.#finish()
    else this.closed(undefined)
  }

  closed(error: Error | undefined): void {
    if (this.#over) return
    if (error === undefined && this.#http !== undefined)
      this.#take(this.#http.finish().filter(event => event.type !== 'error'))
    if (!this.#over)
      this.#fail(error ?? new Error('the application closed the connection before its answer was complete'))
  }

  #first(written: readonly Written[]): void {
    const { data } = written[0]!
    const head = typeof data === 'string' ? readHead(data) : undefined
    if (head === undefined || head.chunked) {
      this.#http = new H1Client(LIMITS)
      this.#http.request({ method: this.#method, target: '/', headers: [['host', 'localhost']] })
      this.#parse(written)
    } else this.#begin(head, withoutHead(written, head.end))
  }

  #begin({ status, fields, length }: Head, rest: readonly Written[]): void {
    const none = this.#method === 'HEAD' || status === 204 || status === 304
    if (none || length === 0) {
      this.#give(status, fields, null)
      this.#finish()
    } else if (length !== undefined && sizeOf(rest) >= length) {
      this.#give(status, fields, contentOf(rest, length))
      this.#finish()
    } else {
      this.#left = length
      this.#give(status, fields, this.#stream())
      this.#pass(rest)
    }
  }

  /** Content as it is. */
  #pass(written: readonly Written[]): void {
    for (const one of written) {
      const bytes = bytesOf(one)
      const given = this.#left === undefined ? bytes : bytes.subarray(0, this.#left)
      if (given.length > 0) this.#controller?.enqueue(given)
      if (this.#left !== undefined) this.#left -= given.length
    }
    if (this.#left === 0) this.#finish()
  }

  #parse(written: readonly Written[]): void {
    this.#take(this.#http!.receive(joined(written)))
  }

  #take(events: readonly H1ClientEvent[]): void {
    for (const event of events) if (event.type === 'interim') this.#inform(event.status, event.headers)
    const head = events.find(event => event.type === 'response')
    const end = events.find(event => event.type === 'end')
    if (end !== undefined) this.#trailers = end.trailers
    if (head !== undefined) {
      const { status, headers } = head
      if (this.#trailers.length > 0 || header(headers, 'trailer') !== undefined)
        this.#context.trailers(() => this.#trailers)
      const fields: Field[] = []
      for (const [name, value] of headers) addField(fields, lowerName(name), value)
      this.#give(status, fields, end === undefined ? this.#stream() : wholeOf(events))
    }
    for (const event of events) {
      if (event.type === 'body') this.#controller?.enqueue(event.data)
      else if (event.type === 'error')
        this.#fail(new Error(`the application's answer is malformed: ${event.reason}`))
    }
    if (end !== undefined) this.#finish()
  }

  /** The platform has said 100 (Continue) by itself, where it is waited for. */
  #inform(status: number, headers: readonly Field[]): void {
    if (status !== 100) this.#context.inform(status, headers)
  }

  #give(status: number, fields: Field[], content: Source): void {
    try {
      // Its class says what is wrong with others.
      if (status < 200 || status > 599 || (status === 205 && content !== null))
        new Response(content as ConstructorParameters<typeof Response>[0], { status })
      this.#given = LightResponse.from(status, fields, content) as unknown as Response
      this.#resolve?.(this.#given)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #stream(): ReadableStream<Uint8Array> {
    return new ReadableStream(
      {
        start: controller => {
          this.#controller = controller
        },
        pull: () => this.#socket.goOn(),
        cancel: () => {
          this.#over = true
          this.#socket.destroy()
        },
      },
      { highWaterMark: BUFFER, size: chunk => chunk.length },
    )
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    if (this.#trailers.length > 0) this.#context.trailers(this.#trailers)
    this.#controller?.close()
  }

  #fail(error: Error): void {
    if (this.#over) return
    this.#over = true
    this.#failure = error
    this.#controller?.error(error)
    this.#reject?.(error)
    this.#socket.destroy()
  }
}

function withoutHead(written: readonly Written[], length: number): readonly Written[] {
  const { data, encoding } = written[0]!
  if (data.length === length) return written.slice(1)
  const rest = { data: (data as string).slice(length), encoding }
  return written.length === 1 ? [rest] : [rest, ...written.slice(1)]
}

/** In bytes. */
function sizeOf(written: readonly Written[]): number {
  let size = 0
  for (let i = 0; i < written.length; i++) {
    const { data, encoding } = written[i]!
    size += typeof data === 'string' ? Buffer.byteLength(data, encoding) : data.length
  }
  return size
}

/** The first bytes of it, or the same as text. The application may use its memory again. */
function contentOf(written: readonly Written[], length: number): string | Uint8Array {
  const { data, encoding } = written[0]!
  if (written.length > 1) return joined(written).subarray(0, length)
  if (typeof data !== 'string') return copyOf(data.subarray(0, length))
  const plainText = encoding === undefined || encoding === 'utf8' || encoding === 'utf-8'
  return plainText && Buffer.byteLength(data) === length
    ? data
    : bytesOf({ data, encoding }).subarray(0, length)
}

function bytesOf({ data, encoding }: Written): Uint8Array {
  return typeof data === 'string' ? plain(Buffer.from(data, encoding)) : copyOf(data)
}

function joined(written: readonly Written[]): Uint8Array {
  return concat(
    ...written.map(({ data, encoding }) => (typeof data === 'string' ? Buffer.from(data, encoding) : data)),
  )
}

function wholeOf(events: readonly H1ClientEvent[]): Uint8Array | null {
  const pieces = events.flatMap(event => (event.type === 'body' ? [event.data] : []))
  const whole = pieces.length === 1 ? pieces[0]! : concat(...pieces)
  return whole.length === 0 ? null : plain(whole)
}
