import type { Clock, Timer } from '../time/clock.ts'
import {
  type ClientConfig,
  type ResumptionTicket,
  recycle,
  type ServerConfig,
  Session,
  type SessionEvent,
  type SessionState,
} from '../tls13/index.ts'
import { EMPTY, takePortion } from '../wire/index.ts'
import { errorOf } from '../wire/thrown.ts'
import { onAbort } from './attempt.ts'
import { Guard } from './guard.ts'
import type { Transport, TransportHandlers } from './transport.ts'
import { Turn } from './turn.ts'

/**
 * Bytes of plaintext that are sealed at once: a large write must not be in memory as plaintext and as
 * ciphertext both.
 */
const PORTION = 65_536

/** What {@link secure} gives: a transport of plaintext, which says of itself what `serve` wants to know. */
export interface SecureTransport extends Transport {
  readonly encrypted: true
  readonly session: Session
  readonly alpnProtocol: string | undefined
  /** Server: bytes, in front of all others, that came as early data. */
  readonly earlyBytes: number
}

export interface SecureOptions {
  /** Milliseconds until the handshake must be over; default: 10 000. */
  readonly patienceMs?: number
  /** What its timer goes by; without one the handshake may last, because its owner bounds it. */
  readonly clock?: Clock
  /** Gives the handshake up; the reason is what the promise is rejected with. */
  readonly signal?: AbortSignal
}

export interface SecureClientOptions extends SecureOptions {
  /** Told of each ticket that the server gives. */
  readonly onTicket?: (ticket: ResumptionTicket) => void
  /**
   * Bytes that may come twice at the server (RFC 8470): as early data if `resume` and `earlyData` of the
   * configuration allow it, and what is not taken so as the first bytes after the handshake.
   */
  readonly early?: Uint8Array
}

/**
 * A TLS server over a transport, as a transport: our session with nothing of Node's streams above or below,
 * which is what containers do and what costs least. Questions that a session cannot answer at once (remote
 * signers and the like) are not for it; `TlsDuplex` knows them.
 * @returns when the handshake is over
 * @throws (as rejection) the error that ended it; the transport is closed then. TypeError for a configuration
 * that makes no sense
 */
export function secure(
  transport: Transport,
  config: ServerConfig,
  options: SecureOptions = {},
): Promise<SecureTransport> {
  return new Promise((resolve, reject) => {
    new TlsTransport(transport, () => Session.server(config), options, resolve, reject)
  })
}

/** A secure transport whose session can be given away. */
export interface Releasable extends SecureTransport {
  /**
   * Gives the session away when what lies below has been taken out: nothing is read or written here any more.
   * What has come whole is told to the handlers before.
   * @param unread what was read below and not told
   * @throws Error if it has ended, or if something still waits to be sent
   */
  release(unread: Uint8Array): SessionState
}

/** A session that is past its handshake, such as `Session.restore` gives, as a transport. */
export function overSession(transport: Transport, session: Session): SecureTransport {
  const nothing = (): void => {}
  return new TlsTransport(transport, () => session, {}, nothing, nothing)
}

/** The same as a client. Its certificate check is `config.verify`. @returns, @throws as {@link secure} */
export function secureClient(
  transport: Transport,
  config: ClientConfig,
  options: SecureClientOptions = {},
): Promise<SecureTransport> {
  return new Promise((resolve, reject) => {
    new TlsTransport(transport, () => Session.client(config), options, resolve, reject)
  })
}

