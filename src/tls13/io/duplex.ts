import { Duplex } from 'node:stream'
import type { Clock } from '../../time/clock.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import { plain, takePortion } from '../../wire/index.ts'
import { errorOf } from '../../wire/thrown.ts'
import type { ClientConfig, ServerConfig, SessionEvent } from '../config.ts'
import type { Answer } from '../question.ts'
import { Session } from '../session.ts'
import { Deadlines } from './deadlines.ts'
import { withKeyLog } from './key-log-events.ts'
import { owning } from './owning.ts'
import { TlsStreamError, truncated } from './stream-error.ts'

export { type StreamErrorCode, TlsStreamError } from './stream-error.ts'

export interface TlsDuplexOptions {
  /** Whether we may go on writing when the peer has stopped (RFC 8446 §6.1); default false. */
  readonly allowHalfOpen?: boolean
  /** Milliseconds until the handshake must be over; 0: no matter how long; default 10 000. */
  readonly handshakeTimeout?: number
  /** What timers go by; default: the machine's clock. */
  readonly clock?: Clock
}

type Callback = (error?: Error | null) => void

/** Bytes sealed at once: a large write must not be in memory as plaintext and as ciphertext both. */
const WRITE_SIZE = 2 ** 16
/**
 * Records that are opened at a stretch: a peer may send thousands in one read, and others have their turns
 * meanwhile.
 */
const EVENTS = 256

/**
 * A TLS session as a Duplex of application data, over any Duplex of bytes. It owns both: no other code may
 * read, write or end the stream below. A socket below should have `allowHalfOpen: true`, or it ends our half
 * when the peer ends its own.
 *
 * Writes wait for the handshake. `end()` sends close_notify, then ends the stream below. A stream that ends
 * without close_notify is an error (`ERR_TLS_TRUNCATED`); alerts are errors, as `TlsError`. No error of the
 * stream below escapes. What a listener throws while bytes come in ends the connection by {@link
 * TlsDuplex.abort}, with that error.
 *
 * Events beside those of a Duplex: `secureConnect`; `session` (ResumptionTicket); `earlyData` (whether the
 * server took it); `clientCertificate` (DER, or undefined: the answer to {@link
 * TlsDuplex.requestCertificate}); `question` (id, Question: work for the application, which gives the answer
 * to {@link TlsDuplex.answer}); `keyUpdate` (whether the peer wants one of ours); `extendedKeyUpdate` (how
 * many that makes, when both sides have new keys); `keylog` (a line), if made
 * by {@link TlsDuplex.client} or {@link TlsDuplex.server} with `keyLog`; `timeout`.
 */
export class TlsDuplex extends Duplex {
  readonly #stream: Duplex
  readonly #session: Session
  readonly #deadlines: Deadlines
  #secure = false
  /** The peer's close_notify has come. */
  #readClosed = false
  /** Everything of ours, close_notify too, has been taken by the stream. */
  #writeFinished = false
  /** What waits: for the handshake, or for the stream to drain. */
  #waiting: (() => void) | undefined
  /** Of the write in hand. */
  #callback: Callback | undefined
  #earlyBytes = 0
  /** Something that was read waits for our next turn of the event loop. */
  #resting: NodeJS.Immediate | undefined
  /** The application has stopped reading. */
  #full = false
  /** A fatal alert of ours is on its way: the stream is not to be torn down over it. */
  #lingering = false

