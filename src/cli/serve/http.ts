import { DEFAULT_LIMITS, type H1Event, H1Server } from '../../http/h1/index.ts'
import type { RequestHead, ResponseView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { TlsDuplex } from '../../tls13/io/duplex.ts'

/** Milliseconds without a byte either way. */
const IDLE = 30_000
/** Bytes that `/bytes/N` writes at a time. */
const PIECE = 2 ** 16
/** The most that `/bytes/N` gives: a terabyte. */
const MOST = 2 ** 40
/** Methods that do nothing that a second time would change (RFC 9110, Section 9.2.1): those may come early. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

type Request = Extract<H1Event, { type: 'request' }>

/**
 * Answers one client over HTTP/1.0 and 1.1 until it or we have enough. What came as early data and is not safe is refused with
 * 425 (RFC 8470).
 * @param handshake what `GET /tls` tells
 */
export async function serveHttp(connection: TlsDuplex, handshake: object): Promise<void> {
  connection.setTimeout(IDLE, () => connection.destroy())
  await new HttpConnection(connection, handshake).serve()
  connection.end()
  connection.resume()
}

class HttpConnection {
  readonly #connection: TlsDuplex
  readonly #handshake: object
  // What is echoed is not kept, so there is no need to bound it.
  readonly #http = new H1Server({
    ...DEFAULT_LIMITS,
    bodyBytes: Number.MAX_SAFE_INTEGER,
    requests: Number.MAX_SAFE_INTEGER,
  })
  readonly #input: AsyncIterator<Uint8Array>
  /** Bytes received so far. */
  #received = 0

  constructor(connection: TlsDuplex, handshake: object) {
    this.#connection = connection
    this.#handshake = handshake
    this.#input = connection.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]()
  }

  async serve(): Promise<void> {
    for (;;) {
      const event = await this.#next()
      if (event === undefined) return
      if (event.type === 'request') await this.#answer(event)
      if (event.type === 'error') {
        if (event.answerable)
          await this.#reply(problem({ name: 'bad-request', status: event.status, detail: event.reason }))
        return
      }
    }
  }

  /** The next event, as soon as enough has come for one; undefined at the end. */
  async #next(): Promise<H1Event | undefined> {
    for (;;) {
      const event = this.#http.next()
      if (event !== undefined) return event
      if (this.#http.shouldClose) return undefined
      const { done, value } = await this.#input.next()
      if (done === true) return undefined
      this.#received += value.length
      this.#http.receive(new Uint8Array(value))
    }
  }

  async #answer({ head, bodyLength, expectsContinue }: Request): Promise<void> {
    const early = this.#received - this.#http.buffered < this.#connection.earlyBytes
    this.#http.accept()
    if (early && !SAFE.has(head.method)) {
      const detail = `${head.method} came as early data, which can be replayed: send it again after the handshake`
      return this.#reply(problem({ name: 'too-early', status: 425, detail }))
    }
    const size = /^\/bytes\/(\d{1,13})$/.exec(head.path)?.[1]
    if (size !== undefined) return this.#bytes(head, Number(size))
    if (head.path === '/echo') return this.#echo(head, bodyLength, expectsContinue)
    return this.#reply(this.#page(head, early))
  }

  #page({ path, method }: RequestHead, early: boolean): ResponseView {
    if (path !== '/' && path !== '/tls') {
      return problem({ name: 'no-such-page', status: 404, detail: 'there are /, /bytes/N, /echo and /tls' })
    }
    if (method !== 'GET' && method !== 'HEAD')
      return problem({ name: 'method-not-allowed', status: 405, headers: [['allow', 'GET, HEAD']] })
    if (path === '/') return { status: 200, headers: [['content-type', 'text/plain']], body: 'hello\n' }
    const body = `${JSON.stringify({ ...this.#handshake, early }, undefined, 2)}\n`
    return { status: 200, headers: [['content-type', 'application/json']], body }
  }

  async #bytes({ method }: RequestHead, size: number): Promise<void> {
    if (method !== 'GET' && method !== 'HEAD')
      return this.#reply(
        problem({ name: 'method-not-allowed', status: 405, headers: [['allow', 'GET, HEAD']] }),
      )
    if (size > MOST)
      return this.#reply(problem({ name: 'too-much', status: 400, detail: `at most ${MOST} bytes` }))
    await this.#begin('application/octet-stream', size)
    for (let left = size; left > 0; left -= PIECE) {
      if (method === 'HEAD') break
      await this.#write(this.#http.write(PATTERN.subarray(0, Math.min(left, PIECE))))
    }
    await this.#write([this.#http.end()])
  }

  /** Gives back what comes, while it comes. */
  async #echo(head: RequestHead, length: number | undefined, expectsContinue: boolean): Promise<void> {
    if (head.method !== 'POST' && head.method !== 'PUT')
      return this.#reply(
        problem({ name: 'method-not-allowed', status: 405, headers: [['allow', 'POST, PUT']] }),
      )
    if (expectsContinue) await this.#write([this.#http.continue()])
    await this.#begin('application/octet-stream', length)
    let event = await this.#next()
    for (; event?.type === 'body'; event = await this.#next()) await this.#write(this.#http.write(event.data))
    // Cut short or malformed: the missing end tells the client that its response is not whole.
    if (event?.type !== 'end') throw new Error('a request was cut short')
    await this.#write([this.#http.end()])
  }

  #begin(type: string, length: number | undefined): Promise<void> {
    const head = this.#http.respond({ status: 200, headers: [['content-type', type]], length }, Date.now())
    return this.#write([head])
  }

  #reply(response: ResponseView): Promise<void> {
    return this.#write([this.#http.reply(response, Date.now())])
  }

  /** Waits as long as the client does not take what there is. */
  async #write(pieces: readonly Uint8Array[]): Promise<void> {
    const connection = this.#connection
    let room = true
    for (const piece of pieces) if (piece.length > 0) room = connection.write(piece)
    if (room || connection.destroyed) return
    await new Promise<void>(resolve => {
      const done = (): void => {
        connection.off('drain', done)
        connection.off('close', done)
        resolve()
      }
      connection.on('drain', done)
      connection.on('close', done)
    })
  }
}

/** The same for everybody: the numbers from 0 to 255, again and again. */
const PATTERN: Uint8Array = Uint8Array.from({ length: PIECE }, (_, index) => index & 0xff)