class TlsTransport implements Releasable {
  readonly encrypted = true
  readonly session: Session
  onDrain: (() => void) | undefined
  earlyBytes = 0
  readonly #guard = new Guard(error => this.#fault(error))
  readonly #below: Transport
  readonly #secured: (transport: SecureTransport) => void
  readonly #failed: (error: Error) => void
  readonly #handshakeTimer: Timer | undefined
  readonly #release: () => void = () => {}
  #handlers: TransportHandlers | undefined
  /** What came as early data, until the engine reads. */
  #early: Uint8Array[] = []
  #paused = false
  /** What the peer sends may keep us busy for long: others have their turns meanwhile. */
  readonly #turn = new Turn(this.#guard.entrance(() => this.#resume()))
  #reading = false
  readonly #onTicket: ((ticket: ResumptionTicket) => void) | undefined
  /** Client: what may come twice, and how much of it went out before the handshake was over. */
  readonly #mayRepeat: Uint8Array
  #sentEarly = 0
  /** The peer's close_notify has come. */
  #ended = false
  /** Its FIN has come. */
  #belowEnded = false
  #finished = false
  #over = false
  /** What has ended it, for who begins to read only then. */
  #gone: Error | undefined
  /** Plaintext that waits until what was sealed before has left. */
  #waiting: Uint8Array[] = []

