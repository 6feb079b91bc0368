import { type ServingLimits, serving } from '../http/alpn.ts'
import { type Account, type Holder, type MemoryBudget, memoryProblem } from '../http/memory-budget.ts'
import type { HttpHandlers, HttpServing } from '../http/serving.ts'
import { DEFAULT_TIMERS, type TimerSettings } from '../http/timers.ts'
import type { Clock, Timer } from '../time/clock.ts'
import { EMPTY } from '../wire/index.ts'
import { Guard } from './guard.ts'
import type { Transport } from './transport.ts'
import { Turn } from './turn.ts'

/**
 * Bytes that may go on waiting for a client when its connection has given up what it could; with more it
 * ends.
 */
const RESIDUE = 65_536
/** Bytes of output that are given to the stream at once. */
const BATCH = 65_536
/** Milliseconds between two looks at what waits. */
const TICK = 500

export interface DriveOptions {
  readonly limits?: ServingLimits
  /** Looked at twice a second. */
  readonly timers?: Partial<TimerSettings>
  /** Milliseconds for which a client may take nothing of what waits for it; default: 60 000. */
  readonly stall?: number
  /** Milliseconds that a client has to take the last bytes and close; default: 2000. */
  readonly linger?: number
  /**
   * What connections may hold together, one for all of them; without it each holds what its own limits let
   * it.
   */
  readonly memory?: MemoryBudget
  /** What timers go by. */
  readonly clock: Clock
  /** Told of what was thrown over the connection and has ended it: a fault here, and no client's. */
  readonly onFault?: (error: unknown) => void
}

/** A connection that is being served. */
export interface Served {
  readonly protocol: 'http/1.1' | 'h2' | undefined
  /** Fulfilled when the stream is closed. */
  readonly closed: Promise<void>
  /** Ends the connection as soon as nothing is underway. */
  drain(): void
  /** Ends it now. */
  destroy(): void
}

/** What is known of a connection before its first byte. */
export interface Carried {
  /** What ALPN chose. */
  readonly alpn: string | undefined | null | false
  /** Whether the bytes are protected. */
  readonly secure: boolean
  /** Bytes, in front of all others, that came as early data; asked for when they are read. */
  readonly earlyBytes?: () => number
}

/**
 * Serves HTTP on a transport, which is owned from here on. It needs nothing of Node.
 * @throws TypeError if ALPN chose something that is not HTTP
 */
export function drive(
  transport: Transport,
  handlers: HttpHandlers,
  carried: Carried,
  options: DriveOptions,
): Served {
  return new Driver(transport, handlers, carried, options)
}

