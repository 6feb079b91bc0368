import { Socket, type SocketConstructorOpts } from 'node:net'
import type { StreamError, WriteResult } from '../byte-stream.ts'
import { handleOf, takeHandle } from '../lift.ts'
import { ErrnoError } from '../native/libc.ts'
import { Descriptor } from './descriptor.ts'
import type { StreamHandle } from './handle.ts'
import { StreamLife } from './life.ts'

/** As for raw streams: one buffer for all, read from within the callback. */
const READ_BUFFER = new Uint8Array(65_536)

/** A {@link ByteStream} over `net.Socket`: slower, and it needs less of Node's inside (see `lift.ts`). */
export class SocketStream extends StreamLife {
  readonly kind = 'socket'
  #socket: Socket
  #behind = false

  /** Takes the descriptor over, also if it throws. */
  constructor(descriptor: Descriptor, unread: Uint8Array) {
    super(unread)
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
    // Node tells the end a tick after it has read it: the socket may be another one by then.
    socket.on('end', () => socket === this.#socket && this.onEnd())
    // Node closes a socket whose two sides have ended.
    socket.on('close', () => socket === this.#socket && this.state !== 'lifted' && this.destroy())
    socket.on('error', error => socket === this.#socket && this.fail(errorOf(error as StreamError)))
    return socket
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

  protected get fd(): number {
    return handleOf(this.#socket)?.fd ?? -1
  }

  protected startReading(): void {
    this.#socket.resume()
  }

  protected stopReading(): void {
    this.#socket.pause()
  }

  /** A socket that is paused within the tick of its `resume()` reads on once: that is kept for later. */
  #onRead(count: number): boolean {
    this.onBytes(READ_BUFFER.subarray(0, count))
    return this.flowing
  }

  protected send(chunks: readonly Uint8Array[]): WriteResult {
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
    if (socket !== this.#socket || this.state === 'closed') return
    if (!this.#behind || socket.writableLength > 0) return
    this.#behind = false
    this.onFlushed()
  }

  forward(chunks: readonly Uint8Array[]): WriteResult {
    return this.write(chunks.map(chunk => chunk.slice()))
  }

  protected finish(): void {
    const socket = this.#socket
    socket.end((error?: Error | null) => {
      // The socket's own 'error' tells what is wrong.
      if (!error && socket === this.#socket) this.onFinished()
    })
  }

  protected finishAlone(): void {
    const socket = this.#socket
    socket.end(() => socket.destroy())
    this.#socket = new Socket()
  }

  protected takeOut(): Descriptor {
    return Descriptor.fromHandle(takeHandle(this.#socket).handle)
  }

  protected takeBack(descriptor: Descriptor): void {
    this.#socket = this.#wrap(descriptor)
  }

  protected close(): void {
    this.#socket.destroy()
  }
}

function errorOf(error: StreamError): ErrnoError {
  return new ErrnoError((error as { syscall?: string }).syscall ?? 'stream', error.code ?? 'UNKNOWN')
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
