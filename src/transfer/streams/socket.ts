import { Socket, type SocketConstructorOpts } from 'node:net'
import { concat } from '../../wire/index.ts'
import type {
  ByteStream,
  Lifted,
  StreamError,
  StreamHandlers,
  StreamState,
  WriteResult,
} from '../byte-stream.ts'
import { handleOf, takeHandle } from '../lift.ts'
import { ErrnoError, probe } from '../native/libc.ts'
import { Descriptor } from './descriptor.ts'
import type { StreamHandle } from './handle.ts'

/** As for raw streams: one buffer for all, read from within the callback. */
const READ_BUFFER = new Uint8Array(65_536)
const EMPTY = new Uint8Array(0)

/** A {@link ByteStream} over `net.Socket`: slower, and it needs less of Node's inside (see `lift.ts`). */
export class SocketStream implements ByteStream {
  readonly kind = 'socket'
  onDrain: (() => void) | undefined
  #socket: Socket
  #state: StreamState = 'open'
  #handlers: StreamHandlers | undefined
  #unread: Uint8Array
  #paused = false
  #endRead = false
  #ended = false
  #finished = false
  #finishing = false
  #behind = false
  #failure: StreamError | undefined
  #lifted: Descriptor | undefined
  #waiting: { resolve(lifted: Lifted): void; reject(error: Error): void } | undefined

  /** Takes the descriptor over, also if it throws. */
  constructor(descriptor: Descriptor, unread: Uint8Array) {
    this.#unread = unread
    this.#socket = this.#wrap(descriptor)
  }

