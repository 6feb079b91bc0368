import { connect, type Socket } from 'node:net'
import { H1Client, type H1ClientEvent } from '../../src/http/h1/index.ts'
import { type Field, header } from '../../src/http/message.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session, type SessionEvent } from '../../src/tls13/index.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { concat } from '../../src/wire/index.ts'

/** A response as it came. */
export interface Answer {
  readonly status: number
  readonly headers: readonly Field[]
  readonly body: Uint8Array
  /** Statuses of the interim responses before it. */
  readonly interim: readonly number[]
  /** The container that gave it, and how often the connection had moved. */
  readonly container: string | undefined
  readonly hops: number
}

/** An answer from its parts: the content comes in chunks, and the fields say who gave it. */
export function answerOf(parts: {
  readonly status: number
  readonly headers: readonly Field[]
  readonly chunks: readonly Uint8Array[]
  readonly interim: readonly number[]
}): Answer {
  const { status, headers, chunks, interim } = parts
  return {
    status,
    headers,
    body: concat(...chunks),
    interim,
    container: header(headers, 'x-hotpotato-container'),
    hops: Number(header(headers, 'x-hotpotato-hops')),
  }
}

/** How a connection ended. */
export interface Ending {
  /** close_notify came before it. */
  readonly closeNotify: boolean
  /** The alert that ended the session, ours or theirs. */
  readonly alert: string | undefined
  /** `ECONNRESET` and the like; undefined after a FIN. */
  readonly error: string | undefined
}

export interface ClientOptions {
  readonly port: number
  /** Speak TLS: the authority to trust (PEM), and the name to ask for. */
  readonly tls?: {
    readonly ca: string
    readonly serverName?: string
    readonly checkName?: boolean
    readonly extendedKeyUpdate?: boolean
  }
}

export interface RequestOptions {
  readonly method?: string
  readonly headers?: readonly Field[]
  readonly body?: Uint8Array
  /**
   * Sizes of the chunks to send the body in; together they may be less than the body, the last chunk has the
   * rest.
   */
  readonly chunks?: readonly number[]
}

interface Waiting {
  resolve(answer: Answer): void
  reject(error: Error): void
}

/**
 * A client of one TCP connection: our own `Session` and HTTP parser over a plain socket, so that it can do at
 * any byte what usual clients never do. Requests may be pipelined.
 */
export class Client {
  readonly socket: Socket
  readonly session: Session | undefined
  /** Resolved when the server has closed. */
  readonly ended: Promise<Ending>
  readonly events: SessionEvent[] = []
  /** Handshakes completed on this connection: one, whatever happens. */
  handshakes = 0
  /** Unlike the others, not about this connection: bytes that came in clear before any TLS. */
  readonly raw: Uint8Array[] = []
  /** What requests name by default. */
  readonly #host: string
  readonly #http = new H1Client()
  readonly #waiting: Waiting[] = []
  readonly #ready: Promise<void>
  #parts: { status: number; headers: readonly Field[]; chunks: Uint8Array[] } | undefined
  #interim: number[] = []
  #failure: Error | undefined
  #alert: string | undefined
  #closeNotify = false

  static async open(options: ClientOptions): Promise<Client> {
    const client = new Client(options)
    await client.#ready
    return client
  }

