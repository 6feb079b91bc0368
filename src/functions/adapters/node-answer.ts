import type { H1Client, H1ClientEvent } from '../../http/h1/index.ts'
import { type Field, header } from '../../http/message.ts'
import { concat } from '../../wire/index.ts'
import type { Context } from '../contract.ts'
import type { Wire, WireReader } from './wire.ts'

/** Bytes of a response that wait for its reader. */
const BUFFER = 65_536

type Head = Extract<H1ClientEvent, { type: 'response' }>

/**
 * Makes a Response of the bytes that an application writes: whole if it writes all of them at once, otherwise
 * as a stream.
 */
export class NodeAnswer implements WireReader {
  readonly response: Promise<Response>
  readonly #wire: Wire
  readonly #http: H1Client
  readonly #context: Context
  #trailers: readonly Field[] = []
  #resolve: (response: Response) => void = () => {}
  #reject: (error: Error) => void = () => {}
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #pulled: (() => void) | undefined
  #over = false

  /**
   * @param context of the call; its signal aborted: the client is gone, or its patience is, and so is the
   * wire
   */
  constructor(wire: Wire, http: H1Client, context: Context) {
    const { signal } = context
    this.#wire = wire
    this.#http = http
    this.#context = context
    wire.reader = this
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    const abort = (): void => void wire.destroy(signal.reason as Error)
    if (signal.aborted) abort()
    else {
      signal.addEventListener('abort', abort, { once: true })
      wire.once('close', () => signal.removeEventListener('abort', abort))
    }
  }

  bytes(data: Uint8Array): Promise<void> | undefined {
    if (this.#over) return undefined
    this.#take(this.#http.receive(data))
    if ((this.#controller?.desiredSize ?? 1) > 0) return undefined
    return new Promise(resolve => {
      this.#pulled = resolve
    })
  }

  closed(error: Error | undefined): void {
    if (this.#over) return
    if (error === undefined) this.#take(this.#http.finish().filter(event => event.type !== 'error'))
    if (!this.#over)
      this.#fail(error ?? new Error('the application closed the connection before its answer was complete'))
  }

  #take(events: readonly H1ClientEvent[]): void {
    for (const event of events) if (event.type === 'interim') this.#inform(event.status, event.headers)
    const head = events.find(event => event.type === 'response')
    const end = events.find(event => event.type === 'end')
    const whole = end !== undefined
    if (whole) this.#trailers = end.trailers
    if (head !== undefined) this.#begin(head, whole ? contentOf(events) : undefined)
    for (const event of events) {
      if (event.type === 'body') this.#controller?.enqueue(event.data)
      else if (event.type === 'error')
        this.#fail(new Error(`the application's answer is malformed: ${event.reason}`))
    }
    if (whole) this.#finish()
  }

  /** The platform has said 100 (Continue) by itself, where it is waited for. */
  #inform(status: number, headers: readonly Field[]): void {
    if (status !== 100) this.#context.inform(status, headers)
  }

  /** @param content all of it, if it has come */
  #begin(head: Head, content: Uint8Array | undefined): void {
    const { status, headers } = head
    if (this.#trailers.length > 0 || header(headers, 'trailer') !== undefined)
      this.#context.trailers(() => this.#trailers)
    const init = { status, headers: headers as [string, string][] }
    try {
      if (content !== undefined)
        this.#resolve(new Response(content.length === 0 ? null : plain(content), init))
      else this.#resolve(new Response(this.#stream(), init))
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
        pull: () => this.#pull(),
        cancel: () => {
          this.#over = true
          this.#wire.destroy()
        },
      },
      { highWaterMark: BUFFER, size: chunk => chunk.length },
    )
  }

  #pull(): void {
    const pulled = this.#pulled
    this.#pulled = undefined
    pulled?.()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    if (this.#trailers.length > 0) this.#context.trailers(this.#trailers)
    this.#controller?.close()
    // Not at once: the application is still in its call.
    setImmediate(() => this.#wire.destroy())
  }

  #fail(error: Error): void {
    if (this.#over) return
    this.#over = true
    this.#controller?.error(error)
    this.#reject(error)
    this.#wire.destroy()
  }
}

function contentOf(events: readonly H1ClientEvent[]): Uint8Array {
  const pieces = events.flatMap(event => (event.type === 'body' ? [event.data] : []))
  return pieces.length === 1 ? pieces[0]! : concat(...pieces)
}

function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>
}
