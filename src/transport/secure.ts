import type { Clock, Timer } from '../time/clock.ts'
import { SYSTEM_CLOCK } from '../time/system-clock.ts'
import { recycle, type ServerConfig, Session, type SessionEvent } from '../tls13/index.ts'
import { takePortion } from '../wire/index.ts'
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
  /** Bytes, in front of all others, that came as early data. */
  readonly earlyBytes: number
}

/**
 * A TLS server over a transport, as a transport: our session with nothing of Node's streams above or below,
 * which is what containers do and what costs least. Questions that a session cannot answer at once (remote
 * signers and the like) are not for it; `TlsDuplex` knows them.
 * @param patience milliseconds until the handshake must be over
 * @returns when the handshake is over @throws (as rejection) the error that ended it; the transport is closed
 * then
 */
export function secure(
  transport: Transport,
  config: ServerConfig,
  patience = 10_000,
  clock: Clock = SYSTEM_CLOCK,
): Promise<SecureTransport> {
  return new Promise((resolve, reject) => {
    new ServerTransport(transport, config, patience, clock, resolve, reject)
  })
}

class ServerTransport implements SecureTransport {
  readonly encrypted = true
  readonly session: Session
  onDrain: (() => void) | undefined
  earlyBytes = 0
  readonly #guard = new Guard(error => this.#fault(error))
  readonly #below: Transport
  readonly #secured: (transport: SecureTransport) => void
  readonly #failed: (error: Error) => void
  readonly #handshakeTimer: Timer
  #handlers: TransportHandlers | undefined
  /** What came as early data, until the engine reads. */
  #early: Uint8Array[] = []
  #paused = false
  /** What the client sends may keep us busy for long: others have their turns meanwhile. */
  readonly #turn = new Turn(this.#guard.entrance(() => this.#resume()))
  #reading = false
  /** The client's close_notify has come. */
  #ended = false
  /** Its FIN has come. */
  #belowEnded = false
  #finished = false
  #over = false
  /** Plaintext that waits until what was sealed before has left. */
  #waiting: Uint8Array[] = []

  constructor(
    below: Transport,
    config: ServerConfig,
    patience: number,
    clock: Clock,
    secured: (transport: SecureTransport) => void,
    failed: (error: Error) => void,
  ) {
    this.#below = below
    this.session = Session.server(config)
    this.#secured = secured
    this.#failed = failed
    const guard = this.#guard
    const late = guard.entrance(() => this.#fail(new Error('no handshake in time')))
    this.#handshakeTimer = clock.after(patience, late)
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
    this.#handshakeTimer.stop()
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

  /** Something was thrown that must not be. */
  #fault(error: unknown): void {
    if (this.#over) return
    const handlers = this.#handlers
    try {
      this.abort()
    } finally {
      const reason = error instanceof Error ? error : new Error(String(error))
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
    if (this.#ended) {
      if (this.#finished && !this.queued) this.#fail(new Error('the stream has ended'))
    } else if (!this.#paused && !this.#turn.over)
      this.#fail(new Error('the client closed without close_notify'))
  }

  #on(event: SessionEvent): void {
    switch (event.type) {
      case 'handshake_complete':
        this.#handshakeTimer.stop()
        this.#flush()
        this.#secured(this)
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

  /** Seals what waits, a portion at a time, as the client takes it. */
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
    if (output.length > 0 && !this.#over && this.#below.write(output) === 'flushed') recycle(output)
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
    this.destroy()
    this.#failed(error)
    handlers?.error(error)
  }
}
