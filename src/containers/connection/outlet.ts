import { replyMemory } from '../../http/h1/syntax.ts'
import { recycle, type Session } from '../../tls13/index.ts'
import type { ByteStream, WriteResult } from '../../transfer/byte-stream.ts'
import { concat } from '../../wire/index.ts'
import type { Survival } from '../survival/survival.ts'

/** Bytes that a client has not taken, beyond which its next request has to wait. */
const OUTPUT = 65_536

/** The way out to one client: through the TLS session, if there is one, into the stream. */
export class Outlet {
  /** Changes hands with the connection; undefined without TLS, and while the connection is frozen. */
  session: Session | undefined
  readonly #stream: ByteStream
  readonly #survival: Survival | undefined
  /** Another process has the socket, too: then closing our descriptor ends nothing. */
  shared = false
  readonly #onQueued: () => void
  #waiting: (() => void)[] = []
  #written = 0
  /** As {@link unsent} when it was asked for last. */
  #seen: number | undefined
  /** Bytes that had been given when {@link gave} was asked last. */
  #gave = 0

  /**
   * @param survival if the connection outlives this container
   * @param onQueued called when the client did not take everything at once
   * @param onDrained called when the client has taken everything, after it had not; to {@link release}, among
   * other things
   */
  constructor(
    stream: ByteStream,
    session: Session | undefined,
    survival: Survival | undefined,
    onQueued: () => void,
    onDrained: () => void,
  ) {
    this.#onQueued = onQueued
    this.#stream = stream
    this.#survival = survival
    this.session = session
    stream.onDrain = onDrained
  }

  /**
   * Sends parts of one message; together they share as few records as possible.
   * @param last a {@link flush} follows at once: the end of a response shares a write with the checkpoint
   * after it
   */
  send(parts: readonly Uint8Array[], last = false): void {
    const filled = parts.filter(part => part.length > 0)
    if (filled.length === 0) return
    if (this.session === undefined) {
      if (this.#give(filled) === 'flushed') for (const part of filled) replyMemory.give(part)
      return
    }
    const content = filled.length === 1 ? filled[0]! : concat(...filled)
    if (this.#survival === undefined) this.session.send(content)
    else this.#sendSurviving(this.session, this.#survival, content)
    // Sealed is copied.
    replyMemory.give(content)
    if (this.#survival === undefined || !last) this.flush()
  }

  /**
   * A key never changes between two records of one write without a flush in between, where a checkpoint can
   * be put.
   */
  #sendSurviving(session: Session, survival: Survival, content: Uint8Array): void {
    for (let at = 0; at < content.length; ) {
      if (session.sealable === 0 || survival.renewing) {
        survival.renewing = true
        this.flush()
      }
      const piece = content.subarray(at, at + session.sealable)
      session.send(piece)
      at += piece.length
    }
  }

  /** Gives the stream what the session has to say. */
  flush(): void {
    const session = this.session
    const survival = this.#survival
    if (session === undefined) return
    this.#write(survival === undefined ? session.takeOutput() : survival.take(session))
    survival?.written(session, this.#stream.queued)
  }

  /**
   * The fatal alert `internal_error`: something is missing, and only this server can have said so. Nothing
   * can be sent any more.
   */
  abort(): void {
    this.flush()
    this.session?.abort('internal_error')
    this.flush()
    this.mark('broken')
  }

  /**
   * Tells the gateway, if it watches over the connection, that the end of the stream is meant, or that it is
   * not.
   */
  mark(end: 'goodbye' | 'broken'): void {
    if (this.#survival !== undefined && this.#stream.state === 'open') this.#write(this.#survival[end]())
  }

  /** Ends the stream for all processes that hold it; what waits to be written is dropped. */
  close(): void {
    if (this.shared || this.#survival?.shared === true) this.#stream.shutdown()
    else this.#stream.destroy()
  }

  #write(output: readonly Uint8Array[]): void {
    if (output.length === 0) return
    // Memory that the kernel has copied is used for later records.
    if (this.#give(output) === 'flushed') recycle(output)
  }

  #give(output: readonly Uint8Array[]): WriteResult {
    for (const { length } of output) this.#written += length
    const result = this.#stream.write(output)
    if (result === 'queued') this.#onQueued()
    return result
  }

  /** Bytes that wait here: received and not opened, and given to the client and not taken. */
  get held(): number {
    return this.#stream.unsent + (this.session?.buffered ?? 0)
  }

  /** Bytes that the client has taken, as far as the kernel says. */
  get sent(): number {
    return this.#written - this.#stream.unsent
  }

  /** Whether the client has not taken yet what it got. */
  get blocked(): boolean {
    return this.#stream.queued
  }

  /** Bytes that the client has not taken yet. */
  get unsent(): number {
    return this.#stream.unsent
  }

  /** Whether so much waits for the client that nothing more should be done for it. */
  get full(): boolean {
    return this.#stream.unsent > OUTPUT
  }

  /** The moment when the client has taken enough for more; undefined if that is now. */
  drained(): Promise<void> | undefined {
    return this.#stream.queued ? new Promise(resolve => this.#waiting.push(resolve)) : undefined
  }

  /** Whether the client has taken something, or was given more, since this was asked last. */
  progressed(): boolean {
    const before = this.#seen
    this.#seen = this.unsent
    return this.#seen !== before
  }

  /** Whether the client was given anything since this was asked last. */
  gave(): boolean {
    const before = this.#gave
    this.#gave = this.#written
    return this.#gave !== before
  }

  /** Lets all callers go on that wait for the client, be it because the client is gone. */
  release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
