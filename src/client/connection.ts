import type { Socket } from 'node:net'
import type { Clock, Timer } from '../time/clock.ts'
import { SessionState } from '../tls13/index.ts'
import type { Descriptor } from '../transfer/stream.ts'
import { orTooLate } from '../transport/attempt.ts'
import { Guard } from '../transport/guard.ts'
import type { Transport } from '../transport/transport.ts'
import { encode, wipe } from '../wire/index.ts'
import { ClientError, timedOut } from './error.ts'
import type { Exchange, Leaves, Protocol, Released, Seen } from './exchange.ts'
import { type Carried, leaving, obstacleTo, takeOut } from './moving.ts'
import type { ClientOptions, Timeouts } from './options.ts'
import { CLIENT_STATE_VERSION, type ClientApplication, ClientConnectionState } from './state.ts'

/** Interim responses to one request: nothing holds a server back here, so there is an end. */
export const INTERIM = 32
/** Milliseconds that a server has to close its side when we have closed ours. */
const LINGER = 1000
/** Milliseconds that a server has to take what was written before its connection leaves. */
const LEAVE = 1000

const ENDED = 'the connection ended as it was to leave'
const STUCK = `its server did not take what was written within ${LEAVE} ms`

/** Who has a connection among others. */
export interface ConnectionOwner {
  /** It takes a request that waits, perhaps. */
  available(connection: Connection): void
  /** It takes no new request; those that are on it go on. */
  closing(connection: Connection): void
  /** It is over: forget it. */
  gone(connection: Connection): void
}

/** What every connection of a client is given. */
export interface ConnectionSettings {
  readonly clock: Clock
  readonly timeouts: Timeouts
  /** See {@link ClientOptions.exclusive}. */
  readonly exclusive?: boolean | undefined
}

/**
 * A connection to a server with requests on it: what HTTP/1 and HTTP/2 have in common. It owns its transport,
 * and nothing that is thrown over it leaves it.
 */
export abstract class Connection implements Leaves {
  abstract readonly protocol: Protocol
  /** Requests that it takes now. */
  abstract readonly room: number
  /** Requests that are on it. */
  abstract readonly underway: number
  /** How it came about. */
  #connected: Carried
  protected readonly guard: Guard
  protected readonly transport: Transport
  protected readonly settings: ConnectionSettings
  protected readonly owner: ConnectionOwner
  readonly #timer: Timer
  /** Requests that have been sent over it. */
  protected sent = 0
  #over = false
  #closing = false
  #frozen = false
  #onRoom: (() => void) | undefined
  /** Whether the process lives for its sake. */
  #held = true

  constructor(connected: Carried, owner: ConnectionOwner, settings: ConnectionSettings) {
    this.#connected = connected
    this.transport = connected.transport
    this.owner = owner
    this.settings = settings
    this.guard = new Guard(cause =>
      this.fail(new ClientError('protocol', 'the connection failed', { cause })),
    )
    // What is underway holds the process by its socket.
    this.#timer = settings.clock.timer(this.guard.entrance(() => this.onTime())).unref()
  }

  /** Sends a request. Only if there is {@link room}. */
  abstract send(exchange: Exchange): void
  /** Bytes of the server, valid until it returns. */
  protected abstract onBytes(view: Uint8Array): void
  /** The server sends no more. */
  protected abstract onEnd(): void
  /** What was queued has left. */
  protected abstract onDrain(): void
  /** The time has come that {@link ring} was told of. */
  protected abstract onTime(): void
  /** Tells all requests that are on it: they get nothing more. */
  protected abstract failAll(error: ClientError, seen?: Seen): void

  /** No request has been sent over it yet. */
  get unused(): boolean {
    return this.sent === 0
  }

  /** Why what is on it cannot go on in another process; undefined: it can. */
  protected abstract readonly obstacle: string | undefined
  /** The same, of all that it is. */
  get rooted(): string | undefined {
    return this.obstacle ?? obstacleTo(this.connected)
  }
  /** What it is above TLS; nothing is written from here on. */
  protected abstract export(): ClientApplication
  /** It does not leave after all: what it has held back meanwhile goes on. */
  protected abstract thaw(): void

  get over(): boolean {
    return this.#over
  }

  /** It is leaving: nothing is written, and what comes is only kept. */
  protected get frozen(): boolean {
    return this.#frozen
  }