/** Joins a served connection to what carries it. */
class Driver implements Served, Holder {
  readonly closed: Promise<void>
  /** Everything that comes from outside comes through it: what is thrown ends this connection alone. */
  readonly #guard = new Guard(error => this.#fault(error))
  readonly #soon = this.#guard.entrance(() => {
    this.#scheduled = false
    this.#flush()
  })
  readonly #onFault: ((error: unknown) => void) | undefined
  readonly #transport: Transport
  readonly #serving: HttpServing
  readonly #clock: Clock
  readonly #stall: number
  readonly #linger: number
  readonly #ticks: Timer
  /** What the client sends may keep us busy for long: others have their turns meanwhile. */
  readonly #turn = new Turn(this.#guard.entrance(() => this.#resume()))
  #close: () => void = () => {}
  #receiving = false
  #scheduled = false
  #paused = false
  #ending = false
  /** We have said that nothing more follows. */
  #outputEnded = false
  /** The client sends no more. */
  #inputEnded = false
  #over = false
  /** Since when what was written waits for the client. */
  #stalled: number | undefined
  #lastMoment: Timer | undefined
  readonly #memory: MemoryBudget | undefined
  readonly #account: Account | undefined
  /** Bytes that have come and that were written. */
  #moved = 0
  /** What {@link progress} was when it was seen to change last, and that moment. */
  #seen = 0
  #changed: number
  readonly #keepAlive: number

  constructor(
    transport: Transport,
    handlers: HttpHandlers,
    { alpn, secure, earlyBytes = () => 0 }: Carried,
    options: DriveOptions,
  ) {
    const { limits, timers, clock, stall = 60_000, linger = 2000, memory } = options
    this.#onFault = options.onFault
    const guard = this.#guard
    const context = {
      handlers,
      timers: { ...DEFAULT_TIMERS, ...timers },
      now: () => clock.steady(),
      date: () => clock.wall(),
      wake: () => this.#wake(),
      fault: (error: unknown) => guard.fail(error),
      earlyBytes,
      goesOn: () => this.#turn.goesOn(),
    }
    this.#serving = serving(alpn, !secure, context, limits)
    this.#transport = transport
    this.#clock = clock
    this.#stall = stall
    this.#keepAlive = context.timers['keep-alive']
    this.#changed = clock.steady()
    this.#linger = linger
    this.#memory = memory
    this.#account = memory?.open(this)
    this.closed = new Promise(resolve => {
      this.#close = resolve
    })
    this.#ticks = clock
      .every(
        TICK,
        guard.entrance(() => this.#tick()),
      )
      .unref()
    transport.onDrain = guard.entrance(() => {
      this.#stalled = undefined
      this.#flush()
    })
    transport.read({
      bytes: guard.entrance((view: Uint8Array) => this.#receive(view)),
      end: guard.entrance(() => this.#ended()),
      error: guard.entrance((error: Error) => this.#gone(error)),
    })
    // HTTP/2 speaks first.
    guard.run(() => this.#flush())
  }

  get protocol(): 'http/1.1' | 'h2' | undefined {
    return this.#serving.protocol
  }

  drain(): void {
    this.#guard.run(() => {
      this.#serving.drain()
      this.#flush()
    })
  }

  destroy(): void {
    this.#guard.run(() => this.#gone(new Error('the server ends the connection')))
  }

  get progress(): number {
    return this.#moved - this.#transport.unsent
  }

  weigh(): number {
    if (this.#over) return 0
    try {
      return this.#serving.held + this.#transport.unsent
    } catch (error) {
      this.#guard.fail(error)
      return 0
    }
  }

  shed(): boolean {
    const what = memoryProblem('memory', this.#memory?.limit ?? 0)
    // Another connection may be at work just now, and has nothing to do with what goes wrong here.
    this.#guard.run(() => {
      if (!this.#ending) this.#serving.shed(what)
      this.#flush()
      if (this.weigh() > RESIDUE) this.#gone(new Error(what.name))
    })
    return true
  }

  #receive(view: Uint8Array): void {
    if (this.#ending) return
    this.#moved += view.length
    this.#receiving = true
    try {
      this.#serving.receive(view)
    } finally {
      this.#receiving = false
    }
    this.#flush()
  }

  #ended(): void {
    if (this.#ending) {
      if (!this.#transport.queued) this.#gone(new Error('the stream has ended'))
      return
    }
    this.#inputEnded = true
    // What has come before is worked off first.
    if (!this.#turn.over) this.#serving.finish()
    this.#flush()
  }

  /** Goes on with what was left in the last turn. */
  #resume(): void {
    this.#receive(EMPTY)
    if (this.#inputEnded && !this.#turn.over && !this.#ending) this.#ended()
  }

  /** Something has changed. Small parts of one response, written one after the other, leave together. */
  #wake(): void {
    if (this.#receiving || this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(this.#soon)
  }

  #flush(): void {
    if (this.#over) return
    this.#send()
    const account = this.#account
    if (account !== undefined && (account.held > 0 || this.weigh() > 0)) account.weigh(this.#clock.steady())
  }

  #send(): void {
    const transport = this.#transport
    while (!transport.queued && !this.#over) {
      const out = this.#serving.takeOutput()
      if (out.length === 0) break
      for (const { length } of out) this.#moved += length
      transport.write(joined(out))
    }
    if (transport.queued) this.#stalled ??= this.#clock.steady()
    else if (this.#serving.shouldClose) this.#end()
    else if (this.#serving.outputEnded) this.#endOutput()
    const wantsInput = this.#serving.wantsInput && !this.#turn.over
    if (this.#paused !== wantsInput || this.#ending) return
    this.#paused = !this.#paused
    if (this.#paused) transport.pause()
    else transport.resume()
  }

  /**
   * Says goodbye, and reads and drops what the client still sends, so that no reset overtakes our last bytes.
   */
  #end(): void {
    if (this.#ending) return
    this.#ending = true
    if (this.#serving.aborted) {
      this.#gone(new Error('a response broke off'))
      return
    }
    this.#endOutput()
    if (this.#paused) this.#transport.resume()
    const late = this.#guard.entrance(() => this.#gone(new Error('the client does not close')))
    this.#lastMoment = this.#clock.after(this.#linger, late)
  }

  #endOutput(): void {
    if (this.#outputEnded) return
    this.#outputEnded = true
    this.#transport.end()
  }

  #gone(reason: Error, abort = false): void {
    if (this.#over) return
    this.#over = true
    this.#ending = true
    this.#account?.close()
    this.#ticks.stop()
    this.#turn.stop()
    this.#lastMoment?.stop()
    try {
      this.#serving.broken(reason)
      if (abort) this.#transport.abort?.()
    } finally {
      try {
        this.#transport.destroy()
      } finally {
        this.#close()
      }
    }
  }

  /** Something was thrown that must not be. */
  #fault(error: unknown): void {
    this.#onFault?.(error)
    this.#gone(new Error('the connection failed'), true)
  }

  #tick(): void {
    if (this.#ending) return
    const now = this.#clock.steady()
    const { progress } = this
    if (progress !== this.#seen) {
      this.#seen = progress
      this.#changed = now
    }
    if (this.#stalled !== undefined && now - Math.max(this.#stalled, this.#changed) > this.#stall) {
      this.#gone(new Error('the client takes nothing'))
      return
    }
    if (this.#deserted(now)) {
      this.#gone(new Error('the client has closed its side, and nothing was sent to it for too long'))
      return
    }
    this.#serving.tick()
    this.#flush()
  }

  /** A client that has closed its side may have gone: that shows only when something is sent. */
  #deserted(now: number): boolean {
    const quiet = this.#keepAlive > 0 && now - this.#changed > this.#keepAlive
    return this.#inputEnded && this.#stalled === undefined && quiet && !this.#serving.pending
  }
}

/** Small pieces as one: a write costs more than a copy. */
function joined(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  if (pieces.length === 1) return pieces
  let length = 0
  for (const piece of pieces) length += piece.length
  if (length > BATCH) return pieces
  const whole = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return [whole]
}
