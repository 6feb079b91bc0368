import { Duplex } from 'node:stream'
import type { Transport } from './transport.ts'

/** A transport as a Duplex, for libraries that take nothing else. It owns the transport. */
export function overTransport(transport: Transport): Duplex {
  return new TransportDuplex(transport)
}

class TransportDuplex extends Duplex {
  readonly #transport: Transport
  /** Of the write that waits for room. */
  #callback: ((error?: Error | null) => void) | undefined
  #reading = false

  constructor(transport: Transport) {
    super({ allowHalfOpen: true })
    this.#transport = transport
    transport.onDrain = () => this.#taken()
    transport.read({
      bytes: view => {
        // Valid until the handler returns: what is kept is a copy.
        if (!this.push(Buffer.from(view))) this.#stop()
      },
      end: () => void this.push(null),
      error: error => this.#gone(error),
    })
  }

  override _read(): void {
    if (!this.#reading) this.#transport.resume()
    this.#reading = true
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    // It must stay as it is until it has left, and a Buffer may be part of a pool.
    if (this.#transport.write([Uint8Array.from(chunk)]) === 'flushed') callback()
    else this.#callback = callback
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#transport.end()
    callback()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#transport.destroy()
    this.#taken(error ?? new Error('the stream was destroyed'))
    callback(error)
  }

  // What Node's agents ask of a socket; here it has no meaning.

  setKeepAlive(): this {
    return this
  }
  setNoDelay(): this {
    return this
  }
  setTimeout(milliseconds: number): this {
    void milliseconds
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }

  #stop(): void {
    this.#reading = false
    this.#transport.pause()
  }

  #taken(error?: Error): void {
    const callback = this.#callback
    this.#callback = undefined
    callback?.(error)
  }

  /** The last call of the transport. In order after both ends, and a fault before. */
  #gone(error: Error): void {
    if (this.readableEnded && this.writableFinished) this.destroy()
    else this.destroy(error)
  }
}