  /** @param session as it comes from `Session.client`, `Session.server` or `Session.restore` */
  constructor(stream: Duplex, session: Session, options: TlsDuplexOptions = {}) {
    super({ allowHalfOpen: options.allowHalfOpen ?? false })
    this.#stream = stream
    this.#session = session
    this.#secure = session.connected
    const late = () => this.destroy(new TlsStreamError('ERR_TLS_HANDSHAKE_TIMEOUT', 'no handshake in time'))
    const { clock = SYSTEM_CLOCK, handshakeTimeout } = options
    this.#deadlines = new Deadlines(clock, this.#secure ? 0 : handshakeTimeout, late)
    // These stay for ever: an error without a listener would end the process.
    stream.on('error', error => this.#guarded(() => this.#streamFailed(error)))
    stream.on('close', () => this.#guarded(() => this.#streamClosed()))
    stream.on('end', () => this.#guarded(() => this.#streamEnded()))
    stream.on('drain', () => this.#guarded(() => this.#drained()))
    stream.on('data', (chunk: Uint8Array) => this.#guarded(() => this.#receive(chunk)))
    if (stream.destroyed) process.nextTick(() => this.#streamClosed())
    this.#flush()
    // A restored session may hold bytes that were not looked at yet; listeners come after the constructor.
    if (session.buffered > 0) process.nextTick(() => this.#guarded(() => this.#receive(new Uint8Array(0))))
  }

  /**
   * A client over a stream. @param options `keyLog`: emit `keylog` events
   * @throws TypeError for a configuration that makes no sense; the stream is destroyed then
   */
  static client(
    stream: Duplex,
    config: ClientConfig,
    options: TlsDuplexOptions & { readonly keyLog?: boolean } = {},
  ): TlsDuplex {
    const make = (one: ClientConfig) => new TlsDuplex(stream, Session.client(one), options)
    return owning(stream, () => withKeyLog(config, options.keyLog, make))
  }

  /** A server over a stream. @param options `keyLog`: emit `keylog` events @throws TypeError as `client` */
  static server(
    stream: Duplex,
    config: ServerConfig,
    options: TlsDuplexOptions & { readonly keyLog?: boolean } = {},
  ): TlsDuplex {
    const make = (one: ServerConfig) => new TlsDuplex(stream, Session.server(one), options)
    return owning(stream, () => withKeyLog(config, options.keyLog, make))
  }

  /** The session: to look at, and to export keying material from. Bytes go through this object alone. */
  get session(): Session {
    return this.#session
  }

  /** The stream below: for addresses and socket options. */
  get stream(): Duplex {
    return this.#stream
  }

  /** Always true, as in `tls.TLSSocket`. */
  get encrypted(): true {
    return true
  }

  get alpnProtocol(): string | undefined {
    return this.#session.alpn
  }

  get servername(): string | undefined {
    return this.#session.serverName
  }

  /** The cipher suite's RFC name, once it is chosen. */
  get cipher(): string | undefined {
    return this.#session.cipherSuite
  }

  /** The peer's end-entity certificate, DER, once it has proved that it holds the key. */
  get peerCertificate(): Uint8Array | undefined {
    return this.#session.peerCertificate
  }

  /**
   * Server: how many bytes, in front of all others, came as early data. A function that reads them before
   * `secureConnect` reads what may be a replay (RFC 8446 §8).
   */
  get earlyBytes(): number {
    return this.#earlyBytes
  }

  /**
   * Client: sends early data (RFC 8446 §4.2.10) at once, if `earlyData` is configured and the ticket
   * allows it. The event `earlyData` tells whether the server has taken it; what it has not taken is lost.
   * @returns bytes that went out
   */
  sendEarly(data: Uint8Array): number {
    const sent = this.#session.sendEarly(plain(data))
    this.#flush()
    return sent
  }

  /** The answer to a `question` event. @throws TypeError for an answer to another kind of question */
  answer(id: number, answer: Answer): void {
    if (this.destroyed) return
    this.#session.answer(id, answer)
    this.#stream.resume()
    this.#receive(new Uint8Array(0))
  }

  /**
   * Server: asks the client for a certificate now (RFC 8446 §4.6.2); `clientCertificate` tells what
   * it shows.
   * @throws Error if the client cannot be asked
   */
  requestCertificate(): void {
    this.#session.requestCertificate()
    this.#flush()
  }

  /**
   * Changes our write key, as `Session.updateKeys`. @throws Error before the handshake is over or after the
   * end
   */
  updateKeys(requestPeer: boolean): void {
    this.#session.updateKeys(requestPeer)
    this.#flush()
  }

  /**
   * Emits `timeout` after `milliseconds` in which nothing came and nothing was written; 0: never. The
   * connection goes on.
   * @param listener for the next `timeout`
   */
  setTimeout(milliseconds: number, listener?: () => void): this {
    if (listener !== undefined) {
      if (milliseconds === 0) this.removeListener('timeout', listener)
      else this.once('timeout', listener)
    }
    const late = () => this.#guarded(() => void this.emit('timeout'))
    this.#deadlines.idle(this.destroyed ? 0 : milliseconds, late)
    return this
  }

  override _read(): void {
    this.#full = false
    this.#readOn()
  }

  #readOn(): void {
    if (this.#stream.destroyed || this.#session.waiting || this.#full || this.#resting !== undefined) return
    this.#stream.resume()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: Callback): void {
    this.#begin(callback, () => this.#send([plain(chunk)]))
  }

  /** Small writes that have gathered share records. */
  override _writev(chunks: { chunk: Uint8Array }[], callback: Callback): void {
    this.#begin(callback, () => this.#send(chunks.map(one => plain(one.chunk))))
  }

  override _final(callback: Callback): void {
    this.#begin(callback, () => {
      this.#session.close()
      this.#flush()
      // Nothing may follow close_notify, so this half of the stream is over too.
      this.#stream.end(() => {
        // Called for a failure too, of which 'close' tells.
        if (!this.#stream.writableFinished) return
        this.#writeFinished = true
        this.#complete()
      })
    })
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#deadlines.stop()
    clearImmediate(this.#resting)
    this.#waiting = undefined
    this.#complete(error ?? new TlsStreamError('ERR_TLS_STREAM_CLOSED', 'destroyed in the middle of a write'))
    if (this.#lingering) this.#deadlines.linger(this.#stream)
    else this.#stream.destroy()
    callback(error)
  }

  /**
   * Ends the connection with the fatal alert `internal_error` (RFC 8446 §6.2). @param error for
   * listeners of `error`
   */
  abort(error?: Error): void {
    if (this.destroyed) return
    try {
      this.#session.abort('internal_error')
      this.#lingering = true
      this.#flush()
    } catch {
      // Then without a word.
    }
    this.destroy(error)
  }

  /**
   * What the stream below calls, and whatever is called from there: what is thrown ends this connection, and
   * not the process.
   */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.abort(errorOf(error))
    }
  }

  #begin(callback: Callback, work: () => void): void {
    this.#callback = callback
    if (this.#secure) this.#attempt(work)
    else this.#waiting = work
  }

  #complete(error?: Error): void {
    const callback = this.#callback
    this.#callback = undefined
    callback?.(error)
  }

  #attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#complete(error as Error)
    }
  }

  #send(pieces: Uint8Array[]): void {
    while (pieces.length > 0) {
      const portion = takePortion(pieces, WRITE_SIZE)
      if (portion.length > 0) this.#session.send(portion)
      this.#flush()
      if (this.#stream.writableNeedDrain) {
        this.#waiting = () => this.#send(pieces)
        return
      }
    }
    this.#complete()
  }

