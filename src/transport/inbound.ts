import type { TransportHandlers } from './transport.ts'

/** What the owner of an {@link Inbound} makes of its reader's progress. */
export interface InboundOwner {
  /** Does it soon: no reader is called from within a call of its own, or of who brings bytes. */
  later(work: () => void): void
  /** The reader has taken a piece. */
  taken?(bytes: number): void
  /** The reader has everything that there is, or has paused. */
  rested?(): void
  /** The reader knows that nothing more follows. */
  told?(): void
}

/**
 * The reading half of a transport that gets its bytes from elsewhere in this process: they lie here until the
 * reader takes them. In order: all pieces, the end, the fault.
 */
export class Inbound {
  readonly #owner: InboundOwner
  #handlers: TransportHandlers | undefined
  #paused = false
  #pieces: Uint8Array[] = []
  #bytes = 0
  #ended = false
  #told = false
  #fault: Error | undefined
  #scheduled = false

  constructor(owner: InboundOwner) {
    this.#owner = owner
  }

  /** Bytes that have come and were not read. */
  get bytes(): number {
    return this.#bytes
  }

  /** As `Transport.read`. */
  read(handlers: TransportHandlers): void {
    this.#handlers = handlers
    this.#soon()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#soon()
  }

  /** @param bytes in memory of their own */
  push(bytes: Uint8Array): void {
    this.#pieces.push(bytes)
    this.#bytes += bytes.length
    this.#soon()
  }

  /** Gives a piece to the reader now, if it reads. @returns whether it has taken all that there is */
  give(bytes: Uint8Array): boolean {
    this.#pieces.push(bytes)
    this.#bytes += bytes.length
    this.#deliver()
    return this.#pieces.length === 0
  }

  /** Nothing more follows. */
  end(): void {
    this.#ended = true
    this.#soon()
  }

  /** It is gone. The first fault counts. */
  fail(error: Error): void {
    this.#fault ??= error
    this.#soon()
  }

  /** Its owner has closed it: no handler is called any more. */
  close(): void {
    this.#handlers = undefined
    this.#pieces = []
    this.#bytes = 0
  }

  #soon(): void {
    if (this.#scheduled || this.#handlers === undefined) return
    this.#scheduled = true
    this.#owner.later(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const owner = this.#owner
    while (!this.#paused && this.#handlers !== undefined) {
      const bytes = this.#pieces.shift()
      if (bytes === undefined) break
      this.#bytes -= bytes.length
      this.#handlers.bytes(bytes)
      owner.taken?.(bytes.length)
    }
    owner.rested?.()
    if (this.#paused || this.#handlers === undefined || this.#pieces.length > 0) return
    if (this.#ended && !this.#told) {
      this.#told = true
      this.#handlers.end()
      owner.told?.()
    }
    if (this.#fault === undefined) return
    const handlers = this.#handlers
    this.#handlers = undefined
    handlers?.error(this.#fault)
  }
}
