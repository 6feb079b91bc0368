import { EventEmitter } from 'node:events'
import { type IncomingMessage, OutgoingMessage, type Server, type ServerResponse } from 'node:http'
import type { Timer } from '../../time/clock.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import type { ConnectionInfo } from '../contract.ts'

/** A write of an application: bytes, or text and its encoding; undefined: UTF-8. */
export interface Written {
  readonly data: string | Uint8Array
  readonly encoding: BufferEncoding | undefined
}

/** What takes what the application writes. */
export interface SocketReader {
  /** What was written at once. */
  take(written: readonly Written[]): void
  /** Whether more may come; if not, {@link NodeSocket.goOn} says when. */
  readonly room: boolean
  /** The response has been written whole, or all that there is of it. */
  finished(): void
  /** The connection has broken off. */
  closed(error: Error | undefined): void
}

/** What gives the application the content of its request. */
export interface SocketSource {
  /** The application reads. */
  wanted(): void
  /** The response has been written whole. */
  finished(): void
  /** There is nothing to read any more. */
  closed(): void
}

/** Bytes that a response may be ahead of its reader, and a request's content ahead of the application. */
export const BUFFER = 65_536

type Callback = (error?: Error | null) => void

/** A response, with what `node:http` keeps in it. */
type Response = ServerResponse & { [flag: symbol]: unknown }

/** Where a response keeps that its writer waits for `drain`, which a server of Node's takes back. */
const NEED_DRAIN = Object.getOwnPropertySymbols(new OutgoingMessage()).find(
  ({ description }) => description === 'kNeedDrain',
)

/**
 * The application's end of a connection that is not there, as much like a `net.Socket` as applications and
 * `node:http` ask: addresses, timeouts, `close`, and the methods that tune a socket and have nothing to do
 * here. It is no stream, because that would cost more than all else: a `ServerResponse` writes to it, and an
 * `IncomingMessage` says by `resume` that it wants content.
 */
export class NodeSocket extends EventEmitter {
  readonly server: Server
  readonly encrypted: boolean
  readonly servername: string | undefined
  readonly alpnProtocol: string | false
  readonly remoteAddress: string | undefined
  readonly remotePort = 0
  readonly connecting = false
  readonly readableHighWaterMark = BUFFER
  readonly writableHighWaterMark = BUFFER
  timeout: number | undefined
  destroyed = false
  readable = true
  writable = true
  reader: SocketReader | undefined
  source: SocketSource | undefined
  request: IncomingMessage | undefined
  /** The response that is written; `node:http` sets it. */
  _httpMessage: Response | null = null
  /** `node:http` undoes all corking by it. */
  readonly _writableState = { corked: 0 }
  #written: Written[] = []
  #callbacks: Callback[] = []
  /** Bytes that have not been taken. */
  #waiting = 0
  /** A write has said that no more should come. */
  #full = false
  #settling = false
  #timer: Timer | undefined

  constructor({ tls, serverName, alpn, remoteAddress }: ConnectionInfo, server: Server) {
    super()
    this.server = server
    this.encrypted = tls
    this.servername = serverName
    this.alpnProtocol = alpn ?? false
    this.remoteAddress = remoteAddress
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    const { remoteAddress } = this
    return remoteAddress === undefined ? undefined : remoteAddress.includes(':') ? 'IPv6' : 'IPv4'
  }
  get writableCorked(): number {
    return this._writableState.corked
  }
  get writableLength(): number {
    return this.#waiting
  }
  get writableNeedDrain(): boolean {
    return this.#full
  }

