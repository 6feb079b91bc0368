import type { Socket } from 'node:net'
import type { CommonConfig } from '../../tls13/config.ts'
import type { CryptoProvider } from '../../tls13/crypto/provider.ts'
import type { Side } from '../../trace/event.ts'
import { traceLines } from '../../trace/text.ts'
import { Tracer } from '../../trace/tracer.ts'
import type { Transport, TransportHandlers } from '../../transport/transport.ts'

type OnSecret = NonNullable<CommonConfig['onSecret']>

/** What reads along on a connection. */
export interface Tap {
  /** The `onSecret` of its session, which tells the one of the configuration, too. */
  onSecret(other: OnSecret | undefined): OnSecret
  received(bytes: Uint8Array): void
  sent(bytes: Uint8Array): void
  end(): void
}

/** What `--trace` prints of one connection, line by line, while it goes on. Secrets are among it. */
export class ConnectionTrace implements Tap {
  readonly #tracer: Tracer
  readonly #own: Side
  readonly #write: (line: string) => void

  /** @param own which of the two sides is ours */
  constructor(provider: CryptoProvider, own: Side, write: (line: string) => void) {
    this.#tracer = new Tracer(provider)
    this.#own = own
    this.#write = write
  }

  onSecret(other: OnSecret | undefined): OnSecret {
    return (exposed, clientRandom) => {
      this.#tracer.secret(exposed)
      this.#print()
      other?.(exposed, clientRandom)
    }
  }

  received(bytes: Uint8Array): void {
    this.#tracer.bytes(this.#own === 'client' ? 'server' : 'client', bytes)
    this.#print()
  }

  sent(bytes: Uint8Array): void {
    this.#tracer.bytes(this.#own, bytes)
    this.#print()
  }

  end(): void {
    this.#tracer.end()
    this.#print()
  }

  #print(): void {
    for (const event of this.#tracer.take()) for (const line of traceLines(event)) this.#write(line)
  }
}

/** Reads along on a socket that has no other reader yet. */
export function tapSocket(socket: Socket, trace: Tap): void {
  socket.on('data', chunk => trace.received(new Uint8Array(chunk)))
  socket.on('close', () => trace.end())
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
  socket.write = (...args: unknown[]): boolean => {
    trace.sent(args[0] as Uint8Array)
    return write(...args)
  }
}

/** A transport that is read along. */
export class Tapped implements Transport {
  readonly #below: Transport
  readonly #trace: Tap

  constructor(below: Transport, trace: Tap) {
    this.#below = below
    this.#trace = trace
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

  read({ bytes, end, error }: TransportHandlers): void {
    this.#below.read({
      bytes: view => {
        this.#trace.received(view)
        bytes(view)
      },
      end,
      error: reason => {
        this.#trace.end()
        error(reason)
      },
    })
  }

  pause(): void {
    this.#below.pause()
  }

  resume(): void {
    this.#below.resume()
  }

  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    for (const chunk of chunks) this.#trace.sent(chunk)
    return this.#below.write(chunks)
  }

  end(): void {
    this.#below.end()
  }

  destroy(): void {
    this.#trace.end()
    this.#below.destroy()
  }

  abort(): void {
    this.#trace.end()
    if (this.#below.abort === undefined) this.#below.destroy()
    else this.#below.abort()
  }
}
