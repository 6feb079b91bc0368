import type { Duplex } from 'node:stream'

/**
 * What carries the bytes of a connection, no matter over what: as much of a stream as serving it takes. The
 * streams of `transfer` are transports as they are; {@link overDuplex} makes one of any `Duplex`.
 */
export interface Transport {
  /** Whether something that was written still waits for the peer. */
  readonly queued: boolean
  /** Bytes that wait, as far as that is known. */
  readonly unsent: number
  /** Called when that has left. */
  onDrain: (() => void) | undefined
  /** Begins, or goes on with other handlers; an owner that hands it on pauses it before. */
  read(handlers: TransportHandlers): void
  /** No `bytes` and no `end` until {@link resume}. */
  pause(): void
  resume(): void
  /** `'queued'`: some of it waits, and all of it must stay as it is until {@link onDrain}. */
  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued'
  /** Says that nothing more follows. Reading goes on. */
  end(): void
  /** Closes both ways, at once; no handler is called any more. */
  destroy(): void
  /**
   * The same after a fatal alert, where there is TLS: the peer learns that something is missing, and that
   * no attacker has cut it off.
   */
  abort?(): void
}

export interface TransportHandlers {
  /** Bytes from the peer, valid until the handler returns. */
  bytes(view: Uint8Array): void
  /** The peer sends no more. */
  end(): void
  /** The stream is gone, by a fault or without an end. The last call. */
  error(error: Error): void
}

/**
 * A transport over a Duplex: a socket, a TLS socket of any kind, a pipe of a test. No other code may use the
 * stream. A socket should have `allowHalfOpen: true`, or it ends our half when the peer ends its own.
 */
export function overDuplex(stream: Duplex): Transport {
  return new DuplexTransport(stream)
}

/** The Duplex that a transport is and nothing else; undefined: there is more to it. */
export function duplexOf(transport: Transport): Duplex | undefined {
  return transport instanceof DuplexTransport ? transport.duplex : undefined
}

/** What TLS streams of ours know besides. */
interface TlsStream {
  abort(): void
}

/**
 * Bytes that a stream is given at a time. It counts a write as waiting until the last byte has left, so that
 * no more would tell how far a peer has come that reads slowly.
 */
const PORTION = 262_144

class DuplexTransport implements Transport {
  onDrain: (() => void) | undefined
  readonly #stream: Duplex
  /** What the stream has not been given yet, in portions. */
  #left: Uint8Array[] = []
  /** Nothing more is written. */
  #finished = false
  #handlers: TransportHandlers | undefined
  #ended = false
  #reading = false

  constructor(stream: Duplex) {
    this.#stream = stream
    // These stay for ever: an error without a listener would end the process.
    stream.on('error', error => this.#gone(error))
    stream.on('close', () => this.#gone(new Error('the stream was closed')))
    stream.on('drain', () => this.#pour() || this.onDrain?.())
  }

  get duplex(): Duplex {
    return this.#stream
  }

  get queued(): boolean {
    return this.#left.length > 0 || this.#stream.writableNeedDrain
  }

  get unsent(): number {
    return this.#stream.writableLength + sizeOf(this.#left)
  }

  read(handlers: TransportHandlers): void {
    const readBefore = this.#reading
    this.#reading = true
    this.#handlers = handlers
    const stream = this.#stream
    if (stream.destroyed) {
      queueMicrotask(() => this.#gone(new Error('the stream was closed')))
      return
    }
    if (readBefore) return
    stream.on('end', () => {
      this.#ended = true
      this.#handlers?.end()
    })
    stream.on('data', (chunk: Uint8Array) =>
      // As no Buffer, whose slice() shares memory.
      this.#handlers?.bytes(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)),
    )
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    const stream = this.#stream
    if (stream.destroyed || stream.writableEnded || this.#finished) return 'flushed'
    if (this.#left.length > 0 || sizeOf(chunks) > PORTION) {
      for (const chunk of chunks) this.#left.push(...portions(chunk))
      return this.#pour() ? 'queued' : 'flushed'
    }
    if (chunks.length > 1) stream.cork()
    for (const chunk of chunks) stream.write(chunk)
    if (chunks.length > 1) stream.uncork()
    return stream.writableNeedDrain ? 'queued' : 'flushed'
  }

  end(): void {
    this.#finished = true
    if (this.#left.length === 0) this.#stream.end()
  }

  destroy(): void {
    this.#handlers = undefined
    this.onDrain = undefined
    this.#left = []
    this.#stream.destroy()
  }

  abort(): void {
    this.#handlers = undefined
    this.onDrain = undefined
    this.#left = []
    const { abort } = this.#stream as Partial<TlsStream>
    if (abort === undefined) this.#stream.destroy()
    else abort.call(this.#stream)
  }

  /** Gives the stream of what is left as much as it takes. @returns whether something waits still */
  #pour(): boolean {
    const stream = this.#stream
    if (this.#left.length === 0) return stream.writableNeedDrain
    while (this.#left.length > 0 && !stream.writableNeedDrain) stream.write(this.#left.shift())
    if (this.#finished && this.#left.length === 0) stream.end()
    return this.#left.length > 0 || stream.writableNeedDrain
  }

  #gone(error: Error): void {
    this.#left = []
    const handlers = this.#handlers
    if (handlers === undefined) return
    this.#handlers = undefined
    // A stream that closes when both sides have ended is gone, too, but nothing is missing.
    handlers.error(this.#ended && this.#stream.writableFinished ? new Error('the stream has ended') : error)
  }
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  let size = 0
  for (const { length } of chunks) size += length
  return size
}

function* portions(chunk: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < chunk.length; at += PORTION) yield chunk.subarray(at, at + PORTION)
}
