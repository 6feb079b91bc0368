import { checkBytes } from '../../http/message.ts'
import {
  CloseCode,
  DEFAULT_WEB_SOCKET_LIMITS,
  frameMask,
  WebSocketClient,
  type WebSocketEvent,
} from '../../http/websocket/index.ts'
import type { Clock, Timer } from '../../time/clock.ts'
import { Guard } from '../../transport/guard.ts'
import type { Transport } from '../../transport/transport.ts'
import { utf8 } from '../../wire/index.ts'
import { ClientError } from '../error.ts'
import type { Protocol } from '../exchange.ts'

/** Bytes of messages that are kept for the application; then the server waits. */
const AHEAD = 65_536
/** Bytes that a message costs besides its own: one without content is kept, too. */
const COST = 64
/** Milliseconds that a server has to say goodbye, too, and to close. */
const PATIENCE = 10_000
/** Bytes of the longest reason in a close frame (RFC 6455 §5.5). */
const REASON = 123

export type Message = string | Uint8Array

/** How a WebSocket has ended: 1005 where the server gave no code, 1006 where it broke off. */
export interface WebSocketClosed {
  readonly code: number
  readonly reason: string
}

export interface WebSocketAbout {
  readonly url: string
  /** The subprotocol that the server has chosen; empty: none. */
  readonly protocol: string
  readonly version: Protocol
  /** Most bytes of a message; default: 1 MiB. */
  readonly messageBytes: number | undefined
}

/**
 * A WebSocket of a client (RFC 6455, over HTTP/2 RFC 8441). Its messages are read by `for await`, once: text
 * as strings, binary ones as bytes. The server waits as long as they are not taken.
 */
export class WebSocketConnection implements AsyncIterable<Message> {
  readonly url: string
  readonly protocol: string
  readonly version: Protocol
  /** Fulfilled when it is over, and never rejected. */
  readonly closed: Promise<WebSocketClosed>
  readonly #guard = new Guard(cause => this.#broken(new ClientError('protocol', 'it failed', { cause })))
  readonly #transport: Transport
  readonly #core: WebSocketClient
  readonly #late: Timer
  #close: (how: WebSocketClosed) => void = () => {}
  /** Messages that wait for the application, and their bytes. */
  #messages: Message[] = []
  #held = 0
  /** Those who wait for a message, in order. */
  #readers: { resolve(next: IteratorResult<Message>): void; reject(error: Error): void }[] = []
  #read = false
  #room: (() => void)[] = []
  #pongs: { resolve(): void; reject(error: Error): void }[] = []
  #stepping = false
  /** Nothing more comes; why, if that is no proper end. */
  #ended = false
  #failure: ClientError | undefined
  #destroyed = false

