import { Connection } from '../../src/containers/connection/connection.ts'
import { H2Client, type H2Event, type H2RequestHead } from '../../src/http/h2/index.ts'
import type { RequestView, ResponseView } from '../../src/http/message.ts'
import { Session } from '../../src/tls13/index.ts'
import { decodeEnvelope } from '../../src/transfer/envelope.ts'
import { freshHttp, freshTls } from '../../src/transfer/parcel.ts'
import { concat, EMPTY, utf8 } from '../../src/wire/index.ts'
import { FakeHost, FakeStream } from './connection-scene.ts'
import { clientConfig } from './pair.ts'

/** What has come of one request. */
export interface Answer {
  status: number
  headers: Record<string, string>
  /** One character for each byte. */
  body: string
  ended: boolean
  /** The code of the RST_STREAM that ended it. */
  reset: number | undefined
  retryable: boolean
}

/** A client of HTTP/2 with all its requests; it outlives the containers that its connection lives in. */
export class Talker {
  readonly http = new H2Client()
  readonly answers = new Map<number, Answer>()
  readonly events: H2Event[] = []
  closed = false
  #session: Session | undefined
  #stream = new FakeStream()
  #connection: Connection | undefined

  readonly #watched: (stream: FakeStream) => FakeStream

  /**
   * @param tls whether over TLS, where ALPN chooses @param watched what connections get in the place of their
   * streams
   */
  constructor(tls: boolean, watched = (stream: FakeStream) => stream) {
    this.#watched = watched
    if (tls) this.#session = Session.client(clientConfig({ alpn: ['h2', 'http/1.1'] }))
  }

  get stream(): FakeStream {
    return this.#stream
  }

  get connection(): Connection {
    return this.#connection!
  }

  get secured(): boolean {
    return this.#session !== undefined
  }

  get scheme(): 'http' | 'https' {
    return this.secured ? 'https' : 'http'
  }

  get session(): Session {
    return this.#session!
  }

  /**
   * The connection arrives in its first container.
   * @param flush whether the client says at once what it has to say then @param began told of the connection
   * before it starts
   */
  arrive(host: FakeHost, flush = true, began = (_: Connection): void => {}): this {
    const first = this.#session === undefined ? this.http.takeOutput() : concat(...this.#session.takeOutput())
    const fresh = {
      sessionId: new Uint8Array(16),
      idleLeft: host.limits.timers['keep-alive'],
      inbound: first,
    }
    this.#connection = new Connection(
      host,
      this.#session === undefined ? freshHttp(fresh) : freshTls(fresh),
      this.#watched(this.#stream),
    )
    began(this.#connection)
    this.#connection.start()
    this.hear()
    return flush ? this.flush() : this
  }

  /** It arrives in another one. */
  move(host: FakeHost, frozen: Uint8Array): this {
    this.hear()
    this.#stream = new FakeStream()
    this.#connection = new Connection(host, decodeEnvelope(frozen), this.#stream)
    this.#connection.start()
    this.hear()
    return this
  }

  /** A request. @returns its stream's id */
  request(
    path: string,
    more: Partial<H2RequestHead> & { body?: string | Uint8Array; open?: boolean } = {},
  ): number {
    const { body, open, ...head } = more
    const id = this.http.request(
      {
        method: body === undefined && !open ? 'GET' : 'POST',
        scheme: this.scheme,
        authority: 'a',
        path,
        ...head,
      },
      body === undefined && !open,
    )
    const bytes = typeof body === 'string' ? utf8(body) : body
    if (bytes !== undefined) this.http.write(id, bytes)
    if (bytes !== undefined && !open) this.http.end(id)
    return id
  }

  /** What the client has to say as the bytes of its connection. */
  bytes(): Uint8Array {
    const said = this.http.takeOutput()
    if (this.#session === undefined) return said
    if (said.length > 0) this.#session.send(said)
    const records = this.#session.takeOutput()
    return records.length === 0 ? EMPTY : concat(...records)
  }

  /** Says what there is to say, and hears what comes of it, until there is nothing more. */
  flush(): this {
    this.hear()
    for (let bytes = this.bytes(); bytes.length > 0; bytes = this.bytes()) {
      if (this.#stream.state !== 'open') throw new Error('the stream is not open')
      this.#stream.receive(bytes)
      this.hear()
    }
    return this
  }

  /** Hears what the server has said. */
  hear(): this {
    const sent = this.#stream.take()
    if (this.#session === undefined) {
      this.#take(sent)
      return this
    }
    for (const event of this.#session.receive(sent)) {
      if (event.type === 'application_data') this.#take(event.data)
      if (event.type === 'alert') throw event.error
      if (event.type === 'close_notify') this.closed = true
    }
    return this
  }

  answer(id: number): Answer {
    const answer = this.answers.get(id)
    if (answer === undefined) throw new Error(`nothing has come on stream ${id}`)
    return answer
  }

  #take(bytes: Uint8Array): void {
    this.http.receive(bytes)
    for (let event = this.http.next(); event !== undefined; event = this.http.next()) this.#on(event)
  }

  #on(event: H2Event): void {
    this.events.push(event)
    if (event.type === 'error') throw new Error(event.reason)
    if (!('streamId' in event)) return
    const known = this.answers.get(event.streamId)
    const answer = known ?? {
      status: 0,
      headers: {},
      body: '',
      ended: false,
      reset: undefined,
      retryable: false,
    }
    this.answers.set(event.streamId, answer)
    if (event.type === 'response') {
      answer.status = event.status
      answer.headers = Object.fromEntries(event.headers)
      answer.ended = event.endStream
    } else if (event.type === 'data') {
      answer.body += Buffer.from(event.data).toString('latin1')
      answer.ended = event.endStream
      this.http.consume(event.streamId, event.data.length)
    } else if (event.type === 'reset') {
      answer.reset = event.code
      answer.retryable = event.retryable
    }
  }
}

/** However slow this machine is. */
export const PATIENT = { quietMilliseconds: 600_000 }

/** A host of the function hello. */
export function helloHost(handle?: ConstructorParameters<typeof FakeHost>[0]): FakeHost {
  const host = new FakeHost(handle)
  host.available = new Set(['echo', 'resize'])
  return Object.assign(host, { functionName: 'hello', container: 'hello-1' })
}

/** A function whose answers the test gives. */
export function waitingFunction() {
  const waiting: { request: RequestView; answer: (view: ResponseView) => void }[] = []
  const handle = (request: RequestView) =>
    new Promise<ResponseView>(answer => void waiting.push({ request, answer }))
  return { waiting, handle }
}
