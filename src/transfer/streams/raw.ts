import { getSystemErrorName } from 'node:util'
import { concat } from '../../wire/index.ts'
import type {
  ByteStream,
  Lifted,
  StreamError,
  StreamHandlers,
  StreamState,
  WriteResult,
} from '../byte-stream.ts'
import { ErrnoError, probe } from '../native/libc.ts'
import { Descriptor } from './descriptor.ts'
import { type Bindings, type Request, SOCKET, type StreamHandle } from './handle.ts'

/** Bytes of free memory in front of what was read, see {@link prepend}. */
const ROOM = 65_536 + 16
/**
 * Bytes of the largest read: what a Unix socket can hold. With a third of it, relaying was slower by a sixth.
 */
const LARGEST_READ = 196_608
const MEMORY = new Uint8Array(ROOM + LARGEST_READ)
/**
 * The kernel fills this one buffer for every stream in turn: it is read from within the callback, or not at
 * all.
 */
const READ_BUFFER = MEMORY.subarray(ROOM)

/**
 * Both in one piece. If the second is what a raw stream has just read, it stays where it is, and the first is
 * copied in front of it: the result is valid as long as the second.
 */
export function prepend(prefix: Uint8Array, bytes: Uint8Array): Uint8Array {
  const start = bytes.byteOffset - prefix.length
  if (bytes.buffer !== MEMORY.buffer || start < 0) return concat(prefix, bytes)
  MEMORY.set(prefix, start)
  return MEMORY.subarray(start, bytes.byteOffset + bytes.length)
}
const EMPTY = new Uint8Array(0)
/** libuv's code for the end of a stream, on every system. */
const UV_EOF = -4095

/** A {@link ByteStream} directly over Node's handle, without `net.Socket`: a tenth of its cost per hop. */
export class RawStream implements ByteStream {
  readonly kind = 'raw'
  onDrain: (() => void) | undefined
  readonly #bindings: Bindings
  readonly #handle: StreamHandle
  readonly #descriptor: Descriptor
  #state: StreamState = 'open'
  #handlers: StreamHandlers | undefined
  #unread: Uint8Array
  #paused = false
  #reading = false
  #ended = false
  #finished = false
  #writes = 0
  #finishing = false
  readonly #readsOn: boolean
  #writable = true
  #failure: StreamError | undefined
  #waiting: { resolve(lifted: Lifted): void; reject(error: Error): void } | undefined
  #remoteAddress: string | undefined

  /** Takes the descriptor over, also if it throws. */
  constructor(descriptor: Descriptor, unread: Uint8Array, bindings: Bindings, readsOn = false) {
    this.#bindings = bindings
    this.#readsOn = readsOn
    this.#handle = handleFor(descriptor, bindings)
    this.#descriptor = Descriptor.fromHandle(this.#handle)
    this.#unread = unread
    this.#handle.setNoDelay?.(true)
    this.#handle.useUserBuffer(READ_BUFFER)
    this.#handle.onread = () => this.#onRead(bindings.streamBaseState[bindings.kReadBytesOrError]!)
  }

  get state(): StreamState {
    return this.#state
  }

  get queued(): boolean {
    return this.#writes > 0
  }

  get unsent(): number {
    return this.queued ? (this.#handle.writeQueueSize ?? 0) : 0
  }

  /** Nothing that was written, nor a FIN, waits for the kernel. */
  get #idle(): boolean {
    return this.#writes === 0 && !this.#finishing
  }

