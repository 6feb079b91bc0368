import type { Transport, TransportHandlers } from '../transport/transport.ts'
import { concat, EMPTY } from '../wire/index.ts'

/**
 * A transport that can be used before there is one, and whose reader can change: what is written before
 * {@link attach} is kept, and what has been read and is for another reader can be given back.
 */
export class Passage implements Transport {
  onDrain: (() => void) | undefined
  #below: Transport | undefined
  #handlers: TransportHandlers | undefined
  #written: Uint8Array[] = []
  #unread: Uint8Array = EMPTY
  #paused = false
  #ended = false
  #finished = false
  #failure: Error | undefined
  #destroyed = false

  /** @param below if it is there already */
  constructor(below?: Transport) {
    if (below !== undefined) this.attach(below)
  }

  get queued(): boolean {
    return this.#below?.queued ?? false
  }

  get unsent(): number {
    return this.#below?.unsent ?? 0
  }

  /** What has been written so far; it counts as sent. */
  takeWritten(): Uint8Array {
    return concat(...this.#written.splice(0))
  }

  /** Goes on over that transport, which belongs to this one from here on. */
  attach(below: Transport): void {
    this.#below = below
    if (this.#destroyed) {
      below.destroy()
      return
    }
    below.onDrain = () => this.onDrain?.()
    below.read({
      bytes: view => {
        if (this.#handlers === undefined || this.#paused || this.#unread.length > 0)
          this.#unread = concat(this.#unread, view)
        else this.#handlers.bytes(view)
      },
      end: () => {
        this.#ended = true
        this.#handOut()
      },
      error: error => {
        this.#failure = error
        this.#handOut()
      },
    })
    if (this.#paused) below.pause()
    if (this.#written.length > 0) below.write([this.takeWritten()])
    if (this.#finished) below.end()
  }

  /** Bytes that were read and are for who reads next. */
  unread(bytes: Uint8Array): void {
    this.#handlers = undefined
    this.#unread = concat(this.#unread, bytes)
  }

  read(handlers: TransportHandlers): void {
    this.#handlers = handlers
    this.#below?.resume()
    queueMicrotask(() => this.#handOut())
  }

  pause(): void {
    this.#paused = true
    this.#below?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#below?.resume()
    if (this.#unread.length > 0 || this.#ended || this.#failure !== undefined)
      queueMicrotask(() => this.#handOut())
  }

  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    if (this.#below !== undefined) return this.#below.write(chunks)
    for (const chunk of chunks) this.#written.push(chunk.slice())
    return 'flushed'
  }

  end(): void {
    this.#finished = true
    this.#below?.end()
  }

  destroy(): void {
    this.#destroyed = true
    this.#handlers = undefined
    this.onDrain = undefined
    this.#below?.destroy()
  }

  abort(): void {
    this.#destroyed = true
    this.#handlers = undefined
    if (this.#below?.abort === undefined) this.#below?.destroy()
    else this.#below.abort()
  }

  /** Tells the reader what has come before it. */
  #handOut(): void {
    if (this.#handlers === undefined || this.#paused) return
    const unread = this.#unread
    this.#unread = EMPTY
    if (unread.length > 0) this.#handlers.bytes(unread)
    if (this.#unread.length > 0 || this.#paused) return
    const handlers = this.#handlers
    if (handlers === undefined) return
    if (this.#failure !== undefined) {
      this.#handlers = undefined
      handlers.error(this.#failure)
    } else if (this.#ended) {
      this.#ended = false
      handlers.end()
    }
  }
}
