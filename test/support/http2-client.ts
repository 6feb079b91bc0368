import { connect, type Socket } from 'node:net'
import { H2Client, type H2Event, type H2Request } from '../../src/http/h2/index.ts'
import { type Frame, readFrame } from '../../src/http/websocket/frame.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { Session } from '../../src/tls13/index.ts'
import { verifier } from '../../src/tls13/io/verify.ts'
import { concat, EMPTY } from '../../src/wire/index.ts'
import { type Answer, answerOf, type ClientOptions } from './client.ts'

/** What is asked, apart from the path. */
export interface Http2Request extends Partial<Pick<H2Request, 'method' | 'authority' | 'headers'>> {
  readonly body?: Uint8Array
  /** The content does not end there: see {@link Http2Client.upload}. */
  readonly open?: boolean
  /** Called with each piece of content as it comes. */
  readonly onData?: ((data: Uint8Array) => void) | undefined
}

/** A stream that both sides write as they like. */
export interface ClientTunnel {
  readonly status: Promise<number>
  write(data: Uint8Array): void
  /** What has come since, at least one byte. */
  read(): Promise<Uint8Array>
}

interface Exchange {
  head: { status: number; headers: Answer['headers'] } | undefined
  readonly chunks: Uint8Array[]
  readonly interim: number[]
  /** Content that waits for a window. */
  unsent: Uint8Array | undefined
  /** The client has more to say, later. */
  open?: boolean
  readonly onData: ((data: Uint8Array) => void) | undefined
  readonly onHead: ((status: number) => void) | undefined
  resolve(answer: Answer): void
  reject(error: Error): void
}

/** A client of one HTTP/2 connection: our own `Session` and `H2Client` over a plain socket. */
export class Http2Client {
  readonly http = new H2Client()
  readonly socket: Socket
  readonly session: Session | undefined
  /** Resolved when the server has closed. */
  readonly ended: Promise<{ closeNotify: boolean; goaway: number | undefined; error: string | undefined }>
  handshakes = 0
  readonly #exchanges = new Map<number, Exchange>()
  readonly #clock: NodeJS.Timeout
  #closeNotify = false
  #closing = false
  #goaway: number | undefined

  static async open(options: ClientOptions): Promise<Http2Client> {
    const client = new Http2Client(options)
    await client.#ready
    return client
  }

