import { type H2Event, type H2Request, H2Server } from '../../http/h2/index.ts'
import type { TlsDuplex } from '../../tls13/io/duplex.ts'
import { concat, EMPTY } from '../../wire/index.ts'
import { BYTES, PATTERN, PIECE, pageFor } from './pages.ts'

/** Milliseconds between two looks at the clock. */
const TICK = 1000

/** A response that is being sent. */
interface Response {
  /** Content that waits for a window. */
  waiting: Uint8Array
  /** Bytes of the pattern that are still to come after that. */
  left: number
  /** It is the request's own content, whose window is given back as it leaves. */
  readonly echo: boolean
  /** Whether more of that may come. */
  open: boolean
}

/** Answers one client over HTTP/2, as many streams at a time as it likes. */
export class Http2Connection {
  readonly #connection: TlsDuplex
  readonly #handshake: object
  readonly #http = new H2Server()
  readonly #responses = new Map<number, Response>()
  /** Bytes received before those at hand. */
  #received = 0

  /** @param handshake what `GET /tls` tells */
  constructor(connection: TlsDuplex, handshake: object) {
    this.#connection = connection
    this.#handshake = handshake
  }

  /** Until the client or we have enough. */
  async serve(): Promise<void> {
    const clock = setInterval(() => {
      this.#http.tick(TICK)
      this.#flush()
    }, TICK)
    this.#connection.on('drain', () => this.#flush())
    try {
      for await (const chunk of this.#connection.iterator({
        destroyOnReturn: false,
      }) as AsyncIterable<Uint8Array>) {
        this.#http.receive(new Uint8Array(chunk))
        this.#pull()
        this.#received += chunk.length
        this.#flush()
        if (this.#http.shouldClose) return
      }
    } finally {
      clearInterval(clock)
    }
  }

  #pull(): void {
    for (let event = this.#http.next(); event !== undefined; event = this.#http.next()) this.#on(event)
  }

  #on(event: H2Event): void {
    switch (event.type) {
      case 'request':
        this.#answer(event)
        return
      case 'data':
        this.#content(event.streamId, event.data, event.endStream)
        return
      case 'trailers':
        this.#content(event.streamId, EMPTY, true)
        return
      case 'drain':
        this.#go(event.streamId)
        return
      case 'reset':
        this.#responses.delete(event.streamId)
    }
  }

  #answer(request: H2Request & { readonly streamId: number; readonly endStream: boolean }): void {
    const { streamId, method, path, endStream } = request
    const http = this.#http
    const early = this.#received < this.#connection.earlyBytes
    http.accept(streamId)
    const page = pageFor(method, path.split('?')[0]!, early, this.#handshake)
    if (page.kind === 'reply') {
      http.reply(streamId, page.response, Date.now())
      return
    }
    const length = page.kind === 'bytes' ? page.size : undefined
    const headers = length === undefined ? [BYTES] : [BYTES, ['content-length', String(length)] as const]
    http.respond(streamId, { status: 200, headers }, Date.now())
    const left = method === 'HEAD' ? 0 : (length ?? 0)
    const echo = page.kind === 'echo'
    this.#responses.set(streamId, { waiting: EMPTY, left, echo, open: echo && !endStream })
    this.#go(streamId)
  }

  /** Content is given back, and its window when it has been taken; what nobody echoes is read and dropped. */
  #content(streamId: number, data: Uint8Array, ends: boolean): void {
    const response = this.#responses.get(streamId)
    if (response?.echo !== true) {
      this.#http.consume(streamId, data.length)
      return
    }
    response.waiting = concat(response.waiting, data)
    if (ends) response.open = false
    this.#go(streamId)
  }

  /** Writes as much as the client's window takes. */
  #go(streamId: number): void {
    const response = this.#responses.get(streamId)
    if (response === undefined) return
    for (;;) {
      if (response.waiting.length > 0) {
        const accepted = this.#http.write(streamId, response.waiting)
        response.waiting = response.waiting.subarray(accepted)
        if (response.echo) this.#http.consume(streamId, accepted)
        if (response.waiting.length > 0) return
      }
      if (response.left === 0) break
      response.waiting = PATTERN.subarray(0, Math.min(response.left, PIECE))
      response.left -= response.waiting.length
    }
    if (response.open) return
    this.#responses.delete(streamId)
    this.#http.end(streamId)
  }

  /** Hands output over as long as the stream takes it. */
  #flush(): void {
    const connection = this.#connection
    while (!connection.destroyed && !connection.writableNeedDrain) {
      const bytes = this.#http.takeOutput()
      if (bytes.length === 0) return
      connection.write(bytes)
      // Room for output may be room for content.
      this.#pull()
    }
  }
}
