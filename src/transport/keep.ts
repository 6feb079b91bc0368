import type { Field } from '../http/message.ts'
import type { HttpResponse, HttpTunnel } from '../http/serving.ts'
import { concat } from '../wire/index.ts'
import { Guard } from './guard.ts'
import { Inbound } from './inbound.ts'
import type { Transport, TransportHandlers } from './transport.ts'
import { LOOP } from './turn.ts'

/**
 * Grants what a request asks for, by CONNECT or by Upgrade, and keeps what carried it: over HTTP/1.1 the
 * connection, over HTTP/2 the stream. What is written to the transport is what the client reads.
 * @param headers of the response, with Upgrade where one was asked for
 * @returns the bytes from behind the request on. Its `destroy` ends both ways, when what was written has left
 * @throws Error, TypeError as `HttpResponse.upgrade`
 */
export function keep(response: HttpResponse, headers: readonly Field[] = []): Transport {
  return new Kept(response, headers)
}

class Kept implements Transport {
  onDrain: (() => void) | undefined
  readonly #tunnel: HttpTunnel
  /** What its handlers throw ends what they have kept, and nothing else of the server. */
  readonly #guard = new Guard(error => this.#fault(error))
  readonly #inbound = new Inbound({
    later: work => void LOOP.later(this.#guard.entrance(work)),
    rested: () => {
      if (this.#inbound.bytes === 0) this.#release()
    },
  })
  #ended = false
  #takes: (() => void) | undefined
  #unsent = 0
  /** We have said that nothing more follows. */
  #finished = false
  #over = false

  constructor(response: HttpResponse, headers: readonly Field[]) {
    this.#tunnel = response.upgrade(headers, {
      data: bytes => this.#data(bytes),
      end: () => this.#inputEnded(),
      broken: reason => this.#broken(reason),
    })
  }

  get queued(): boolean {
    return this.#unsent > 0
  }

  get unsent(): number {
    return this.#unsent
  }

  read(handlers: TransportHandlers): void {
    this.#inbound.read(handlers)
  }

  pause(): void {
    this.#inbound.pause()
  }

  resume(): void {
    this.#inbound.resume()
  }

  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    if (this.#over || this.#finished) return 'flushed'
    // The writer may use its memory again, and what is given to a response is not ours any more.
    const bytes = concat(...chunks)
    const room = this.#tunnel.write(bytes)
    if (room === undefined) return 'flushed'
    this.#unsent += bytes.length
    const drained = this.#guard.entrance(() => {
      this.#unsent = 0
      this.onDrain?.()
    })
    void room.then(drained)
    return 'queued'
  }

  end(): void {
    if (this.#over || this.#finished) return
    this.#finished = true
    this.#tunnel.endOutput()
  }

  destroy(): void {
    this.#inbound.close()
    this.onDrain = undefined
    if (!this.#over) this.#tunnel.end()
    this.#over = true
    this.#release()
  }

  #fault(error: unknown): void {
    // The response hears of it first: once this is over, nothing can be cut.
    this.#over = true
    this.#tunnel.fail(error)
    this.destroy()
  }

  /** A promise holds the client back until what has come is read. */
  #data(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#over || this.#inbound.give(bytes)) return undefined
    return new Promise(resolve => {
      this.#takes = resolve
    })
  }

  /** Nothing more comes from the client. */
  #inputEnded(): void {
    this.#ended = true
    this.#inbound.end()
  }

  #broken(reason: Error): void {
    // What ends because both have ended it is over in order.
    if (!this.#over && !(this.#finished && this.#ended)) this.#inbound.fail(reason)
    this.#over = true
  }

  #release(): void {
    const takes = this.#takes
    this.#takes = undefined
    takes?.()
  }
}