  #onReady: () => void = () => {}
  #onFailure: (error: Error) => void = () => {}
  readonly #ready = new Promise<void>((resolve, reject) => {
    this.#onReady = resolve
    this.#onFailure = reject
  })

  constructor({ port, tls }: ClientOptions) {
    this.#ready.catch(() => {})
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    if (tls !== undefined) {
      const { ca, serverName } = tls
      this.session = Session.client({
        provider: node,
        alpn: ['h2'],
        verify: verifier({ ca, checkName: serverName !== undefined }),
        ...(serverName === undefined ? {} : { serverName }),
      })
    }
    this.socket.once('connect', () => {
      if (this.session === undefined) this.#onReady()
      this.flush()
    })
    this.socket.on('data', bytes =>
      this.#receive(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
    )
    let error: string | undefined
    this.socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      error = code
    })
    // What was spent is earned back by time, as in any client.
    this.#clock = setInterval(() => this.http.tick(100), 100).unref()
    this.ended = new Promise(resolve => {
      this.socket.once('close', () => {
        clearInterval(this.#clock)
        this.#fail(new Error(error ?? 'the server closed'))
        resolve({ closeNotify: this.#closeNotify, goaway: this.#goaway, error })
      })
    })
  }

  /** Streams without a whole answer. */
  get underway(): number {
    return this.#exchanges.size
  }

  /** The last stream that the server looks at, if it has said goodbye. */
  get goaway(): number | undefined {
    return this.#goaway
  }

  get #scheme(): 'http' | 'https' {
    return this.session === undefined ? 'http' : 'https'
  }

  request(
    path: string,
    { method, authority = 'echo.local', headers = [], body, onData, open = false }: Http2Request = {},
  ): Promise<Answer> {
    const verb = method ?? (body === undefined ? 'GET' : 'POST')
    const head = {
      method: verb,
      scheme: this.#scheme,
      authority,
      path,
      headers,
    }
    const id = this.http.request(head, body === undefined)
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#exchanges.set(id, {
        head: undefined,
        chunks: [],
        interim: [],
        unsent: body,
        open,
        onData,
        onHead: undefined,
        resolve,
        reject,
      })
    })
    answer.catch(() => {})
    this.#send(id)
    this.flush()
    return answer
  }

  /** A request whose content comes in two parts. */
  upload(path: string, first: Uint8Array): { readonly answer: Promise<Answer>; end(rest: Uint8Array): void } {
    const answer = this.request(path, { body: first, open: true })
    const [id, exchange] = [...this.#exchanges].at(-1)!
    return {
      answer,
      end: rest => {
        exchange.unsent = concat(exchange.unsent ?? new Uint8Array(0), rest)
        exchange.open = false
        this.#send(id)
        this.flush()
      },
    }
  }

  /** Asks for a WebSocket (RFC 8441). */
  tunnel(path: string, authority = 'echo.local'): ClientTunnel {
    const head = { method: 'CONNECT', protocol: 'websocket', scheme: this.#scheme, authority, path }
    const id = this.http.request({ ...head, headers: [['sec-websocket-version', '13']] }, false)
    let heard: Uint8Array[] = []
    let wake: () => void = () => {}
    const onData = (data: Uint8Array): void => {
      heard.push(data)
      wake()
    }
    const status = new Promise<number>((onHead, reject) => {
      this.#exchanges.set(id, {
        ...{ head: undefined, chunks: [], interim: [], unsent: undefined },
        ...{ onData, onHead, resolve: () => {}, reject },
      })
    })
    this.flush()
    return {
      status,
      write: data => {
        this.http.write(id, data)
        this.flush()
      },
      read: async () => {
        if (heard.length === 0)
          await new Promise<void>(resolve => {
            wake = resolve
          })
        const all = concat(...heard)
        heard = []
        return all
      },
    }
  }

  /** Sends what there is to send. */
  flush(): void {
    if (this.session !== undefined && !this.session.connected) {
      for (const record of this.session.takeOutput()) this.socket.write(record)
      return
    }
    while (!this.#closing) {
      const bytes = this.http.takeOutput()
      if (bytes.length === 0) break
      if (this.session === undefined) this.socket.write(bytes)
      else this.session.send(bytes)
    }
    for (const record of this.session?.takeOutput() ?? []) this.socket.write(record)
  }

  /** Changes the write key, and asks the server to change its own. */
  updateKeys(): void {
    this.session!.updateKeys(true)
    this.flush()
  }

  /** Closes in order. */
  async close(): Promise<Awaited<Http2Client['ended']>> {
    if (!this.socket.destroyed) {
      this.http.shutdown()
      this.flush()
      this.#closing = true
      this.session?.close()
      this.flush()
      if (this.session === undefined) this.socket.end()
    }
    return this.ended
  }

  #send(id: number): void {
    const exchange = this.#exchanges.get(id)
    if (exchange?.unsent === undefined) return
    exchange.unsent = exchange.unsent.subarray(this.http.write(id, exchange.unsent))
    if (exchange.unsent.length > 0 || exchange.open) return
    exchange.unsent = undefined
    this.http.end(id)
  }

  #receive(bytes: Uint8Array): void {
    if (this.session === undefined) this.#take(bytes)
    else {
      for (const event of this.session.receive(bytes)) {
        if (event.type === 'application_data') this.#take(event.data)
        else if (event.type === 'close_notify') this.#closeNotify = true
        else if (event.type === 'alert') this.#fail(new Error(`alert ${event.alert} from ${event.from}`))
        else if (event.type === 'handshake_complete') {
          this.handshakes++
          this.#onReady()
        }
      }
    }
    if (!this.socket.destroyed) this.flush()
  }

  #take(bytes: Uint8Array): void {
    this.http.receive(bytes)
    for (let event = this.http.next(); event !== undefined; event = this.http.next()) this.#on(event)
  }

  #on(event: H2Event): void {
    if (event.type === 'goaway') this.#goaway = event.lastStreamId
    if (event.type === 'error') this.#fail(new Error(event.reason))
    if (!('streamId' in event)) return
    const { streamId } = event
    const exchange = this.#exchanges.get(streamId)
    if (exchange === undefined) return
    if (event.type === 'informational') exchange.interim.push(event.status)
    if (event.type === 'response') {
      exchange.head = { status: event.status, headers: event.headers }
      exchange.onHead?.(event.status)
    }
    if (event.type === 'data') {
      exchange.chunks.push(event.data)
      exchange.onData?.(event.data)
      this.http.consume(streamId, event.data.length)
    }
    if (event.type === 'drain') this.#send(streamId)
    if (event.type === 'reset') {
      this.#exchanges.delete(streamId)
      exchange.reject(new Error(`stream ${streamId} was reset with ${event.code}`))
    }
    if ((event.type === 'response' || event.type === 'data') && event.endStream)
      this.#finish(streamId, exchange)
    if (event.type === 'trailers') this.#finish(streamId, exchange)
  }

  #finish(streamId: number, { head, chunks, interim, resolve }: Exchange): void {
    this.#exchanges.delete(streamId)
    const { status, headers } = head!
    resolve(answerOf({ status, headers, chunks, interim }))
  }

  #fail(error: Error): void {
    this.#onFailure(error)
    for (const { reject } of this.#exchanges.values()) reject(error)
    this.#exchanges.clear()
  }
}

/** Reads what a WebSocket on a stream hears, frame by frame. */
export function framesOf(tunnel: Pick<ClientTunnel, 'read'>): () => Promise<Frame> {
  let heard: Uint8Array = EMPTY
  return async () => {
    for (let frame = readFrame(heard, false, 1000); ; frame = readFrame(heard, false, 1000)) {
      if (frame !== undefined) {
        heard = heard.subarray(frame.length)
        return frame
      }
      heard = concat(heard, await tunnel.read())
    }
  }
}
