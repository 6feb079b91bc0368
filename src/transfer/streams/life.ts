import { concat } from '../../wire/index.ts'
import type {
  ByteStream,
  Lifted,
  StreamError,
  StreamHandlers,
  StreamKind,
  StreamState,
  WriteResult,
} from '../byte-stream.ts'
import { probe } from '../native/libc.ts'
import { isDeaf } from '../tcp/hearing.ts'
import type { Descriptor } from './descriptor.ts'

const EMPTY = new Uint8Array(0)

/**
 * The life of a {@link ByteStream}: its states, what is read and not handed out yet, what waits, and its one
 * error. What stands below it, a handle of Node's or a `net.Socket`, reads and writes.
 */
export abstract class StreamLife implements ByteStream {
  abstract readonly kind: StreamKind
  abstract readonly remoteAddress: string | undefined
  abstract readonly queued: boolean
  abstract readonly unsent: number
  onDrain: (() => void) | undefined
  #state: StreamState = 'open'
  #handlers: StreamHandlers | undefined
  #unread: Uint8Array
  #paused = false
  /** The peer's FIN has been read; it has been told, too. */
  #endRead = false
  #ended = false
  /** FIN was asked for; it has not left yet. */
  #finished = false
  #finishing = false
  #failure: StreamError | undefined
  #lifted: Descriptor | undefined
  #waiting: { resolve(lifted: Lifted): void; reject(error: Error): void } | undefined

  constructor(unread: Uint8Array) {
    this.#unread = unread
  }

  /** The descriptor's number; -1 once this stream has none. */
  protected abstract readonly fd: number
  /** Reads from now on; it may read already. */
  protected abstract startReading(): void
  /** No byte is read from now on. */
  protected abstract stopReading(): void
  /** As {@link write}, on an open stream. */
  protected abstract send(chunks: readonly Uint8Array[]): WriteResult
  /** Sends FIN after what was written, and calls {@link onFinished}. */
  protected abstract finish(): void
  /** As {@link finish}, then closes: by the descriptor alone, which this stream has no more to do with. */
  protected abstract finishAlone(): void
  /** Gives the descriptor away; it is stopped and nothing waits. */
  protected abstract takeOut(): Descriptor
  /** Takes up again what {@link takeOut} gave. */
  protected abstract takeBack(descriptor: Descriptor): void
  protected abstract close(): void

  abstract forward(chunks: readonly Uint8Array[]): WriteResult

  get state(): StreamState {
    return this.#state
  }