  get remoteAddress(): string | undefined {
    if (this.#remoteAddress === undefined && this.#state !== 'closed') {
      const name: { address?: string } = {}
      if (this.#handle.getpeername?.(name) === 0) this.#remoteAddress = name.address
    }
    return this.#remoteAddress
  }

  read(handlers: StreamHandlers): void {
    this.#handlers = handlers
    if (this.#failure !== undefined) queueMicrotask(() => this.#reportFailure())
    this.resume()
  }

  pause(): void {
    this.#paused = true
    if (this.#state === 'open') this.#stopReading()
  }

  #stopReading(): void {
    this.#reading = false
    this.#handle.readStop()
  }

  resume(): void {
    this.#paused = false
    if (this.#unread.length > 0) queueMicrotask(() => this.#handOutUnread())
    else this.#readOn()
  }

  #readOn(): void {
    if (!this.#flowing() || this.#ended || this.#reading) return
    this.#reading = true
    const status = this.#handle.readStart()
    if (status < 0) this.#fail(status, 'read')
  }

  #flowing(): boolean {
    return this.#state === 'open' && !this.#paused && this.#handlers !== undefined
  }

  #handOutUnread(): void {
    if (!this.#flowing() || this.#unread.length === 0) return
    const unread = this.#unread
    this.#unread = EMPTY
    this.#handlers?.bytes(unread)
    this.#readOn()
  }

  #onRead(count: number): void {
    if (count > 0) this.#handlers?.bytes(READ_BUFFER.subarray(0, count))
    else if (count === UV_EOF) {
      this.#ended = true
      this.#stopReading()
      this.#handlers?.end()
      this.#closeWhenDone()
    } else if (count < 0) this.#fail(count, 'read')
  }

  write(chunks: readonly Uint8Array[]): WriteResult {
    if (this.#state === 'closed') return 'flushed'
    if (this.#state !== 'open') throw new Error(`write on a stream that is ${this.#state}`)
    if (this.#finished) throw new Error('write after end')
    if (!this.#writable) return 'flushed'
    if (chunks.length === 0) return this.queued ? 'queued' : 'flushed'
    const request = new this.#bindings.WriteWrap()
    request.oncomplete = status => this.#onWritten(status)
    const status =
      chunks.length === 1
        ? this.#handle.writeBuffer(request, chunks[0]!)
        : this.#handle.writev(request, chunks, true)
    if (status < 0) this.#fail(status, 'write')
    else if (this.#bindings.streamBaseState[this.#bindings.kLastWriteWasAsync]) {
      request.chunks = chunks
      this.#writes++
    }
    return this.queued ? 'queued' : 'flushed'
  }

  forward(chunks: readonly Uint8Array[]): WriteResult {
    const native = probe()
    let [first, ...rest] = chunks
    if (
      native.available &&
      this.#writes === 0 &&
      this.#state === 'open' &&
      this.#writable &&
      !this.#finished
    ) {
      // No object for a request, and nothing to be kept alive: the kernel copies, or says how far it came.
      while (first !== undefined) {
        const sent = native.libc.sendBytes(this.#handle.fd, first)
        // What is wrong is found out by writing in the ordinary way.
        if (typeof sent === 'string') break
        if (sent < first.length) {
          first = first.subarray(sent)
          break
        }
        first = rest.shift()
      }
    }
    if (first === undefined) return this.queued ? 'queued' : 'flushed'
    return this.write([first, ...rest].map(chunk => chunk.slice()))
  }

  #onWritten(status: number): void {
    this.#writes--
    if (this.#state === 'closed') return
    if (status < 0) this.#fail(status, 'write')
    if (status === 0 || this.#readsOn) this.#afterWrite()
  }

  #afterWrite(): void {
    if (this.#writes === 0) {
      if (this.#state === 'open') this.onDrain?.()
      this.#settle()
    }
  }

  #onFinished(status: number): void {
    this.#finishing = false
    if (this.#state === 'closed') return
    if (status < 0) this.#fail(status, 'shutdown')
    else {
      this.#settle()
      this.#closeWhenDone()
    }
  }

  /** Both sides have ended and nothing waits: there is no use for the descriptor any more. */
  #closeWhenDone(): void {
    if (this.#state === 'open' && this.#ended && this.#finished && this.#idle) this.destroy()
  }

  end(): void {
    if (this.#finished || this.#state === 'closed') return
    if (this.#state !== 'open') throw new Error(`end of a stream that is ${this.#state}`)
    this.#finished = true
    const request: Request = new this.#bindings.ShutdownWrap()
    request.oncomplete = status => this.#onFinished(status)
    const status = this.#handle.shutdown(request)
    if (status === 0) this.#finishing = true
    else if (status < 0) this.#fail(status, 'shutdown')
    else this.#closeWhenDone()
  }

  destroy(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#handlers = undefined
    this.onDrain = undefined
    this.#unread = EMPTY
    this.#reject('the stream was destroyed')
    this.#descriptor.close()
  }

  shutdown(): void {
    if (this.#state === 'closed') return
    const native = probe()
    if (this.#descriptor.open) {
      if (native.available) native.libc.shutdown(this.#handle.fd)
      else if (this.#idle && !this.#finished) this.#endThenClose()
    }
    this.destroy()
  }

  #endThenClose(): void {
    const handle = this.#handle
    const request = new this.#bindings.ShutdownWrap()
    request.oncomplete = () => handle.close()
    if (handle.shutdown(request) === 0) this.#descriptor.take()
  }

  lift(): Lifted | Promise<Lifted> {
    if (this.#state !== 'open') throw new Error(`lift of a stream that is ${this.#state}`)
    this.#stopReading()
    this.#state = 'lifting'
    if (this.#idle) return this.#lifted()
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  #lifted(): Lifted {
    this.#state = 'lifted'
    return { descriptor: this.#descriptor, unread: this.#unread }
  }

  #settle(): void {
    const waiting = this.#waiting
    if (waiting === undefined || !this.#idle) return
    this.#waiting = undefined
    waiting.resolve(this.#lifted())
  }

  #reject(reason: string): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(new Error(reason))
  }

  unlift(): void {
    if (this.#state !== 'lifting' && this.#state !== 'lifted') {
      throw new Error(`unlift of a stream that is ${this.#state}`)
    }
    if (!this.#descriptor.open) throw new Error('the descriptor has left this stream')
    this.#state = 'open'
    this.#reject('the stream was taken up again')
    if (!this.#paused) this.resume()
  }

  /** Closes at once, reports later: no handler runs inside a call of its owner. */
  #fail(status: number, call: string): void {
    if (this.#state === 'closed') return
    if (this.#readsOn && call !== 'read') {
      this.#writable = false
      return
    }
    const error = new ErrnoError(call, getSystemErrorName(status))
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

function handleFor(descriptor: Descriptor, bindings: Bindings): StreamHandle {
  const native = probe()
  if (descriptor.kind === 'handle' || !native.available) {
    const { handle } = descriptor
    descriptor.take()
    return handle
  }
  let handle: StreamHandle | undefined
  try {
    const { fd } = descriptor
    const domain = native.libc.domainOf(fd)
    if (domain === 'other') throw new TypeError('neither a TCP nor a Unix socket')
    handle = domain === 'tcp' ? new bindings.TCP(SOCKET) : new bindings.Pipe(SOCKET)
    const status = handle.open(fd)
    if (status < 0) throw new ErrnoError('open', getSystemErrorName(status))
    descriptor.take()
    return handle
  } catch (error) {
    handle?.close()
    descriptor.close()
    throw error
  }
}
