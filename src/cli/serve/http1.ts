import { DEFAULT_LIMITS, type H1Event, H1Server } from '../../http/h1/index.ts'
import type { ResponseView } from '../../http/message.ts'
import { problem } from '../../http/problem.ts'
import type { TlsDuplex } from '../../tls13/io/duplex.ts'
import { BYTES, PATTERN, PIECE, pageFor } from './pages.ts'

// What is echoed is not kept, so there is no need to bound it.
const LIMITS = { ...DEFAULT_LIMITS, bodyBytes: Number.MAX_SAFE_INTEGER, requests: Number.MAX_SAFE_INTEGER }

type Request = Extract<H1Event, { type: 'request' }>

/** Answers one client over HTTP/1.0 and 1.1, one request after the other, until it or we have enough. */
export class Http1Connection {
  readonly #connection: TlsDuplex
  readonly #handshake: object
  readonly #http = new H1Server(LIMITS)
  readonly #input: AsyncIterator<Uint8Array>
  /** Bytes received so far. */
  #received = 0

  /** @param handshake what `GET /tls` tells */
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
    const page = pageFor(head.method, head.path, early, this.#handshake)
    if (page.kind === 'reply') return this.#reply(page.response)
    if (page.kind === 'bytes') return this.#bytes(head.method === 'HEAD', page.size)
    return this.#echo(bodyLength, expectsContinue)
  }

  async #bytes(headOnly: boolean, size: number): Promise<void> {
    await this.#begin(size)
    for (let left = headOnly ? 0 : size; left > 0; left -= PIECE)
      await this.#write(this.#http.write(PATTERN.subarray(0, Math.min(left, PIECE))))
    await this.#write([this.#http.end()])
  }

  /** Gives back what comes, while it comes. */
  async #echo(length: number | undefined, expectsContinue: boolean): Promise<void> {
    if (expectsContinue) await this.#write([this.#http.continue()])
    await this.#begin(length)
    let event = await this.#next()
    for (; event?.type === 'body'; event = await this.#next()) await this.#write(this.#http.write(event.data))
    // Cut short or malformed: the missing end tells the client that its response is not whole.
    if (event?.type !== 'end') throw new Error('a request was cut short')
    await this.#write([this.#http.end()])
  }

  #begin(length: number | undefined): Promise<void> {
    return this.#write([this.#http.respond({ status: 200, headers: [BYTES], length }, Date.now())])
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