  read(handlers: StreamHandlers): void {
    this.#handlers = handlers
    if (this.#failure !== undefined) queueMicrotask(() => this.#reportFailure())
    // A new owner's: an end that the last one was told of is read again, because the kernel repeats it.
    if (this.#state === 'lifted') this.#endRead = this.#ended = false
    this.resume()
  }

  pause(): void {
    this.#paused = true
    if (this.#state === 'open') this.stopReading()
  }

  resume(): void {
    this.#paused = false
    if (this.#unread.length > 0) queueMicrotask(() => this.#handOutUnread())
    else this.#readOn()
    if (this.#endRead && !this.#ended) queueMicrotask(() => this.#tellEnd())
  }

  /** Whether what is read is handed out. */
  protected get flowing(): boolean {
    return this.#state === 'open' && !this.#paused && this.#handlers !== undefined
  }

  #readOn(): void {
    if (this.flowing && !this.#ended) this.startReading()
  }

  #handOutUnread(): void {
    if (!this.flowing || this.#unread.length === 0) return
    const unread = this.#unread
    this.#unread = EMPTY
    this.#handlers?.bytes(unread)
    this.#readOn()
    this.#tellEnd()
  }

  /** Bytes have been read, as a view. */
  protected onBytes(view: Uint8Array): void {
    if (this.flowing && this.#unread.length === 0) this.#handlers?.bytes(view)
    else if (this.#state !== 'closed') this.#unread = concat(this.#unread, view)
  }

  /** The peer's FIN has been read. */
  protected onEnd(): void {
    this.#endRead = true
    this.#tellEnd()
  }

  /** The end may be read while the stream is paused or lifted, or while bytes before it wait. */
  #tellEnd(): void {
    if (!this.flowing || !this.#endRead || this.#ended || this.#unread.length > 0) return
    this.#ended = true
    this.#handlers?.end()
    this.#closeWhenDone()
  }

  write(chunks: readonly Uint8Array[]): WriteResult {
    if (this.#state === 'closed') return 'flushed'
    if (this.#state !== 'open') throw new Error(`write on a stream that is ${this.#state}`)
    if (this.#finished) throw new Error('write after end')
    return this.send(chunks)
  }

  /** Whether {@link write} would write. */
  protected get writable(): boolean {
    return this.#state === 'open' && !this.#finished
  }

  /** The kernel has taken everything that was queued. */
  protected onFlushed(): void {
    if (this.#state === 'open') this.onDrain?.()
    this.#settle()
  }

  end(): void {
    if (this.#finished || this.#state === 'closed') return
    if (this.#state !== 'open') throw new Error(`end of a stream that is ${this.#state}`)
    this.#finished = true
    this.#finishing = true
    this.finish()
  }

  /** FIN has left, or could not. */
  protected onFinished(failure?: StreamError): void {
    this.#finishing = false
    if (this.#state === 'closed') return
    if (failure !== undefined) {
      this.fail(failure)
      return
    }
    this.#settle()
    this.#closeWhenDone()
  }

  /** Nothing that was written, nor a FIN, waits for the kernel. */
  #idle(): boolean {
    return !this.queued && !this.#finishing
  }

  /** Both sides have ended and nothing waits: there is no use for the descriptor any more. */
  #closeWhenDone(): void {
    if (this.#state === 'open' && this.#ended && this.#finished && this.#idle()) this.destroy()
  }

  destroy(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#handlers = undefined
    this.onDrain = undefined
    this.#unread = EMPTY
    this.#reject('the stream was destroyed')
    this.#lifted?.close()
    this.close()
  }

  shutdown(): void {
    if (this.#state === 'closed') return
    const native = probe()
    const lifted = this.#lifted?.open ? this.#lifted : undefined
    const fd = lifted?.fd ?? this.fd
    if (fd >= 0 && native.available) {
      // One that a move has taken to another kernel goes on there: a FIN of this one would end it.
      if (lifted === undefined || !isDeaf(fd)) native.libc.shutdown(fd)
    } else if (this.fd >= 0 && this.#idle() && !this.#finished) this.finishAlone()
    this.destroy()
  }

  lift(): Lifted | Promise<Lifted> {
    if (this.#state !== 'open') throw new Error(`lift of a stream that is ${this.#state}`)
    this.stopReading()
    this.#state = 'lifting'
    if (this.#idle()) return this.#takeOut()
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  #takeOut(): Lifted {
    this.#lifted = this.takeOut()
    this.#state = 'lifted'
    // An end that was read and not told is read again, here or by the next owner.
    this.#endRead = this.#ended
    return { descriptor: this.#lifted, unread: this.#unread }
  }

  #settle(): void {
    const waiting = this.#waiting
    if (waiting === undefined || !this.#idle()) return
    this.#waiting = undefined
    waiting.resolve(this.#takeOut())
  }

  #reject(reason: string): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(new Error(reason))
  }

  unlift(unread: 'again' | 'taken' = 'again'): void {
    if (this.#state !== 'lifting' && this.#state !== 'lifted')
      throw new Error(`unlift of a stream that is ${this.#state}`)
    const lifted = this.#lifted
    if (lifted !== undefined) {
      if (!lifted.open) throw new Error('the descriptor has left this stream')
      this.takeBack(lifted)
      this.#lifted = undefined
      if (unread === 'taken') this.#unread = EMPTY
    }
    this.#state = 'open'
    this.#reject('the stream was taken up again')
    if (!this.#paused) this.resume()
  }

  /** The connection broke. Closes at once, reports later: no handler runs inside a call of its owner. */
  protected fail(error: StreamError): void {
    if (this.#state === 'closed') return
    const waiting = this.#waiting
    this.#waiting = undefined
    const handlers = this.#handlers
    this.destroy()
    if (waiting !== undefined) {
      waiting.reject(error)
      return
    }
    this.#failure = error
    this.#handlers = handlers
    queueMicrotask(() => this.#reportFailure())
  }

  #reportFailure(): void {
    const handlers = this.#handlers
    const failure = this.#failure
    if (handlers === undefined || failure === undefined) return
    this.#handlers = undefined
    this.#failure = undefined
    handlers.error(failure)
  }
}
