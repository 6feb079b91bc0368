import { createServer, type Server, type Socket } from 'node:net'
import { H1Server } from '../http/h1/index.ts'
import type { Account, Holder, MemoryBudget } from '../http/memory-budget.ts'
import type { ResponseView } from '../http/message.ts'
import { type Problem, problem } from '../http/problem.ts'
import type { Clock, Timer } from '../time/clock.ts'
import type { AlertName } from '../tls13/alert.ts'
import { alertRecord } from '../tls13/alert.ts'
import type { ByteStream, StreamError } from '../transfer/byte-stream.ts'
import { adopt } from '../transfer/stream.ts'
import { Guard } from '../transport/guard.ts'
import { concat, EMPTY, utf8 } from '../wire/index.ts'
import { reasonOf } from '../wire/thrown.ts'

/** What the recogniser found out about the first bytes of a connection. */
export type Judgement<T> =
  /** @param otherwise where it goes if no more comes in so many milliseconds */
  | { readonly kind: 'more'; readonly otherwise?: { readonly to: T; readonly milliseconds: number } }
  | { readonly kind: 'route'; readonly to: T }
  | { readonly kind: 'answer'; readonly bytes: Uint8Array; readonly reason: string }

/** A connection whose first bytes tell where it belongs. */
export interface Opening<T> {
  readonly stream: ByteStream
  /** All that the client has sent so far. */
  readonly inbound: Uint8Array
  readonly to: T
}

export interface ListenerOptions<T> {
  /** A socket that is bound already: a port stays open while it goes from one process to another. */
  readonly descriptor: number
  readonly clock: Clock
  /** Makes what judges one connection's first bytes: all of them, each time that more have come. */
  readonly judge: () => (bytes: Uint8Array) => Judgement<T>
  /** Milliseconds for the first bytes. */
  readonly timeout: number
  /** Connections that may be opening at once. */
  readonly limit: number
  /** What they hold together with others. */
  readonly memory: MemoryBudget
  /** The last words to one that is given up for what it holds. */
  readonly crowded: () => Uint8Array
  readonly onOpening: (opening: Opening<T>) => void
  readonly onDropped: (reason: string) => void
  /** Something was thrown over a connection, which has been closed: a fault of ours. */
  readonly onFault: (error: unknown) => void
}

/** Milliseconds that a client has to take a last answer. */
const ANSWER_TIME = 1000

/**
 * Accepts connections on one port and reads until their first bytes tell where they belong. Reading stops
 * there; everything read is handed on.
 */
export class Listener<T> {
  readonly #options: ListenerOptions<T>
  readonly #server: Server
  readonly #opening = new Set<ByteStream>()

