import type { Clock, Timer } from '../time/clock.ts'
import type { ByteStream } from '../transfer/byte-stream.ts'

/** Milliseconds that one side has to close when the other has ended, and to take something of what waits. */
const LINGER = 30_000

/** What a shortcut leaves out: it joins a stream of this host with something else. */
export interface Bypassed {
  /** It is open, and nothing of it has ended. */
  readonly isWhole: boolean
  /**
   * Ends it, but not its stream here. @param takes called with that, unread, when the other side has ended
   * and everything that it said is written
   */
  detour(takes: (stream: ByteStream) => void): void
  /** Ends it and its stream. */
  break(): void
}

export interface JunctionOptions {
  /** Towards the client. */
  readonly outer: ByteStream
  /** Towards the container. */
  readonly inner: ByteStream
  readonly clock: Clock
  /** Called once, when it is over: both are closed, but for one that was taken. */
  readonly ended: (junction: Junction) => void
}

/** Two streams of this host, each of which gets what the other one says. */
export class Junction implements Bypassed {
  readonly #options: JunctionOptions
  readonly #ended = new Set<ByteStream>()
  #over = false
  #linger: Timer | undefined
  #keeps: 'outer' | 'inner' = 'outer'
  /** Takes the stream that is kept, which is not read any more. */
  #takes: ((stream: ByteStream) => void) | undefined

  /** Takes both streams over. */
  constructor(options: JunctionOptions) {
    this.#options = options
    const { outer, inner } = options
    this.#join(outer, inner)
    this.#join(inner, outer)
    if (outer.state !== 'open' || inner.state !== 'open') this.break()
  }

  get isOver(): boolean {
    return this.#over
  }

  /** Neither side has ended, and neither is to be taken. */
  get isWhole(): boolean {
    return !this.#over && this.#ended.size === 0 && this.#takes === undefined
  }

  /** A {@link detour} is to leave this stream. */
  keeping(which: 'outer' | 'inner'): this {
    this.#keeps = which
    return this
  }

  detour(takes: (stream: ByteStream) => void): void {
    this.#takes = takes
    this.#kept.pause()
    this.#other.end()
  }

  get #kept(): ByteStream {
    return this.#options[this.#keeps]
  }

  get #other(): ByteStream {
    return this.#options[this.#keeps === 'outer' ? 'inner' : 'outer']
  }

  /** Closes both. */
  break(): void {
    if (this.#over) return
    this.#close()
    this.#options.outer.destroy()
    this.#options.inner.destroy()
    this.#options.ended(this)
  }

  #close(): void {
    this.#over = true
    this.#linger?.stop()
  }

  #join(from: ByteStream, to: ByteStream): void {
    to.onDrain = () => {
      if (this.#over) return
      if (this.#takes === undefined || from !== this.#kept) from.resume()
      this.#settle()
    }
    from.read({
      bytes: view => {
        if (to.forward([view]) === 'queued') from.pause()
      },
      end: () => {
        this.#ended.add(from)
        if (this.#takes === undefined) {
          if (to.state === 'open') to.end()
          this.#wait(to)
        }
        this.#settle()
      },
      error: () => this.break(),
    })
    if (to.queued) from.pause()
    else from.resume()
  }

  #wait(to: ByteStream): void {
    const { queued, unsent } = to
    const later = (): void => {
      if (queued && to.unsent < unsent) this.#wait(to)
      else this.break()
    }
    this.#linger?.stop()
    this.#linger = this.#options.clock.after(LINGER, later).unref()
  }

  #settle(): void {
    const { outer, inner } = this.#options
    if (this.#over) return
    if (this.#takes === undefined) {
      if (this.#ended.size === 2 && !outer.queued && !inner.queued) this.break()
      return
    }
    // What it was sent last is read behind its end, if the kernel has it.
    if (!this.#ended.has(this.#other) || this.#other.queued) return
    this.#close()
    this.#other.destroy()
    this.#takes(this.#kept)
    this.#options.ended(this)
  }
}