  constructor(transport: Transport, { url, protocol, version, messageBytes }: WebSocketAbout, clock: Clock) {
    this.url = url
    this.protocol = protocol
    this.version = version
    this.#transport = transport
    const limits = { ...DEFAULT_WEB_SOCKET_LIMITS, ...(messageBytes === undefined ? {} : { messageBytes }) }
    this.#core = new WebSocketClient(limits, () => clock.steady(), frameMask)
    this.closed = new Promise(resolve => {
      this.#close = resolve
    })
    const guard = this.#guard
    this.#late = clock.timer(
      guard.entrance(() => this.#broken(new ClientError('protocol', 'no goodbye in time'))),
    )
    transport.onDrain = guard.entrance(() => {
      this.#flush()
      if (this.#transport.queued) return
      for (const resolve of this.#room.splice(0)) resolve()
    })
    transport.read({
      bytes: guard.entrance((view: Uint8Array) => {
        this.#core.receive(view)
        this.#step()
      }),
      end: guard.entrance(() => this.#inputEnded()),
      error: guard.entrance((cause: Error) => {
        if (this.#core.over) this.#destroy()
        else this.#broken(new ClientError('protocol', `it broke: ${cause.message}`, { cause }))
      }),
    })
    transport.resume()
  }

  /**
   * Sends a message. After {@link close} it is dropped.
   * @returns undefined, or a promise of the moment when the server has taken enough for more
   * @throws TypeError for what is neither text nor bytes
   */
  send(data: Message): Promise<void> | undefined {
    if (typeof data !== 'string') checkBytes(data)
    this.#core.send(data)
    this.#flush()
    if (this.#ended || !this.#transport.queued) return undefined
    return new Promise(resolve => this.#room.push(resolve))
  }

  /** Asks whether the server is there. @returns when it has said something @throws ClientError: it is over */
  ping(): Promise<void> {
    const answered = this.#ping()
    // Who sends pings to keep it open, and no more, hears of its end otherwise.
    answered.catch(() => {})
    return answered
  }

  #ping(): Promise<void> {
    if (this.#ended || this.#core.closing) return Promise.reject(this.#failure ?? over())
    this.#core.ping()
    this.#flush()
    return new Promise((resolve, reject) => this.#pongs.push({ resolve, reject }))
  }

  /**
   * Says that it is over. Messages that come after that are dropped; those that have come may still be read.
   * @param code 1000, or one of 3000 to 4999 @param reason at most 123 bytes of UTF-8
   * @throws RangeError for others
   */
  close(code: number = CloseCode.NORMAL, reason = ''): void {
    if (code !== CloseCode.NORMAL && !(code >= 3000 && code <= 4999))
      throw new RangeError(`${code} is not a code to close with: 1000, or 3000 to 4999`)
    if (utf8(reason).length > REASON) throw new RangeError(`a reason of more than ${REASON} bytes`)
    this.leave(code, reason)
  }

  /** The same with a code that is not the application's to give. */
  leave(code: number, reason = ''): void {
    if (this.#ended || this.#core.closing) return
    this.#core.close(code, reason)
    this.#flush()
    this.#late.after(PATIENCE)
    // The server's goodbye is behind whatever else it says.
    this.#transport.resume()
    queueMicrotask(this.#guard.entrance(() => this.#step()))
  }

  /** Ends it at once. @param error what its reader hears */
  destroy(error: ClientError): void {
    this.#broken(error)
  }

  [Symbol.asyncIterator](): AsyncIterator<Message> {
    if (this.#read) throw new TypeError('the messages of a WebSocket are read once')
    this.#read = true
    return {
      next: () => this.#next(),
      return: () => {
        this.close()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  #next(): Promise<IteratorResult<Message>> {
    const value = this.#messages.shift()
    if (value !== undefined) {
      this.#held -= value.length + COST
      if (this.#held < AHEAD && !this.#ended) {
        this.#transport.resume()
        queueMicrotask(this.#guard.entrance(() => this.#step()))
      }
      return Promise.resolve({ done: false, value })
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
  }

  #step(): void {
    if (this.#stepping) return
    this.#stepping = true
    try {
      while (!this.#ended && (this.#held < AHEAD || this.#core.closing)) {
        const event = this.#core.next()
        if (event === undefined) break
        this.#on(event)
      }
    } finally {
      this.#stepping = false
    }
    if (this.#held >= AHEAD && !this.#ended && !this.#core.closing) this.#transport.pause()
    this.#flush()
  }

  #on(event: WebSocketEvent): void {
    switch (event.type) {
      case 'message':
        this.#message(event.data)
        return
      case 'pong':
        for (const { resolve } of this.#pongs.splice(0)) resolve()
        return
      case 'close':
        this.#flush()
        // Messages are missing, if only the one that broke a rule.
        if (event.broken) this.#failure = new ClientError('protocol', `it broke a rule: ${event.reason}`)
        this.#over(event)
        // The server is the one that closes (RFC 6455 §7.1.1).
        this.#transport.end()
        this.#late.after(PATIENCE)
    }
  }

  #message(data: Message): void {
    const reader = this.#readers.shift()
    if (reader !== undefined) {
      reader.resolve({ done: false, value: data })
      return
    }
    this.#messages.push(data)
    this.#held += data.length + COST
  }

  /** The stream ends. */
  #inputEnded(): void {
    if (this.#ended) this.#destroy()
    else this.#broken(new ClientError('protocol', 'it ended without a close frame'))
  }

  #broken(error: ClientError): void {
    if (!this.#ended) {
      this.#failure = error
      this.#over({ code: 1006, reason: error.message })
    }
    this.#destroy()
  }

  /** Nothing more comes of it. */
  #over({ code, reason }: WebSocketClosed): void {
    if (this.#ended) return
    this.#ended = true
    const failure = this.#failure
    for (const { resolve, reject } of this.#readers.splice(0))
      if (failure === undefined) resolve({ done: true, value: undefined })
      else reject(failure)
    for (const { reject } of this.#pongs.splice(0)) reject(failure ?? over())
    for (const resolve of this.#room.splice(0)) resolve()
    this.#close({ code, reason })
  }

  #destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    this.#late.stop()
    this.#transport.destroy()
  }

  #flush(): void {
    if (this.#destroyed || this.#transport.queued) return
    const output = this.#core.takeOutput()
    if (output.length > 0) this.#transport.write(output)
  }
}

function over(): ClientError {
  return new ClientError('aborted', 'the WebSocket is over')
}