  constructor(options: ListenerOptions<T>) {
    this.#options = options
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, socket =>
      this.#accept(socket),
    )
  }

  /** Connections whose first bytes are still being read. */
  get size(): number {
    return this.#opening.size
  }

  /** @returns the port in use @throws Error of Node's, with `code` EADDRINUSE, EACCES, … */
  listen(): Promise<number> {
    const { descriptor } = this.#options
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ fd: descriptor, backlog: 1024 }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', error => this.#options.onDropped(`accept: ${error.message}`))
        const address = this.#server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  }

  /** Stops accepting. What is opening goes on; others that have inherited the socket accept in our place. */
  stopAccepting(): void {
    if (this.#server.listening) this.#server.close()
  }

  /** Stops accepting, and drops what is still opening. */
  close(): void {
    this.stopAccepting()
    for (const stream of this.#opening) stream.destroy()
    this.#opening.clear()
  }

  #accept(socket: Socket): void {
    // Node reports errors of a socket that is not read yet, too.
    socket.on('error', () => {})
    const { clock, judge, timeout, limit, memory, crowded, onDropped } = this.#options
    if (this.#opening.size >= limit) {
      socket.destroy()
      onDropped('too many connections are opening')
      return
    }
    let stream: ByteStream
    try {
      stream = adopt(socket)
    } catch (error) {
      socket.destroy()
      onDropped(reasonOf(error))
      return
    }
    this.#opening.add(stream)
    let account: Account | undefined
    const guard = new Guard(error => {
      timer.stop()
      account?.close()
      this.#opening.delete(stream)
      stream.destroy()
      this.#options.onFault(error)
    })
    const drop = (reason: string): void => {
      account?.close()
      this.#drop(stream, timer, reason)
    }
    const late = guard.entrance(() => drop('the first bytes did not come in time'))
    const timer = clock.after(timeout, late)
    const decide = judge()
    let inbound: Uint8Array = EMPTY
    let patience: Timer | undefined
    const turnAway = (bytes: Uint8Array, reason: string): void => {
      timer.stop()
      patience?.stop()
      account?.close()
      this.#opening.delete(stream)
      onDropped(reason)
      answer(clock, stream, bytes)
    }
    const shed = guard.entrance((): void => {
      if (this.#opening.has(stream))
        turnAway(crowded(), 'memory is used up, and this connection has held the most for the longest')
    })
    const holder: Holder = {
      weigh: () => (this.#opening.has(stream) ? inbound.length : 0),
      get progress() {
        return inbound.length
      },
      shed: () => {
        shed()
        return true
      },
    }
    const open = guard.entrance((to: T): void => {
      timer.stop()
      patience?.stop()
      // It may have been dropped while we were patient.
      if (!this.#opening.delete(stream)) return
      account?.close()
      stream.pause()
      this.#options.onOpening({ stream, inbound, to })
    })
    stream.read({
      bytes: guard.entrance((view: Uint8Array) => {
        inbound = concat(inbound, view)
        const judgement = decide(inbound)
        if (judgement.kind === 'more') {
          const { otherwise } = judgement
          if (otherwise !== undefined)
            patience ??= clock.after(otherwise.milliseconds, () => open(otherwise.to))
          account ??= memory.open(holder)
          account.weigh(clock.steady())
          return
        }
        if (judgement.kind === 'route') {
          open(judgement.to)
          return
        }
        turnAway(judgement.bytes, judgement.reason)
      }),
      end: guard.entrance(() => drop('the client closed before it named a function')),
      error: guard.entrance((error: StreamError) => drop(error.code)),
    })
  }

  #drop(stream: ByteStream, timer: Timer, reason: string): void {
    timer.stop()
    if (!this.#opening.delete(stream)) return
    stream.destroy()
    this.#options.onDropped(reason)
  }
}

/** Sends a last answer and closes, leaving the client a moment to read it. */
export function answer(clock: Clock, stream: ByteStream, bytes: Uint8Array): void {
  const timer = clock.after(ANSWER_TIME, () => stream.destroy())
  const done = (): void => {
    timer.stop()
    stream.destroy()
  }
  // What the client still sends is read and dropped: closing over unread bytes would reset the connection and
  // lose the answer.
  stream.read({ bytes: () => {}, end: done, error: done })
  stream.resume()
  stream.write([bytes])
  stream.end()
}

/** A fatal alert for a client that has no session yet (RFC 8446 §6). */
export function alertAnswer(alert: AlertName): Uint8Array {
  return alertRecord(alert)
}

/** A problem as a whole HTTP/1.1 response that closes the connection. */
export function httpAnswer(what: Problem, now: number): Uint8Array {
  return httpReply('GET', problem(what), now)
}

/** Any response as a whole one of HTTP/1.1 that closes the connection: without its body to HEAD. */
export function httpReply(method: 'GET' | 'HEAD', response: ResponseView, now: number): Uint8Array {
  const { status, headers = [], body = EMPTY } = response
  const server = new H1Server()
  // The response of the platform does not hang on the rest of the request; the serialiser wants one.
  server.receive(utf8(`${method} / HTTP/1.1\r\nhost: localhost\r\n\r\n`))
  server.next()
  server.accept()
  return server.reply({ status, headers: [...headers, ['connection', 'close']], body }, now)
}
