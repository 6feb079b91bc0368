import { Duplex } from 'node:stream'
import type { Timer } from '../../time/clock.ts'
import { SYSTEM_CLOCK } from '../../time/system-clock.ts'
import type { Context } from '../contract.ts'
import type { NodeListener } from './node-listener.ts'

/** What takes the bytes that the application writes. */
export interface WireReader {
  /** @returns undefined, or a promise of the moment when more may come */
  bytes(data: Uint8Array): Promise<void> | undefined
  /** There is no more. */
  closed(error: Error | undefined): void
}

/**
 * The application's end of a connection that exists in memory, as much like a `net.Socket` as applications
 * ask: addresses, timeouts, and the methods that tune a socket and have nothing to do here.
 */
export class Wire extends Duplex {
  readonly listener: NodeListener
  readonly originalUrl: string
  readonly encrypted: boolean
  readonly servername: string | undefined
  readonly alpnProtocol: string | false
  readonly remoteAddress: string | undefined
  readonly remoteFamily: 'IPv4' | 'IPv6' | undefined
  readonly remotePort = 0
  readonly connecting = false
  timeout: number | undefined
  reader: WireReader | undefined
  #timer: Timer | undefined
  #wanted: (() => void) | undefined
  #failure: Error | undefined

  constructor({ connection }: Context, listener: NodeListener, originalUrl: string) {
    super({ allowHalfOpen: true })
    this.listener = listener
    this.originalUrl = originalUrl
    this.encrypted = connection.tls
    this.servername = connection.serverName
    this.alpnProtocol = connection.alpn ?? false
    this.remoteAddress = connection.remoteAddress
    const { remoteAddress } = connection
    this.remoteFamily =
      remoteAddress === undefined ? undefined : remoteAddress.includes(':') ? 'IPv6' : 'IPv4'
    // What the application does with its end is not an event of this process.
    this.on('error', () => {})
  }

  /** The moment when the application has read what was pushed. */
  wanted(): Promise<void> {
    return new Promise(resolve => {
      this.#wanted = resolve
    })
  }

  /** The application threw: its caller is told, as of any function. */
  fail(error: unknown): void {
    this.destroy(error instanceof Error ? error : new Error(String(error)))
  }

  override _read(): void {
    this.#touch()
    this.#go()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#touch()
    const taken = this.reader?.bytes(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    if (taken === undefined) done()
    else taken.then(() => done())
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: (error?: Error) => void): void {
    this._write(Buffer.concat(chunks.map(one => one.chunk)), 'buffer', done)
  }

  override _final(done: () => void): void {
    this.reader?.closed(this.#failure)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#timer?.stop()
    if (error !== null) this.#failure = error
    this.#go()
    this.reader?.closed(this.#failure)
    done(error)
  }

  /** As a socket's: emits `timeout` after that many milliseconds without traffic; 0: never. */
  setTimeout(milliseconds: number, listener?: () => void): this {
    this.timeout = milliseconds
    if (listener !== undefined) {
      if (milliseconds === 0) this.removeListener('timeout', listener)
      else this.once('timeout', listener)
    }
    this.#touch()
    return this
  }

  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  address(): object {
    return {}
  }
  destroySoon(): void {
    this.end(() => this.destroy())
  }

  #go(): void {
    const wanted = this.#wanted
    this.#wanted = undefined
    wanted?.()
  }

  #touch(): void {
    if (!this.timeout || this.destroyed) {
      this.#timer?.stop()
      return
    }
    this.#timer ??= SYSTEM_CLOCK.timer(() => this.emit('timeout')).unref()
    this.#timer.after(this.timeout)
  }
}
