import type { H1Server } from '../../http/h1/index.ts'
import type { Field, ResponseView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { Log } from '../../platform/log.ts'
import type { Guard } from '../../transport/guard.ts'
import type { Outlet } from '../connection/outlet.ts'
import type { ResponseSink } from './response-sink.ts'

/** What a responder tells the connection that it writes for. */
export interface ResponderOwner {
  readonly guard: Guard
  /** The connection answers nobody any more. */
  readonly gone: boolean
  /** The response's head has been given out. */
  began(): void
  /** The response has been given out whole. */
  responded(): void
  /** The response was begun and cannot be finished. */
  brokeOff(): void
}

/**
 * Writes responses: the function's or the platform's, framed by HTTP, with the platform's own fields, into
 * the way out.
 */
export class Responder implements ResponseSink {
  readonly #http: H1Server
  readonly #out: Outlet
  readonly #fields: readonly Field[]
  readonly #log: Log
  readonly #owner: ResponderOwner

  constructor(http: H1Server, out: Outlet, fields: readonly Field[], log: Log, owner: ResponderOwner) {
    this.#http = http
    this.#out = out
    this.#fields = fields
    this.#log = log
    this.#owner = owner
  }

  inform(status: number, headers: readonly Field[]): void {
    if (!this.#owner.gone) this.#out.send([this.#http.inform(status, headers)])
  }

  reply(response: ResponseView): void {
    if (this.#owner.gone) return
    let bytes: Uint8Array
    try {
      bytes = this.#http.reply(this.#marked(response), Date.now())
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      this.#log.error({ err: error }, 'the function gave a response that cannot be sent')
      const detail = `the response cannot be sent: ${error.message}`
      bytes = this.#http.reply(
        this.#marked(problem({ name: 'function-failed', status: 500, detail })),
        Date.now(),
      )
    }
    this.#out.send([bytes], true)
    this.#owner.responded()
  }

  begin(head: Parameters<ResponseSink['begin']>[0]): void {
    if (this.#owner.gone) return
    this.#out.send([this.#http.respond(this.#marked(head), Date.now())])
    this.#owner.began()
  }

  /** The last response of a connection on which no request is being served. */
  refuse(response: ResponseView): void {
    if (this.#owner.gone) return
    this.#out.send([this.#http.refuse(this.#marked(response), Date.now())], true)
    this.#owner.responded()
  }

  write(data: Uint8Array): Promise<void> | undefined {
    if (this.#owner.gone) return undefined
    this.#out.send(this.#http.write(data))
    return this.#out.drained()
  }

  end(trailers?: readonly Field[]): void {
    if (this.#owner.gone) return
    this.#out.send([this.#http.end(trailers)], true)
    this.#owner.responded()
  }

  abort(): void {
    this.#owner.brokeOff()
  }

  fail(error: unknown): void {
    this.#owner.guard.fail(error)
  }

  #marked<T extends { readonly headers?: readonly Field[] }>(response: T): T & { headers: readonly Field[] } {
    return { ...response, headers: [...(response.headers ?? []), ...this.#fields] }
  }
}