  constructor({ port, tls }: ClientOptions) {
    this.#host = tls === undefined ? 'echo.local' : (tls.serverName ?? 'localhost')
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    if (tls !== undefined) {
      const { ca, serverName, checkName = serverName !== undefined, extendedKeyUpdate = false } = tls
      const verify = verifier({ ca, checkName, ...(checkName ? {} : { name: 'anything' }) })
      const alpn = ['http/1.1']
      this.session = Session.client({
        provider: node,
        alpn,
        verify,
        extendedKeyUpdate,
        ...(serverName === undefined ? {} : { serverName }),
      })
    }
    let error: string | undefined
    this.#ready = new Promise((resolve, reject) => {
      this.socket.once('connect', () => {
        this.#flush()
        if (this.session === undefined) resolve()
      })
      this.#onHandshake = resolve
      this.#onFailure = reject
    })
    this.#ready.catch(() => {})
    this.socket.on('data', bytes => this.#receive(plain(bytes)))
    this.socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      error = code
    })
    this.ended = new Promise(resolve => {
      const over = (): void => {
        for (const event of this.#http.finish()) this.#onHttp(event)
        this.#fail(new Error(error ?? 'the server closed'))
        resolve({ closeNotify: this.#closeNotify, alert: this.#alert, error })
      }
      this.socket.once('end', over)
      this.socket.once('close', over)
    })
  }

  #onHandshake: () => void = () => {}
  #onFailure: (error: Error) => void = () => {}

  /** Sends a request; the answers come in the order of the requests. */
  request(target: string, options: RequestOptions = {}): Promise<Answer> {
    const bytes = this.requestBytes(target, options)
    const answer = this.answer()
    this.write(bytes)
    return answer
  }

  /** A request's bytes, for those who send them otherwise. The answer is the next {@link answer}'s. */
  requestBytes(target: string, { method, headers = [], body, chunks }: RequestOptions = {}): Uint8Array {
    const host = header(headers, 'host') === undefined ? [['host', this.#host] as const] : []
    const all = [...host, ...headers]
    const verb = method ?? (body === undefined ? 'GET' : 'POST')
    if (chunks === undefined) return this.#http.request({ method: verb, target, headers: all }, body)
    const head = this.#http.request({
      method: verb,
      target,
      headers: [...all, ['transfer-encoding', 'chunked']],
    })
    const parts = [head]
    let at = 0
    for (const size of chunks) {
      const piece = body!.subarray(at, at + size)
      if (piece.length > 0) parts.push(H1Client.chunk(piece))
      at += piece.length
    }
    if (at < body!.length) parts.push(H1Client.chunk(body!.subarray(at)))
    return concat(...parts, H1Client.chunk(new Uint8Array(0)))
  }

  /** The answer to the next request that has none. */
  answer(): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const answer = new Promise<Answer>((resolve, reject) => this.#waiting.push({ resolve, reject }))
    answer.catch(() => {})
    return answer
  }

  /** Sends application data. @returns whether more should be sent now */
  write(data: Uint8Array): boolean {
    if (this.session === undefined) return this.socket.write(data)
    this.session.send(data)
    return this.#flush()
  }

  /** Changes the write key, and asks the server to change its own. */
  updateKeys(): void {
    this.session!.updateKeys(true)
    this.#flush()
  }

  /** Sends close_notify and FIN; goes on reading. */
  end(): void {
    this.session?.close()
    this.#flush()
    this.socket.end()
  }

  /** Ends the connection with a reset. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** Closes in order and waits for the server to do the same. */
  async close(): Promise<Ending> {
    if (!this.socket.destroyed && !this.socket.writableEnded) this.end()
    const ending = await this.ended
    this.socket.destroy()
    return ending
  }

  #flush(): boolean {
    let more = true
    for (const record of this.session?.takeOutput() ?? []) more = this.socket.write(record)
    return more
  }

  #receive(bytes: Uint8Array): void {
    if (this.session === undefined) {
      this.raw.push(bytes)
      this.#receiveHttp(bytes)
      return
    }
    for (const event of this.session.receive(bytes)) {
      if (event.type === 'application_data') {
        this.#receiveHttp(event.data)
        continue
      }
      this.events.push(event)
      if (event.type === 'handshake_complete') {
        this.handshakes++
        this.#onHandshake()
      } else if (event.type === 'close_notify') this.#closeNotify = true
      else if (event.type === 'alert') {
        this.#alert = event.alert
        this.#fail(new Error(`alert ${event.alert} from ${event.from}`))
      }
    }
    if (!this.socket.destroyed && !this.socket.writableEnded) this.#flush()
  }

  #receiveHttp(bytes: Uint8Array): void {
    for (const event of this.#http.receive(bytes)) this.#onHttp(event)
  }

  #onHttp(event: H1ClientEvent): void {
    switch (event.type) {
      case 'response':
        this.#parts = { status: event.status, headers: event.headers, chunks: [] }
        return
      case 'interim':
        this.#interim.push(event.status)
        return
      case 'body':
        this.#parts!.chunks.push(event.data)
        return
      case 'end': {
        const { status, headers, chunks } = this.#parts!
        const interim = this.#interim
        this.#parts = undefined
        this.#interim = []
        this.#waiting.shift()?.resolve(answerOf({ status, headers, chunks, interim }))
        return
      }
      case 'error':
        this.#fail(new Error(event.reason))
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#onFailure(error)
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
  }
}

/** The text of an answer's body. */
export function textOf({ body }: { readonly body: Uint8Array }): string {
  return new TextDecoder().decode(body)
}

/** The value of a field of an answer. */
export function field({ headers }: { readonly headers: readonly Field[] }, name: string): string | undefined {
  return header(headers, name)
}

function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
