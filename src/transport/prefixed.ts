import type { Transport, TransportHandlers } from './transport.ts'

/**
 * A transport of which the first bytes have been read already: they come first to who reads it next. It was
 * paused when the last one had read enough.
 */
export class Prefixed implements Transport {
  readonly #below: Transport
  #first: Uint8Array | undefined
  #paused = false
  #handlers: TransportHandlers | undefined

  constructor(below: Transport, first: Uint8Array) {
    this.#below = below
    this.#first = first.length > 0 ? first : undefined
  }

  get queued(): boolean {
    return this.#below.queued
  }

  get unsent(): number {
    return this.#below.unsent
  }

  get onDrain(): (() => void) | undefined {
    return this.#below.onDrain
  }

  set onDrain(listener: (() => void) | undefined) {
    this.#below.onDrain = listener
  }

  read(handlers: TransportHandlers): void {
    this.#handlers = handlers
    this.#below.read(handlers)
    this.#soon()
  }

  pause(): void {
    this.#paused = true
    this.#below.pause()
  }

  resume(): void {
    this.#paused = false
    this.#soon()
  }

  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    return this.#below.write(chunks)
  }

  end(): void {
    this.#below.end()
  }

  destroy(): void {
    this.#handlers = undefined
    this.#below.destroy()
  }

  abort(): void {
    this.#handlers = undefined
    if (this.#below.abort === undefined) this.#below.destroy()
    else this.#below.abort()
  }

  /** What lies here comes before what lies below, and in no call of the reader's. */
  #soon(): void {
    if (this.#first === undefined) {
      this.#below.resume()
      return
    }
    queueMicrotask(() => {
      const first = this.#first
      if (this.#paused || this.#handlers === undefined || first === undefined) return
      this.#first = undefined
      try {
        this.#handlers.bytes(first)
      } finally {
        if (!this.#paused) this.#below.resume()
      }
    })
  }
}