  /**
   * Gives the connection away, with the requests that are on it, whose callers here hear that it has gone.
   * @param stays told why it cannot leave, and goes on here or has ended
   * @param patience milliseconds for what waits to leave before: then it fails; 0: it stays, after a second
   * @returns undefined if it cannot leave
   */
  async release(origin: string, stays?: (why: string) => void, patience = 0): Promise<Released | undefined> {
    // It is leaving by an earlier call.
    if (this.#over || this.#frozen) return undefined
    const why = this.rooted
    if (why !== undefined) {
      stays?.(why)
      return undefined
    }
    this.#closing = true
    this.#frozen = true
    const emptied = await this.#emptied(patience > 0 ? patience : LEAVE)
    if (!emptied && patience > 0) this.fail(new ClientError('timeout', 'the server takes nothing'))
    if (this.#over || !emptied) {
      stays?.(this.#over ? ENDED : STUCK)
      if (!this.#over) this.#stay()
      return undefined
    }
    let descriptor: Descriptor | undefined
    try {
      const taken = await takeOut(this.connected, bytes => this.onBytes(bytes))
      descriptor = taken.descriptor
      // What had come and was not read may have ended it.
      if (this.#over) throw new Error(ENDED)
      const { session } = taken
      const state = { version: CLIENT_STATE_VERSION, origin, session, application: this.export() }
      const bytes = encode(ClientConnectionState, state)
      if (session !== undefined) wipe(SessionState, session)
      this.#leave()
      this.failAll(new ClientError('aborted', 'the connection has gone to another process'), 'answered')
      return { state: bytes, descriptor }
    } catch (cause) {
      descriptor?.close()
      this.fail(new ClientError('protocol', ENDED, { cause }))
      stays?.(ENDED)
      return undefined
    }
  }

  /** Waits until the kernel has all that was written. @returns false if that takes too long */
  async #emptied(most: number): Promise<boolean> {
    const late = new AbortController()
    const timer = this.settings.clock.after(most, () => late.abort(new Error(STUCK)))
    const left = async (): Promise<boolean> => {
      while (!this.#over)
        if (this.transport.queued) await this.#room()
        else if (!(await leaving(this.connected))) break
      return true
    }
    try {
      return await orTooLate(left(), late.signal, () => {})
    } catch {
      return false
    } finally {
      timer.stop()
    }
  }

  /** It goes on here as if it had never been to leave, but for new requests. */
  #stay(): void {
    this.#frozen = false
    if (this.underway === 0) this.close()
    else this.guard.run(() => this.thaw())
  }

  #room(): Promise<void> {
    return new Promise(resolve => {
      this.#onRoom = resolve
    })
  }

  /** No new request: it ends when those that are on it have ended. */
  get closing(): boolean {
    return this.#closing
  }

  /** Begins to read. */
  protected open(): void {
    const { guard, transport } = this
    transport.onDrain = guard.entrance(() => {
      this.#onRoom?.()
      if (!this.#over && !this.#frozen) this.onDrain()
    })
    transport.read({
      bytes: guard.entrance((view: Uint8Array) => {
        if (!this.#over) this.onBytes(view)
      }),
      end: guard.entrance(() => {
        if (this.#over) this.transport.destroy()
        else this.onEnd()
      }),
      error: guard.entrance((cause: Error) =>
        this.fail(new ClientError('protocol', `the connection broke: ${cause.message}`, { cause })),
      ),
    })
  }

  get connected(): Carried {
    return this.#connected
  }

  /** It has been used before it was there, and is there now. */
  set connected(connected: Carried) {
    this.#connected = connected
    this.hold(this.#held)
  }

  /** Has {@link onTime} called, and not when it was going to be. @param milliseconds 0: not at all */
  protected ring(milliseconds: number): void {
    if (milliseconds > 0) this.#timer.after(milliseconds)
    else this.#timer.stop()
  }

  /** Whether the process lives for its sake: not while it is unused. */
  protected hold(on: boolean): void {
    this.#held = on
    const stream = this.#connected.stream as Partial<Socket> | undefined
    if (on) stream?.ref?.()
    else stream?.unref?.()
  }

  protected late(timeout: 'headers' | 'body', what: string): ClientError {
    return timedOut(timeout, this.settings.timeouts[timeout], what)
  }

  /** Takes no new request, and ends when nothing is underway. */
  drain(): void {
    const before = this.#closing
    this.#closing = true
    if (this.underway === 0) this.close()
    else if (!before) this.owner.closing(this)
  }

  /** Ends it in order; nothing is underway. What the server still says is for no request. */
  close(): void {
    this.guard.run(() => {
      if (this.#over || this.#frozen) return
      this.#leave()
      this.transport.end()
      this.transport.resume()
      this.settings.clock.after(LINGER, () => this.transport.destroy()).unref()
    })
  }

  /** Ends it at once. @param seen how much the server may have seen of the requests that are on it */
  fail(error: ClientError, seen?: Seen): void {
    if (this.#over) return
    this.#leave()
    this.transport.destroy()
    this.failAll(error, seen)
  }

  #leave(): void {
    this.#over = true
    this.#closing = true
    this.#timer.stop()
    this.#onRoom?.()
    this.owner.gone(this)
  }
}
