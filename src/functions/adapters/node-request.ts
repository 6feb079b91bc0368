import { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Field } from '../../http/message.ts'
import { lowerName } from '../../web/headers.ts'
import { LightRequest, type RequestContents } from '../../web/request.ts'
import type { NodeSocket } from './node-socket.ts'

/** What was between the client and us only (RFC 9110 §7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/** Takes a Request apart; its body counts as read. @throws TypeError its body has been read */
export function contentsOf(request: Request): RequestContents {
  if (LightRequest.is(request)) return LightRequest.takeApart(request)
  const { pathname, search, host } = new URL(request.url)
  return { host, target: pathname + search, fields: [...request.headers], content: request.body }
}

/** How `node:http` is given the fields of a message. */
interface Fillable {
  _addHeaderLines(raw: readonly string[], count: number): void
}

/** The message that `node:http` would make of such a request. @param url what the application sees of it */
export function messageOf(
  method: string,
  url: string,
  { host, target, fields, content }: RequestContents,
  socket: NodeSocket,
): IncomingMessage {
  const message = new IncomingMessage(socket as unknown as Socket)
  message.httpVersion = '1.1'
  message.httpVersionMajor = 1
  message.httpVersionMinor = 1
  message.method = method
  message.url = url
  ;(message as { originalUrl?: string }).originalUrl = target
  const raw = rawFields(fields, host, content !== null)
  ;(message as unknown as Fillable)._addHeaderLines(raw, raw.length)
  message.complete = !(content instanceof ReadableStream)
  return message
}

/** Names and values in turn, as the application gets them. */
function rawFields(fields: readonly Field[], host: string, content: boolean): string[] {
  const raw: string[] = []
  let hosted = false
  let framed = false
  for (const [name, value] of fields) {
    const lower = lowerName(name)
    if (HOP_BY_HOP.has(lower)) continue
    if (lower === 'host') hosted = true
    else if (lower === 'content-length') {
      // Of a body that is left out it would be waited for.
      if (!content && value !== '0') continue
      framed = true
    }
    raw.push(name, value)
  }
  if (!hosted) raw.unshift('Host', host)
  if (content && !framed) raw.push('Transfer-Encoding', 'chunked')
  return raw
}

/** Gives the application the content of its request, as fast as it reads it. */
export class NodeContent {
  readonly #message: IncomingMessage
  readonly #socket: NodeSocket
  #content: Uint8Array | ReadableStream<Uint8Array> | null
  #begun = false
  #wanted: (() => void) | undefined

  constructor(message: IncomingMessage, content: RequestContents['content'], socket: NodeSocket) {
    this.#message = message
    this.#content = content
    this.#socket = socket
  }

  /** The application reads. */
  wanted(): void {
    const wanted = this.#wanted
    this.#wanted = undefined
    wanted?.()
    if (this.#begun) return
    this.#begun = true
    const content = this.#content
    if (content instanceof ReadableStream) this.#stream(content)
    else {
      if (content !== null && !this.#skipped) this.#message.push(content)
      this.#message.push(null)
    }
  }

  /** Its response is there: what it has not begun to read, it does not get. */
  finished(): void {
    const message = this.#message as IncomingMessage & { _consuming?: boolean; _dump?(): void }
    const heard = message.listenerCount('end') > 0 || message.listenerCount('close') > 0
    if (this.#begun || !heard) return
    this.#content = null
    message._dump?.()
  }

  get #skipped(): boolean {
    return (this.#message as { readonly _dumped?: boolean })._dumped === true
  }

  async #stream(content: ReadableStream<Uint8Array>): Promise<void> {
    const message = this.#message
    try {
      for await (const bytes of content) {
        if (message.destroyed) return
        if (bytes.length > 0 && !this.#skipped && !message.push(bytes)) await this.#read()
      }
      message.complete = true
      message.push(null)
    } catch (error) {
      // The client is gone in the middle of it, which is not to look like an end.
      this.#socket.destroy(error as Error)
    }
  }

  /** The moment when the application has read what it has been given, or has gone. */
  #read(): Promise<void> {
    return new Promise(resolve => {
      this.#wanted = resolve
    })
  }

  /** There is nothing to read any more. */
  closed(): void {
    this.#wanted?.()
    this.#wanted = undefined
  }
}