  #flush(): void {
    const output = this.#session.takeOutput()
    if (output.length === 0 || this.#stream.destroyed || this.#stream.writableEnded) return
    this.#deadlines.touch()
    this.#stream.cork()
    for (const bytes of output) this.#stream.write(bytes)
    this.#stream.uncork()
  }

  #drained(): void {
    if (this.destroyed) return
    this.#flush()
    if (!this.#secure || this.#stream.writableNeedDrain) return
    this.#proceed()
  }

  #proceed(): void {
    const work = this.#waiting
    this.#waiting = undefined
    if (work !== undefined) this.#attempt(work)
  }

  #receive(chunk: Uint8Array): void {
    if (this.destroyed || this.#readClosed) return
    this.#deadlines.touch()
    this.#session.feed(plain(chunk))
    // A listener may write, and a stream may answer at once: then the inner call takes the events that are
    // left.
    for (let events = 0; !this.destroyed && this.#resting === undefined; events++) {
      if (events === EVENTS) this.#rest()
      else {
        const event = this.#session.next()
        if (event === undefined) break
        this.#handle(event)
      }
    }
    if (!this.destroyed && this.#resting !== undefined) this.#session.settle()
    // A peer that asks for KeyUpdates and takes none gets one when it has taken what is there: memory stays
    // bounded.
    if (!this.destroyed && !(this.#secure && this.#stream.writableNeedDrain)) this.#flush()
  }

  #rest(): void {
    this.#stream.pause()
    this.#resting = setImmediate(() => this.#guarded(() => this.#goOn()))
  }

  #goOn(): void {
    this.#resting = undefined
    this.#receive(new Uint8Array(0))
    if (this.destroyed || this.#resting !== undefined) return
    if (this.#stream.readableEnded) this.#streamEnded()
    if (this.#stream.destroyed) this.#streamClosed()
    else this.#readOn()
  }

  #handle(event: SessionEvent): void {
    switch (event.type) {
      case 'handshake_complete':
        this.#secure = true
        this.#deadlines.connected()
        this.emit('secureConnect')
        if (!this.destroyed) this.#proceed()
        return
      case 'application_data':
        if (event.early) this.#earlyBytes += event.data.length
        // The application may not read before the handshake is over, which must come through; early data is
        // bounded.
        if (!this.push(event.data) && this.#secure) {
          this.#full = true
          this.#stream.pause()
        }
        return
      case 'early_data':
        this.emit('earlyData', event.accepted)
        return
      case 'client_authenticated':
        this.emit('clientCertificate', event.certificate)
        return
      case 'question':
        // What comes meanwhile waits below.
        this.#stream.pause()
        this.emit('question', event.id, event.question)
        return
      case 'key_update':
        this.emit('keyUpdate', event.updateRequested)
        return
      case 'extended_key_update':
        this.emit('extendedKeyUpdate', event.generation)
        return
      case 'new_session_ticket':
        this.emit('session', event.ticket)
        return
      case 'close_notify':
        this.#readClosed = true
        if (!this.#secure) {
          this.destroy(new TlsStreamError('ERR_TLS_TRUNCATED', 'the peer closed during the handshake'))
          return
        }
        this.push(null)
        // The end of the stream below is still to be seen.
        this.#stream.resume()
        return
      case 'alert':
        if (event.from === 'local') {
          this.#lingering = true
          this.#flush()
        }
        this.destroy(event.error)
    }
  }

  #streamFailed(error: Error): void {
    // Both have said their last word; how the stream ends is no matter then.
    if (!(this.#readClosed && this.#writeFinished)) this.destroy(error)
  }

  #streamEnded(): void {
    if (!this.#readClosed && this.#resting === undefined) this.destroy(truncated(this.#secure))
  }

  #streamClosed(): void {
    // What has come before is looked at first.
    if (this.#resting !== undefined) return
    if (!this.#readClosed) this.destroy(truncated(this.#secure))
    else if (!this.#writeFinished) {
      this.destroy(
        new TlsStreamError('ERR_TLS_STREAM_CLOSED', 'the stream was closed before everything was written'),
      )
    }
  }
}
