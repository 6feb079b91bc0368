import type { IncomingMessage } from 'node:http'
import { get, type RequestOptions } from 'node:https'
import { WebSocket } from 'ws'
import { HOST, type Role, type Seen } from './orders.ts'
import { type Kind, PERIOD, PIECE, pieceOf, questionOf } from './pieces.ts'

/** Milliseconds until a client whose stream is lost comes again. */
const AGAIN = 100
const NEVER = 1 << 30

/** What all streams of a crowd have seen. */
export class Sight {
  lost = 0
  again = 0
  handshakes = 0
  wrong = 0
  pauses: number[] = []

  /** What it was, and begins anew. */
  collect(): Seen {
    const { lost, again, handshakes, wrong, pauses } = this
    Object.assign(this, new Sight())
    return { lost, again, handshakes, wrong, pauses }
  }
}

/** A client with one stream, which it opens again when it is lost. */
export abstract class Stream {
  protected readonly role: Role
  protected readonly sight: Sight
  /** When the last piece came. */
  protected at = 0
  /** Pieces have come since it was opened last. */
  #flows = false
  #opened = false
  #first: (() => void) | undefined

  constructor(role: Role, sight: Sight) {
    this.role = role
    this.sight = sight
  }

  /** Opens it. Settled when its first piece has come. */
  open(): Promise<void> {
    return new Promise(resolve => {
      this.#first = resolve
      this.connect()
    })
  }

  protected abstract connect(): void

  /** How a connection of its own is made. */
  protected get options(): RequestOptions {
    const { port, authority } = this.role
    return { host: '127.0.0.1', port, servername: HOST, ca: authority, agent: false, headers: { host: HOST } }
  }

  protected shaken(): void {
    if (this.#opened) this.sight.handshakes++
    this.#opened = true
  }

  /** A piece has come. @param pause milliseconds that it came later than it had to */
  protected came(pause: number): void {
    this.at = performance.now()
    this.#flows = true
    this.sight.pauses.push(Math.max(0, pause))
    this.#first?.()
    this.#first = undefined
  }

  protected lost(): void {
    if (this.#flows) this.sight.lost++
    this.#flows = false
    setTimeout(() => this.connect(), AGAIN)
  }
}

/** Server-sent events, or a download, in pieces that are due one period after another. */
export class Pieces extends Stream {
  readonly #kind: Exclude<Kind, 'socket'>
  #n = 0
  #rest: Uint8Array = new Uint8Array(0)

  constructor(kind: Exclude<Kind, 'socket'>, role: Role, sight: Sight) {
    super(role, sight)
    this.#kind = kind
  }

  protected connect(): void {
    if (this.#kind === 'download') {
      this.sight.again += this.#n * PIECE + this.#rest.length
      this.#n = 0
    }
    this.#rest = new Uint8Array(0)
    const { path, headers } = questionOf(this.#kind, this.#n)
    const { options } = this
    let over = false
    const end = (): void => {
      if (over) return
      over = true
      this.lost()
    }
    get({ ...options, path, headers: { ...options.headers, ...headers } }, response => this.#read(response))
      .on('socket', socket => socket.once('secureConnect', () => this.shaken()))
      .on('error', end)
      .on('close', end)
  }

  #read(response: IncomingMessage): void {
    response.on('data', (bytes: Uint8Array) => {
      this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
      for (;;) {
        const next = pieceOf(this.#kind, this.#n + 1)
        if (this.#rest.length < next.length) return
        if (!next.every((byte, at) => byte === this.#rest[at])) {
          this.sight.wrong++
          response.destroy()
          return
        }
        this.#rest = this.#rest.subarray(next.length)
        this.#n++
        this.came(this.at === 0 ? 0 : performance.now() - this.at - PERIOD)
      }
    })
    // The request tells of its end, too.
    response.on('error', () => undefined)
  }
}

/** A WebSocket whose server counts its messages. */
export class Socket extends Stream {
  #count = 0
  #silent = false
  #sentAt = 0
  #socket: WebSocket | undefined
  #spoken: (() => void) | undefined

  protected connect(): void {
    const socket = new WebSocket(`wss://127.0.0.1:${this.role.port}/`, this.options)
    this.#socket = socket
    this.#count = 0
    socket.on('open', () => {
      this.shaken()
      this.#speak(socket)
    })
    socket.on('message', data => {
      if (String(data) !== String(this.#count)) this.sight.wrong++
      this.came(performance.now() - this.#sentAt)
      this.#spoken?.()
      setTimeout(() => this.#speak(socket), PERIOD)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => this.lost())
  }

  hush(): void {
    this.#silent = true
  }

  /** Settled when it has been answered. */
  speak(): Promise<void> {
    this.#silent = false
    return new Promise(resolve => {
      this.#spoken = resolve
      if (this.#socket?.readyState === WebSocket.OPEN) this.#speak(this.#socket)
    })
  }

  #speak(socket: WebSocket): void {
    if (this.#silent || socket.readyState !== WebSocket.OPEN) return
    this.#count = (this.#count + 1) % NEVER
    this.#sentAt = performance.now()
    socket.send('a message')
  }
}