  constructor(
    below: Transport,
    begin: () => Session,
    { patienceMs = 10_000, clock, signal, early = EMPTY, onTicket }: SecureClientOptions,
    secured: (transport: SecureTransport) => void,
    failed: (error: Error) => void,
  ) {
    this.#below = below
    try {
      this.session = begin()
    } catch (error) {
      below.destroy()
      throw error
    }
    this.#secured = secured
    this.#failed = failed
    this.#onTicket = onTicket
    this.#mayRepeat = early
    const guard = this.#guard
    const late = guard.entrance(() => this.#fail(new Error('no handshake in time')))
    this.#handshakeTimer = clock?.after(patienceMs, late)
    this.#release = onAbort(
      signal,
      guard.entrance((reason: unknown) => this.#fail(errorOf(reason))),
    )
    below.onDrain = guard.entrance(() => this.#drained())
    below.read({
      bytes: guard.entrance((view: Uint8Array) => {
        this.session.feed(view)
        this.#step()
      }),
      end: guard.entrance(() => {
        this.#belowEnded = true
        this.#step()
      }),
      error: guard.entrance((error: Error) => this.#fail(error)),
    })
    if (this.session.role === 'server') return
    guard.run(() => {
      if (early.length > 0) this.#sentEarly = this.session.sendEarly(early)
      this.#flush()
    })
  }

  get alpnProtocol(): string | undefined {
    return this.session.alpn
  }

  get unsent(): number {
    let bytes = this.#below.unsent
    for (const { length } of this.#waiting) bytes += length
    return bytes
  }

  get queued(): boolean {
    return this.#below.queued || this.#waiting.length > 0
  }

  read(handlers: TransportHandlers): void {
    const gone = this.#gone
    if (gone !== undefined) {
      queueMicrotask(() => handlers.error(gone))
      return
    }
    this.#handlers = handlers
    // No handler is called from within a call of its owner.
    queueMicrotask(this.#guard.entrance(() => this.#step()))
  }

  pause(): void {
    this.#paused = true
    this.#below.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#turn.over) return
    this.#below.resume()
    queueMicrotask(this.#guard.entrance(() => this.#step()))
  }

  /** Goes on with what was left in the last turn. */
  #resume(): void {
    this.#step()
    if (!this.#paused && !this.#turn.over && !this.#over) this.#below.resume()
  }

  write(chunks: readonly Uint8Array[]): 'flushed' | 'queued' {
    if (this.#over || this.#finished) return 'flushed'
    for (const chunk of chunks) this.#waiting.push(chunk)
    this.#send()
    return this.queued ? 'queued' : 'flushed'
  }

  end(): void {
    if (this.#over || this.#finished) return
    this.#finished = true
    if (this.#waiting.length === 0) this.#goodbye()
  }

  destroy(): void {
    if (this.#over) return
    this.#over = true
    this.#handshakeTimer?.stop()
    this.#release()
    this.#turn.stop()
    this.#handlers = undefined
    this.onDrain = undefined
    this.#below.destroy()
  }

  abort(): void {
    if (this.#over) return
    try {
      this.session.abort('internal_error')
      this.#flush()
      this.#below.end()
    } finally {
      this.destroy()
    }
  }

  release(unread: Uint8Array): SessionState {
    if (this.queued) throw new Error('something still waits to be sent')
    const { session } = this
    this.#reading = true
    if (!this.#over) session.feed(unread)
    while (!this.#over) {
      const event = session.next()
      if (event === undefined) break
      this.#on(event)
    }
    if (this.#over || this.#ended || this.#finished) throw new Error('the session has ended')
    this.#over = true
    this.#turn.stop()
    this.#handlers = undefined
    this.onDrain = undefined
    return session.release()
  }

  /** Something was thrown that must not be. */
  #fault(error: unknown): void {
    if (this.#over) return
    const handlers = this.#handlers
    try {
      this.abort()
    } finally {
      const reason = errorOf(error)
      this.#gone = reason
      this.#failed(reason)
      handlers?.error(reason)
    }
  }

  /** Opens records as long as the engine wants what is in them. */
  #step(): void {
    if (this.#reading) return
    this.#reading = true
    try {
      while (!this.#over && !this.#paused && (this.#handlers !== undefined || !this.session.connected)) {
        if (!this.#turn.goesOn()) break
        const early = this.#handlers === undefined ? undefined : this.#early.shift()
        if (early !== undefined) {
          this.#handlers?.bytes(early)
          continue
        }
        const event = this.session.next()
        if (event === undefined) break
        this.#on(event)
      }
    } finally {
      this.#reading = false
    }
    if (this.#over) return
    if (this.#turn.over) this.#below.pause()
    this.session.settle()
    if (!this.#below.queued) this.#flush()
    this.#afterEnd()
  }

  /**
   * Nothing more comes from below: in order after close_notify, and otherwise as soon as all has been read
   * (RFC 8446 §6.1).
   */
  #afterEnd(): void {
    if (!this.#belowEnded || this.#over) return
    // What waits for the first look is looked at first.
    if (this.session.connected && this.#handlers === undefined) return
    if (this.#ended) {
      if (this.#finished && !this.queued) this.#fail(new Error('the stream has ended'))
    } else if (!this.#paused && !this.#turn.over)
      this.#fail(new Error('the peer closed without close_notify'))
  }

  #on(event: SessionEvent): void {
    switch (event.type) {
      case 'handshake_complete':
        this.#handshakeTimer?.stop()
        this.#release()
        this.#flush()
        if (this.#sentEarly < this.#mayRepeat.length) this.write([this.#mayRepeat.subarray(this.#sentEarly)])
        this.#secured(this)
        return
      case 'early_data':
        if (!event.accepted) this.#sentEarly = 0
        return
      case 'new_session_ticket':
        this.#onTicket?.(event.ticket)
        return
      case 'application_data':
        if (event.early) this.earlyBytes += event.data.length
        if (this.#handlers === undefined) this.#early.push(new Uint8Array(event.data))
        else this.#handlers.bytes(event.data)
        return
      case 'close_notify':
        this.#ended = true
        this.#handlers?.end()
        return
      case 'question':
        this.#fail(new Error(`the session asks for ${event.question.kind}, which has no answer here`))
        return
      case 'alert':
        this.#flush()
        this.#fail(event.error)
    }
  }

  /** Seals what waits, a portion at a time, as the peer takes it. */
  #send(): void {
    while (this.#waiting.length > 0 && !this.#below.queued && !this.#over) {
      // Small pieces together, because each record costs.
      this.session.send(takePortion(this.#waiting, PORTION))
      this.#flush()
    }
    if (this.#finished && this.#waiting.length === 0) this.#goodbye()
  }

  #flush(): void {
    const output = this.session.takeOutput()
    if (output.length === 0 || this.#over || this.#below.write(output) !== 'flushed') return
    // A stream of Node's may hold some of it still, though it takes more.
    if (this.#below.unsent === 0) recycle(output)
  }

  #drained(): void {
    // What the session owed meanwhile, such as a KeyUpdate.
    this.#flush()
    this.#send()
    if (!this.queued) this.onDrain?.()
  }

  #goodbye(): void {
    this.session.close()
    this.#flush()
    this.#below.end()
    this.#afterEnd()
  }

  #fail(error: Error): void {
    if (this.#over) return
    const handlers = this.#handlers
    this.#gone = error
    this.destroy()
    this.#failed(error)
    handlers?.error(error)
  }
}
