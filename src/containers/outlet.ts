import { recycle, type Session } from '../tls13/index.ts'
import type { ByteStream } from '../transfer/stream.ts'
import { concat } from '../wire/index.ts'

/** The way out to one client: through the TLS session, if there is one, into the stream. */
export class Outlet {
  /** Changes hands with the connection; undefined without TLS, and while the connection is frozen. */
  session: Session | undefined
  readonly #stream: ByteStream
  #waiting: (() => void)[] = []
  #unsent: number | undefined

  /** @param onDrained called when the client has taken everything, after it had not */
  constructor(stream: ByteStream, session: Session | undefined, onDrained: () => void) {
    this.#stream = stream
    this.session = session
    stream.onDrain = () => {
      this.release()
      onDrained()
    }
  }

  /** Sends parts of one message; together they share as few records as possible. */
  send(parts: readonly Uint8Array[]): void {
    const filled = parts.filter(part => part.length > 0)
    if (filled.length === 0) return
    if (this.session === undefined) {
      this.#stream.write(filled)
      return
    }
    this.session.send(filled.length === 1 ? filled[0]! : concat(...filled))
    this.flush()
  }

  /** Gives the stream what the session has to say. */
  flush(): void {
    const output = this.session?.takeOutput()
    if (output === undefined || output.length === 0) return
    // Memory that the kernel has copied is used for later records.
    if (this.#stream.write(output) === 'flushed') recycle(output)
  }

  /** Whether the client has not taken yet what it got. */
  get blocked(): boolean {
    return this.#stream.queued
  }

  /** The moment when the client has taken enough for more; undefined if that is now. */
  drained(): Promise<void> | undefined {
    return this.#stream.queued ? new Promise(resolve => this.#waiting.push(resolve)) : undefined
  }

  /** Whether the client has taken something, or was given more, since this was asked last. */
  progressed(): boolean {
    const before = this.#unsent
    this.#unsent = this.#stream.unsent
    return this.#unsent !== before
  }

  /** Lets everybody go on who waits for the client, be it because the client is gone. */
  release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