  /** @param callback called when the reader has room for more, or with what has gone wrong */
  write(
    data: string | Uint8Array,
    encoding?: BufferEncoding | Callback | null,
    callback?: Callback,
  ): boolean {
    const called = typeof encoding === 'function' ? encoding : callback
    if (!this.writable) {
      if (called) process.nextTick(called, goneError())
      return false
    }
    if (this.#timer !== undefined) this.#touch()
    if (data.length > 0) {
      this.#written.push({ data, encoding: typeof encoding === 'string' ? encoding : undefined })
      this.#waiting += data.length
    }
    if (called) this.#callbacks.push(called)
    if (this._writableState.corked === 0) this.#flush()
    if (this.#waiting >= BUFFER) this.#full = true
    return !this.#full
  }

  cork(): void {
    this._writableState.corked++
  }

  uncork(): void {
    const state = this._writableState
    if (state.corked > 0 && --state.corked === 0) this.#flush()
  }

  /** The reader has room for more. */
  goOn(): void {
    this.#settle()
  }

  /** The response has been written whole. */
  finished(): void {
    this.reader?.finished()
    this.source?.finished()
    process.nextTick(close, this)
  }

  /** Ends the connection: the response must be whole by then. */
  end(data?: string | Uint8Array | (() => void), encoding?: BufferEncoding): this {
    if (data !== undefined && typeof data !== 'function') this.write(data, encoding)
    this._writableState.corked = 0
    this.#flush()
    this.reader?.finished()
    return this.destroy()
  }

  destroySoon(): void {
    this.end()
  }

  /** Breaks the connection off. */
  destroy(error?: Error): this {
    if (this.destroyed) return this
    this.destroyed = true
    this.readable = false
    this.writable = false
    this.#timer?.stop()
    this.#written = []
    this.reader?.closed(error)
    this.source?.closed()
    process.nextTick(() => this.#broken(error))
    return this
  }

  /** The application reads the request: it wants content. */
  resume(): this {
    if (this.#timer !== undefined) this.#touch()
    this.source?.wanted()
    return this
  }

  pause(): this {
    return this
  }

  /** As a socket's: emits `timeout` after that many milliseconds without traffic; 0: never. */
  setTimeout(milliseconds: number, listener?: () => void): this {
    this.timeout = milliseconds
    if (listener !== undefined) {
      if (milliseconds === 0) this.removeListener('timeout', listener)
      else this.once('timeout', listener)
    }
    this.#touch()
    return this
  }

  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  address(): object {
    return {}
  }

  #flush(): void {
    if (this.#written.length > 0) {
      const written = this.#written
      this.#written = []
      this.reader?.take(written)
    }
    this.#settle()
  }

  /** Says that what was written has been taken, if it has: in another turn, as a socket does. */
  #settle(): void {
    if (this.destroyed || this.reader?.room === false) return
    this.#waiting = 0
    if (this.#settling || (this.#callbacks.length === 0 && !this.#full)) return
    this.#settling = true
    process.nextTick(settled, this)
  }

  /** What {@link settle} has put off. */
  static settle(socket: NodeSocket): void {
    const callbacks = socket.#callbacks
    socket.#callbacks = []
    try {
      for (const callback of callbacks) callback()
    } finally {
      socket.#settling = false
      if (socket.#full) socket.#drained()
    }
  }

  #drained(): void {
    this.#full = false
    const response = this._httpMessage
    this.emit('drain')
    if (response === null || response.finished || NEED_DRAIN === undefined || !response[NEED_DRAIN]) return
    response[NEED_DRAIN] = false
    response.emit('drain')
  }

  /** After a whole response. The application may still read the request. */
  static close(socket: NodeSocket): void {
    if (socket.destroyed) return
    socket.destroyed = true
    socket.writable = false
    socket.#timer?.stop()
    // By that node:http closes the response.
    socket.emit('close', false)
  }

  #broken(error: Error | undefined): void {
    const { request } = this
    if (request?.destroyed === false) request.destroy(abortedError())
    const callbacks = this.#callbacks
    this.#callbacks = []
    for (const callback of callbacks) callback(error ?? goneError())
    if (error !== undefined && this.listenerCount('error') > 0) this.emit('error', error)
    this.emit('close', error !== undefined)
  }

  #touch(): void {
    if (!this.timeout || this.destroyed) {
      this.#timer?.stop()
      return
    }
    this.#timer ??= SYSTEM_CLOCK.timer(() => this.#expired()).unref()
    this.#timer.after(this.timeout)
  }

  /** As a server of Node's: who asked for a timeout is told, and if that is no-one, the connection ends. */
  #expired(): void {
    const { request } = this
    this.emit('timeout')
    const asked = request?.complete === false && request.emit('timeout', this)
    const answered = this._httpMessage?.emit('timeout', this)
    if (!asked && !answered) this.destroy()
  }
}

const { close, settle: settled } = NodeSocket

function goneError(): Error {
  return Object.assign(new Error('the connection is closed'), { code: 'ERR_STREAM_DESTROYED' })
}

/** What the reader of a request gets when its client is gone, as in a server of Node's. */
function abortedError(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
}
