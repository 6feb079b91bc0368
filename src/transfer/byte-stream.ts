import type { Descriptor } from './streams/descriptor.ts'

/** Milliseconds that a client has to close when it has taken everything. */
export const CLOSE_TIME = 2000

/**
 * The one view of a client's bytes that containers and the gateway use: a connected TCP or Unix stream that
 * can be taken out of this process without losing a byte. A stream never throws because of what its peer
 * does: resets at any moment are reported through the handlers.
 *
 * `open → (lifting →) lifted → open | closed`. It closes itself after an error, and when both sides have
 * ended and all is sent.
 */
export interface ByteStream {
  readonly kind: StreamKind
  readonly state: StreamState
  /** The peer's IP address; `undefined` on Unix sockets and when the peer has gone. */
  readonly remoteAddress: string | undefined
  /** Whether something that was written still waits for the kernel. */
  readonly queued: boolean
  /** How many bytes of it wait; grows smaller as the peer takes them. */
  readonly unsent: number
  /** Called when everything that was {@link write | written} has left for the kernel after a `'queued'`. */
  onDrain: (() => void) | undefined

  /**
   * Starts reading; a second call replaces the handlers. An error that came before is reported soon after.
   * While it is lifted, the handlers are those of a new owner, who is told of the peer's FIN, too.
   */
  read(handlers: StreamHandlers): void
  /** Stops reading at once: no `bytes` and no `end` until {@link resume}. */
  pause(): void
  /** Reads on after {@link pause}. */
  resume(): void

  /**
   * Writes the chunks in order. `'flushed'`: the kernel has them all and the memory is the caller's again.
   * `'queued'`: some wait, and the chunks must stay as they are until {@link onDrain}. After an error or a
   * close it does nothing and says `'flushed'`. An `Error` after {@link end} and during and after {@link
   * lift}: that is a bug here, not the peer's doing.
   */
  write(chunks: readonly Uint8Array[]): WriteResult
  /**
   * As {@link write}, for bytes that are the caller's again at once: what the kernel does not take now is
   * copied. For what was read from another stream and goes out as it is.
   */
  forward(chunks: readonly Uint8Array[]): WriteResult
  /** Sends FIN after everything that was written. Reading goes on. */
  end(): void
  /**
   * Closes this process's descriptor at once; no handler is called any more. Silent while another process
   * holds the connection.
   */
  destroy(): void
  /**
   * Ends the connection both ways for every process that holds it, then {@link destroy}s. What is queued is
   * dropped. Without foreign calls only the sending side is ended, as well as it can be. A lifted one
   * that was taken to another kernel (`take` of tcp/repair.ts) is closed in silence.
   */
  shutdown(): void

  /**
   * Takes the connection out of this stream: stops reading at once, waits until everything written (and a FIN
   * that {@link end} asked for) has left for the kernel, and gives the descriptor with what was read but not
   * yet handed out. At once if nothing waits, else a promise, which is rejected if the connection breaks, is
   * destroyed or is {@link unlift | taken up} meanwhile. The descriptor stays open until its `close()` (or
   * `destroy()` here); until then {@link unlift} undoes everything.
   *
   * A stream that is not open (a reset may just have closed it) throws an `Error`. A peer's FIN that was read
   * here is seen again by the next owner, because the kernel repeats it.
   */
  lift(): Lifted | Promise<Lifted>
  /**
   * Takes a lifted stream up again; reading goes on if it was going on.
   * @param unread what {@link lift} gave is handed out once more, or the caller has it: 'taken'
   */
  unlift(unread?: 'again' | 'taken'): void
}

export type StreamKind = 'raw' | 'socket'
export type StreamState = 'open' | 'lifting' | 'lifted' | 'closed'
export type WriteResult = 'flushed' | 'queued'

/** What a stream tells its owner. No handler is called from within a call to the stream. */
export interface StreamHandlers {
  /**
   * Bytes from the peer, 1 to 196608. A view into a shared buffer: valid until the handler returns, so copy
   * what is kept.
   */
  bytes(view: Uint8Array): void
  /** The peer sends no more (FIN). Writing may go on. */
  end(): void
  /**
   * The connection broke (`code`: `ECONNRESET`, `EPIPE`, …). The stream has been closed; this is the last
   * call.
   */
  error(error: StreamError): void
}

export type StreamError = Error & { readonly code: string }

/** What {@link ByteStream.lift} takes out. */
export interface Lifted {
  readonly descriptor: Descriptor
  /** Received from the peer but not handed out yet, in order; often empty. */
  readonly unread: Uint8Array
}