  /** A socket with a buffer of ours (`onread`) stops reading at once when it is paused, unlike others. */
  #wrap(descriptor: Descriptor): Socket {
    const owned = descriptor.take()
    const options: Options = {
      ...(owned.kind === 'fd' ? { fd: owned.fd } : { handle: owned.handle }),
      allowHalfOpen: true,
      pauseOnCreate: true,
      onread: { buffer: READ_BUFFER, callback: count => this.#onRead(count) },
    }
    const socket = construct(options, owned)
    socket.setNoDelay(true)
    socket.on('end', () => this.#onEnd(socket))
    // Node closes a socket whose two sides have ended.
    socket.on('close', () => socket === this.#socket && this.#state !== 'lifted' && this.destroy())
    socket.on('error', error => this.#fail(socket, error as StreamError))
    return socket
  }

  get state(): StreamState {
    return this.#state
  }

  get queued(): boolean {
    return this.#behind
  }

  get unsent(): number {
    return this.#behind ? (handleOf(this.#socket)?.writeQueueSize ?? 0) : 0
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  read(handlers: StreamHandlers): void {
    this.#handlers = handlers
    if (this.#failure !== undefined) queueMicrotask(() => this.#reportFailure())
    this.resume()
  }

  pause(): void {
    this.#paused = true
    if (this.#state === 'open') this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#unread.length > 0) queueMicrotask(() => this.#handOutUnread())
    else this.#readOn()
    if (this.#endRead) queueMicrotask(() => this.#tellEnd())
  }

  #flowing(): boolean {
    return this.#state === 'open' && !this.#paused && this.#handlers !== undefined
  }

  #readOn(): void {
    if (this.#flowing() && !this.#ended) this.#socket.resume()
  }

  #handOutUnread(): void {
    if (!this.#flowing() || this.#unread.length === 0) return
    const unread = this.#unread
    this.#unread = EMPTY
    this.#handlers?.bytes(unread)
    this.#readOn()
    this.#tellEnd()
  }

  /** A socket that is paused within the tick of its `resume()` reads on once: that is kept for later. */
  #onRead(count: number): boolean {
    const view = READ_BUFFER.subarray(0, count)
    if (this.#flowing() && this.#unread.length === 0) this.#handlers?.bytes(view)
    else if (this.#state !== 'closed') this.#unread = concat(this.#unread, view)
    return this.#flowing()
  }

  #onEnd(socket: Socket): void {
    if (socket !== this.#socket) return
    this.#endRead = true
    this.#tellEnd()
  }

  /** Node tells the end a tick after it has read it: the stream may have been paused or lifted in between. */
  #tellEnd(): void {
    if (!this.#flowing() || !this.#endRead || this.#ended || this.#unread.length > 0) return
    this.#ended = true
    this.#handlers?.end()
  }

  write(chunks: readonly Uint8Array[]): WriteResult {
    if (this.#state === 'closed') return 'flushed'
    if (this.#state !== 'open') throw new Error(`write on a stream that is ${this.#state}`)
    if (this.#finished) throw new Error('write after end')
    const socket = this.#socket
    const last = chunks.length - 1
    if (last > 0) socket.cork()
    chunks.forEach((chunk, i) => {
      if (i < last) socket.write(chunk)
      else socket.write(chunk, () => this.#onWritten(socket))
    })
    if (last > 0) socket.uncork()
    this.#behind = socket.writableLength > 0
    return this.#behind ? 'queued' : 'flushed'
  }

  #onWritten(socket: Socket): void {
    if (socket !== this.#socket || this.#state === 'closed') return
    if (!this.#behind || socket.writableLength > 0) return
    this.#behind = false
    if (this.#waiting !== undefined) this.#settle()
    else this.onDrain?.()
  }

  forward(chunks: readonly Uint8Array[]): WriteResult {
    return this.write(chunks.map(chunk => chunk.slice()))
  }

  end(): void {
    if (this.#finished || this.#state === 'closed') return
    if (this.#state !== 'open') throw new Error(`end of a stream that is ${this.#state}`)
    this.#finished = true
    this.#finishing = true
    const socket = this.#socket
    socket.end((error?: Error | null) => {
      if (error || socket !== this.#socket || this.#state === 'closed') return
      this.#finishing = false
      this.#settle()
    })
  }

  destroy(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#handlers = undefined
    this.onDrain = undefined
    this.#unread = EMPTY
    this.#reject('the stream was destroyed')
    this.#lifted?.close()
    this.#socket.destroy()
  }

  shutdown(): void {
    if (this.#state === 'closed') return
    const native = probe()
    const fd = this.#lifted?.open ? this.#lifted.fd : (handleOf(this.#socket)?.fd ?? -1)
    const socket = this.#socket
    if (fd >= 0 && native.available) native.libc.shutdown(fd)
    else if (this.#state === 'open' && !this.#behind && !this.#finished) {
      socket.end(() => socket.destroy())
      this.#socket = new Socket()
    }
    this.destroy()
  }

  lift(): Lifted | Promise<Lifted> {
    if (this.#state !== 'open') throw new Error(`lift of a stream that is ${this.#state}`)
    this.#socket.pause()
    this.#state = 'lifting'
    if (!this.#behind && !this.#finishing) return this.#take()
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  #take(): Lifted {
    const { handle } = takeHandle(this.#socket)
    this.#lifted = Descriptor.fromHandle(handle)
    this.#state = 'lifted'
    // An end that was read but not told is read again, here or by the next owner.
    this.#endRead = false
    return { descriptor: this.#lifted, unread: this.#unread }
  }

  #settle(): void {
    const waiting = this.#waiting
    if (waiting === undefined || this.#behind || this.#finishing) return
    this.#waiting = undefined
    waiting.resolve(this.#take())
  }

  #reject(reason: string): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(new Error(reason))
  }

  unlift(): void {
    if (this.#state === 'lifted') {
      if (!this.#lifted?.open) throw new Error('the descriptor has left this stream')
      this.#socket = this.#wrap(this.#lifted)
      this.#lifted = undefined
    } else if (this.#state !== 'lifting') throw new Error(`unlift of a stream that is ${this.#state}`)
    this.#state = 'open'
    this.#reject('the stream was taken up again')
    if (!this.#paused) this.resume()
  }

  #fail(socket: Socket, error: StreamError): void {
    if (socket !== this.#socket || this.#state === 'closed') return
    const failure = new ErrnoError(
      (error as { syscall?: string }).syscall ?? 'stream',
      error.code ?? 'UNKNOWN',
    )
    const waiting = this.#waiting
    this.#waiting = undefined
    const handlers = this.#handlers
    this.destroy()
    if (waiting !== undefined) {
      waiting.reject(failure)
      return
    }
    this.#failure = failure
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

/** The options of `net.Socket` that are used here; `handle` and `pauseOnCreate` are not documented. */
interface Options extends SocketConstructorOpts {
  handle?: StreamHandle
  pauseOnCreate: boolean
  onread: { buffer: Uint8Array; callback(count: number): boolean }
}

function construct(
  options: Options,
  owned: { kind: 'fd'; fd: number } | { kind: 'handle'; handle: StreamHandle },
): Socket {
  try {
    const socket = new Socket(options)
    if (owned.kind === 'handle' && handleOf(socket) !== owned.handle)
      throw new Error('net.Socket takes no handle')
    return socket
  } catch (error) {
    if (owned.kind === 'fd') Descriptor.fromFd(owned.fd).close()
    else owned.handle.close()
    throw error
  }
}
