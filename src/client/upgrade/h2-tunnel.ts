import type { Field } from '../../http/message.ts'
import { Inbound } from '../../transport/inbound.ts'
import type { Transport, TransportHandlers } from '../../transport/transport.ts'
import { type Granted, NotGranted } from '../../transport/upgrade.ts'
import { concat, EMPTY } from '../../wire/index.ts'
import { INTERIM } from '../connection.ts'
import type { StreamOwner } from '../h2-stream.ts'

/** Another protocol on one stream of HTTP/2 (RFC 8441), as a transport. Either side may end alone. */
export class H2Tunnel implements Transport {
  onDrain: (() => void) | undefined
  /** Fulfilled when the server grants it. @throws NotGranted (as rejection); nothing is left of it then */
  readonly granted: Promise<Granted>
  readonly id: number
  readonly #owner: StreamOwner
  #grant: ((granted: Granted) => void) | undefined
  #refuse: ((error: Error) => void) | undefined
  #interim = 0
  readonly #inbound = new Inbound({
    later: queueMicrotask,
    taken: bytes => {
      if (!this.#over) this.#owner.consumed(this.id, bytes)
    },
    told: () => {
      this.#told = true
      this.#settle()
    },
  })
  /** The server has said that nothing more follows, and that has been told. */
  #told = false
  /** We have said so, too; and that has left. */
  #finished = false
  #finishSent = false
  /** Has no window yet. */
  #rest: Uint8Array = EMPTY
  #over = false

  constructor(id: number, owner: StreamOwner) {
    this.id = id
    this.#owner = owner
    this.granted = new Promise((resolve, reject) => {
      this.#grant = resolve
      this.#refuse = reject
    })
  }

  get queued(): boolean {
    return this.#rest.length > 0
  }

  get unsent(): number {
    return this.#rest.length
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
    // The writer may use its memory again.
    this.#rest = concat(this.#rest, ...chunks)
    this.#send()
    return this.queued ? 'queued' : 'flushed'
  }

  end(): void {
    if (this.#over || this.#finished) return
    this.#finished = true
    this.#send()
  }

  destroy(): void {
    this.#inbound.close()
    this.onDrain = undefined
    if (this.#over) return
    this.#over = true
    this.#owner.reset(this.id)
  }

  /** Ends it before it is granted. @param error what {@link granted} is rejected with */
  giveUp(error: Error): void {
    this.#refuse?.(error)
    this.#refuse = undefined
    this.destroy()
  }

  // What the server says.

  inform(): void {
    if (++this.#interim > INTERIM) this.giveUp(new NotGranted(`more than ${INTERIM} interim responses`))
  }

  /** The answer. A refusal's content is not wanted. */
  respond(status: number, fields: readonly Field[], ends: boolean): void {
    if (status > 299) {
      this.giveUp(new NotGranted(String(status), status, fields))
      return
    }
    this.#grant?.({ status, fields, transport: this })
    this.#refuse = undefined
    if (ends) this.inputEnded()
  }

  data(bytes: Uint8Array, ends: boolean): void {
    if (this.#over) return
    if (bytes.length > 0) this.#inbound.push(bytes)
    if (ends) this.#inbound.end()
  }

  /** The server says no more. */
  inputEnded(): void {
    this.#inbound.end()
  }

  /** There is room for more. */
  drained(): void {
    this.#send()
    if (!this.queued) this.onDrain?.()
  }

  /** The stream is gone. */
  fail(error: Error): void {
    if (this.#over) return
    this.#over = true
    this.#refuse?.(error)
    this.#refuse = undefined
    this.#inbound.fail(error)
  }

  #send(): void {
    if (this.#over) return
    if (this.#rest.length > 0) this.#rest = this.#rest.subarray(this.#owner.write(this.id, this.#rest))
    if (!this.#finished || this.#finishSent || this.#rest.length > 0) return
    this.#finishSent = true
    this.#owner.end(this.id)
    this.#settle()
  }

  /** Both have ended it. */
  #settle(): void {
    if (this.#over || !this.#finishSent || !this.#told) return
    this.#over = true
    this.#owner.forget(this.id)
  }
}
