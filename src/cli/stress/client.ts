import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http'
import { type ClientHttp2Session, connect } from 'node:http2'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'

/** What every request is. */
export interface Order {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  readonly http: '1.1' | '2'
  /** Whether a connection is used again. */
  readonly keepAlive: boolean
  /** Milliseconds for one answer. */
  readonly timeout: number
  /** PEM of authorities; undefined: those of the system. */
  readonly ca: string | undefined
  readonly insecure: boolean
  readonly lookup: LookupFunction
}

/** An answer that came whole. */
export interface Answer {
  readonly status: number
  /** Of content. */
  readonly bytes: number
  /** The beginning of the content, where the status says that something is wrong. */
  readonly problem?: string | undefined
}

/** Bytes of content that are kept to say what is wrong. */
const KEPT = 4096

/** Counts content, and keeps the beginning of one that says what is wrong. */
class Content {
  bytes = 0
  status = 0
  #kept = Buffer.alloc(0)

  add(chunk: Uint8Array): void {
    this.bytes += chunk.length
    if (this.status >= 400 && this.#kept.length < KEPT)
      this.#kept = Buffer.concat([this.#kept, chunk]).subarray(0, KEPT)
  }

  get answer(): Answer {
    const { status, bytes } = this
    return this.#kept.length === 0 ? { status, bytes } : { status, bytes, problem: this.#kept.toString() }
  }
}

/** One connection at a time, for one request at a time. */
export interface Client {
  /** @throws Error what went wrong; {@link kindOf} says it in a word */
  request(): Promise<Answer>
  close(): void
}

/**
 * A client over Node's own `http`, `https` or `http2`: none of our code, so that our servers are tried by
 * another implementation.
 */
export function openClient(order: Order): Client {
  return order.http === '2' ? new Http2Client(order) : new Http1Client(order)
}

/** No answer in time. */
class TimeoutError extends Error {
  readonly code = 'timeout'
}

/**
 * What kind of error it is: a code of Node's or OpenSSL's, of what lies beneath if there is such, or
 * `timeout`.
 */
export function kindOf(error: unknown): string {
  const { code, message, cause } = error as {
    readonly code?: unknown
    readonly message?: string
    readonly cause?: { readonly code?: unknown }
  }
  const found = cause?.code ?? code
  return typeof found === 'string' ? found : (message ?? String(error)).slice(0, 100)
}

/** The same in a sentence: what failed, where. Of several addresses that were tried, each. */
export function sentenceOf(error: unknown): string {
  const { cause = error } = error as { readonly cause?: unknown }
  const { errors, message } = cause as { readonly errors?: readonly Error[]; readonly message?: string }
  return errors?.map(one => one.message).join(', ') || message || String(error)
}

class Http1Client implements Client {
  readonly #order: Order
  readonly #agent: HttpAgent

  constructor(order: Order) {
    this.#order = order
    const { ca, insecure, keepAlive, lookup } = order
    const options = { keepAlive, maxSockets: 1, noDelay: true, lookup }
    this.#agent =
      order.url.protocol === 'https:'
        ? new HttpsAgent({ ...options, ...(ca === undefined ? {} : { ca }), rejectUnauthorized: !insecure })
        : new HttpAgent(options)
  }

  request(): Promise<Answer> {
    const { url, method, headers, body, timeout } = this.#order
    const options: RequestOptions = { method, headers, agent: this.#agent }
    return new Promise((resolve, reject) => {
      const outgoing = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options)
      const late = SYSTEM_CLOCK.after(timeout, () => outgoing.destroy(new TimeoutError('no answer in time')))
      const fail = (error: Error): void => {
        late.stop()
        reject(error)
      }
      outgoing.on('error', fail)
      outgoing.on('response', incoming => {
        const content = new Content()
        content.status = incoming.statusCode ?? 0
        incoming.on('data', (chunk: Uint8Array) => content.add(chunk))
        incoming.on('end', () => {
          late.stop()
          resolve(content.answer)
        })
        // An answer that breaks off.
        incoming.on('error', fail)
      })
      outgoing.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

class Http2Client implements Client {
  readonly #order: Order
  #session: ClientHttp2Session | undefined

  constructor(order: Order) {
    this.#order = order
  }

  request(): Promise<Answer> {
    const { url, method, headers, body, timeout, keepAlive } = this.#order
    const session = this.#open()
    return new Promise<Answer>((resolve, reject) => {
      const stream = session.request(
        { ...headers, ':method': method, ':path': url.pathname + url.search },
        { endStream: body === undefined },
      )
      const late = SYSTEM_CLOCK.after(timeout, () => {
        stream.close()
        reject(new TimeoutError('no answer in time'))
      })
      const fail = (error: Error): void => {
        late.stop()
        reject(error)
      }
      const content = new Content()
      let ended = false
      session.once('error', fail)
      stream.on('response', fields => {
        content.status = Number(fields[':status'])
      })
      stream.on('data', (chunk: Uint8Array) => content.add(chunk))
      stream.on('error', fail)
      stream.on('end', () => {
        ended = true
      })
      stream.on('close', () => {
        late.stop()
        session.off('error', fail)
        if (ended && content.status > 0) resolve(content.answer)
        else reject(Object.assign(new Error('the stream was closed'), { code: 'ERR_HTTP2_STREAM_CLOSED' }))
      })
      if (body !== undefined) stream.end(body)
    }).finally(() => {
      if (!keepAlive) this.close()
    })
  }

  /** The session at hand, or a new one if it has ended. */
  #open(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session
    const { url, ca, insecure, lookup } = this.#order
    const session = connect(url.origin, {
      ...(ca === undefined ? {} : { ca }),
      rejectUnauthorized: !insecure,
      lookup,
    })
    // A request that waits for an answer is told; between requests there is none.
    session.on('error', () => {})
    this.#session = session
    return session
  }

  close(): void {
    this.#session?.destroy()
    this.#session = undefined
  }
}
