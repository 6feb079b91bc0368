import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { concat, Scratch } from '../../wire/index.ts'
import type { WriteResult } from '../byte-stream.ts'
import { ErrnoError, probe } from '../native/libc.ts'
import { Descriptor } from './descriptor.ts'
import { type Bindings, type Request, SOCKET, type StreamHandle } from './handle.ts'
import { StreamLife } from './life.ts'

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
const READ_BUFFER = new Scratch(MEMORY.subarray(ROOM))

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
/** For small chunks that leave together. */
const GATHERED = new Scratch(8192)
/** libuv's code for the end of a stream, on every system. */
const UV_EOF = -4095
const UV_ECONNRESET = -constants.errno.ECONNRESET

/** See `StreamOptions`. */
interface RawOptions {
  readonly readsOn?: boolean
  readonly tuned?: boolean
  readonly hangsUp?: boolean
}

/** A {@link ByteStream} directly over Node's handle, without `net.Socket`: a tenth of its cost per hop. */
export class RawStream extends StreamLife {
  readonly kind = 'raw'
  readonly #bindings: Bindings
  readonly #handle: StreamHandle
  readonly #descriptor: Descriptor
  readonly #readsOn: boolean
  readonly #hangsUp: boolean
  #reading = false
  #writes = 0
  /** Writes that fail and end nothing else make this false. */
  #sends = true
  #remoteAddress: string | undefined

  /** Takes the descriptor over, also if it throws. */
  constructor(
    descriptor: Descriptor,
    unread: Uint8Array,
    bindings: Bindings,
    { readsOn = false, tuned = false, hangsUp = false }: RawOptions = {},
  ) {
    super(unread)
    this.#bindings = bindings
    this.#readsOn = readsOn
    this.#hangsUp = hangsUp
    this.#handle = handleFor(descriptor, bindings)
    this.#descriptor = Descriptor.fromHandle(this.#handle)
    if (!tuned) this.#handle.setNoDelay?.(true)
    this.#handle.useUserBuffer(READ_BUFFER.bytes)
    this.#handle.onread = () => this.#onRead(bindings.streamBaseState[bindings.kReadBytesOrError]!)
  }

  get queued(): boolean {
    return this.#writes > 0
  }

  get unsent(): number {
    return this.queued ? (this.#handle.writeQueueSize ?? 0) : 0
  }

  get remoteAddress(): string | undefined {
    if (this.#remoteAddress === undefined && this.state !== 'closed') {
      const name: { address?: string } = {}
      if (this.#handle.getpeername?.(name) === 0) this.#remoteAddress = name.address
    }
    return this.#remoteAddress
  }

  protected get fd(): number {
    return this.#descriptor.open ? this.#handle.fd : -1
  }

  protected startReading(): void {
    if (this.#reading) return
    this.#reading = true
    const status = this.#handle.readStart()
    if (status < 0) this.#fail(status, 'read')
  }

  protected stopReading(): void {
    this.#reading = false
    this.#handle.readStop()
  }

  #onRead(count: number): void {
    if (count > 0) this.onBytes(READ_BUFFER.first(count))
    else if (count === UV_EOF) {
      this.stopReading()
      if (this.#hangsUp && isClosed(this.fd)) this.#fail(UV_ECONNRESET, 'read')
      else this.onEnd()
    } else if (count < 0) this.#fail(count, 'read')
  }

  protected send(chunks: readonly Uint8Array[]): WriteResult {
    if (!this.#sends) return 'flushed'
    let rest = chunks
    if (this.#writes === 0) {
      const left = this.#sendNow(chunks)
      if (left === undefined) return 'flushed'
      rest = left
    }
    return this.#enqueue(rest)
  }

  /**
   * No object for a request, and nothing to be kept alive: the kernel copies, or says how far it came.
   * @returns what is left; undefined if it has everything
   */
  #sendNow(chunks: readonly Uint8Array[]): readonly Uint8Array[] | undefined {
    const native = probe()
    const bytes = chunks.length === 1 ? chunks[0]! : gathered(chunks)
    if (!native.available || bytes === undefined) return chunks
    const sent = native.libc.sendBytes(this.#handle.fd, bytes)
    // What is wrong is found out by writing in the ordinary way.
    if (typeof sent === 'string') return chunks
    return sent === bytes.length ? undefined : behind(chunks, sent)
  }

  #enqueue(chunks: readonly Uint8Array[]): WriteResult {
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
    const left = this.#writes === 0 && this.#sends && this.writable ? this.#sendNow(chunks) : chunks
    if (left === undefined) return 'flushed'
    return this.write(left.map(chunk => chunk.slice()))
  }

  #onWritten(status: number): void {
    this.#writes--
    if (this.state === 'closed') return
    if (status < 0) this.#fail(status, 'write')
    if (this.#writes === 0 && (status === 0 || this.#readsOn)) this.onFlushed()
  }

  protected finish(): void {
    const request: Request = new this.#bindings.ShutdownWrap()
    request.oncomplete = status => this.#onFinished(status)
    const status = this.#handle.shutdown(request)
    if (status !== 0) this.#onFinished(status)
  }

  #onFinished(status: number): void {
    if (status >= 0 || this.#readsOn) this.onFinished()
    else this.onFinished(errorOf(status, 'shutdown'))
  }

  protected finishAlone(): void {
    const handle = this.#handle
    const request = new this.#bindings.ShutdownWrap()
    request.oncomplete = () => handle.close()
    if (handle.shutdown(request) === 0) this.#descriptor.take()
  }

  protected takeOut(): Descriptor {
    return this.#descriptor
  }

  protected takeBack(): void {}

  protected close(): void {
    this.#descriptor.close()
  }

  #fail(status: number, call: string): void {
    if (this.#readsOn && call !== 'read') this.#sends = false
    else this.fail(errorOf(status, call))
  }
}

/** Whether the peer of a Unix socket has closed it, and has not only said that it sends no more. */
function isClosed(fd: number): boolean {
  const native = probe()
  try {
    return native.available && native.libc.domainOf(fd) === 'unix' && native.libc.isUnread(fd)
  } catch {
    return false
  }
}

/** Small chunks in one piece of memory, borrowed; undefined if they are not small, or none. */
function gathered(chunks: readonly Uint8Array[]): Uint8Array | undefined {
  let length = 0
  for (const chunk of chunks) length += chunk.length
  if (length === 0 || length > GATHERED.bytes.length) return undefined
  let at = 0
  for (const chunk of chunks) {
    GATHERED.bytes.set(chunk, at)
    at += chunk.length
  }
  return GATHERED.first(length)
}

/** What lies behind the first `count` bytes. */
function behind(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let skipped = 0
  let i = 0
  while (skipped + chunks[i]!.length <= count) skipped += chunks[i++]!.length
  return [chunks[i]!.subarray(count - skipped), ...chunks.slice(i + 1)]
}

function errorOf(status: number, call: string): ErrnoError {
  return new ErrnoError(call, getSystemErrorName(status))
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
