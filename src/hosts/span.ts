import type { Clock, Timer } from '../time/clock.ts'
import type { ByteStream } from '../transfer/byte-stream.ts'
import { type Descriptor, openStream } from '../transfer/stream.ts'
import type { Frame } from './frames.ts'
import { ReceiveWindow, SendWindow } from './window.ts'

/** Bytes of the longest read of a stream, and so of the longest piece. */
export const LONGEST_READ = 196_608
/**
 * Milliseconds that a client has to close when the other host has ended, and all is sent; and to take
 * something of what waits for it.
 */
const LINGER = 30_000

/** What a span needs of the meeting of the two hosts. */
export interface SpanOwner {
  readonly clock: Clock
  send(frame: Frame): void
  /** More waits for the other host than it takes. */
  readonly blocked: boolean
  /** It is over. */
  ended(span: Span): void
}

/** By what a connection goes between two hosts. */
export interface Carriage {
  readonly number: number
  /** The one that it was offered to has it. */
  open(): void
  /** It has not. @returns when it can go on here; undefined: at once */
  close(): Promise<void> | undefined
  /** Breaks it off for both hosts. */
  break(): void
}

/**
 * The part of a connection's bytes that runs between two hosts: what is read of a stream here goes there, and
 * the other way round. It knows nothing of what they mean.
 */
export class Span implements Carriage {
  readonly number: number
  readonly #owner: SpanOwner
  /** Until it is ours: another process may read it instead. */
  #descriptor: Descriptor | undefined
  #stream: ByteStream | undefined
  readonly #sending = new SendWindow()
  readonly #receiving = new ReceiveWindow()
  /** Bytes that wait for the stream. */
  #unpassed = 0
  #paused = false
  #nearEnded = false
  #farEnded = false
  #over = false
  #linger: Timer | undefined
  /** Takes the stream when the other side has sent all, see {@link detour}. */
  #takes: ((stream: ByteStream) => void) | undefined

  constructor(number: number, owner: SpanOwner, descriptor: Descriptor) {
    this.number = number
    this.#owner = owner
    this.#descriptor = descriptor
  }

  get isOver(): boolean {
    return this.#over
  }

  /** From here on no other process reads this end. */
  open(): void {
    const descriptor = this.#descriptor
    if (descriptor === undefined || this.#over) return
    this.#descriptor = undefined
    let stream: ByteStream
    try {
      stream = openStream(descriptor, { kind: 'raw', readsOn: true })
    } catch {
      // The client has gone meanwhile.
      this.break()
      return
    }
    this.#stream = stream
    stream.onDrain = () => {
      const passed = this.#unpassed
      this.#unpassed = 0
      this.#pass(passed)
      this.#settle()
    }
    stream.read({
      bytes: view => this.#fromNear(view),
      end: () => {
        this.#nearEnded = true
        this.#owner.send({ kind: 'end', span: this.number })
        this.#settle()
      },
      error: () => this.break(),
    })
  }

  /** @throws RangeError more bytes than may be underway */
  data(bytes: Uint8Array): void {
    if (this.#over) return
    if (this.#farEnded) throw new RangeError('bytes behind the end of a span')
    // The other host serves it already: the word of that is behind.
    this.open()
    this.#receiving.came(bytes.length, LONGEST_READ)
    const stream = this.#stream
    if (stream === undefined) return
    if (stream.forward([bytes]) === 'queued') this.#unpassed += bytes.length
    else this.#pass(bytes.length)
  }

  /** @throws RangeError more than were sent */
  credit(bytes: number): void {
    this.#sending.credited(bytes)
    this.resume()
  }

  /** The other side sends no more. */
  farEnd(): void {
    if (this.#over || this.#farEnded) return
    this.open()
    this.#farEnded = true
    const stream = this.#stream
    if (this.#takes !== undefined && stream !== undefined) {
      this.#stream = undefined
      // Before its owner hears of the end: it is one that was meant.
      this.#takes(stream)
      this.close()
      return
    }
    if (stream?.state === 'open') stream.end()
    this.#wait()
    this.#settle()
  }

  /** It is open, and neither side has ended. */
  get isWhole(): boolean {
    return !this.#over && !this.#nearEnded && !this.#farEnded && this.#stream?.state === 'open'
  }

  /**
   * Ends it, but not its stream here. @param takes called with that, paused, when the other side has ended
   * and everything that it sent has been written
   */
  detour(takes: (stream: ByteStream) => void): void {
    this.#takes = takes
    this.drain()
  }

  /** Lets it finish: to the other host it looks as if nothing more came from here. */
  drain(): void {
    if (this.#over || this.#nearEnded || this.#stream === undefined) return
    this.#nearEnded = true
    this.#stream.pause()
    this.#owner.send({ kind: 'end', span: this.number })
    this.#settle()
  }

  /** One that takes slowly what there is for it is waited for, and one that takes nothing is not. */
  #wait(): void {
    const { queued = false, unsent = 0 } = this.#stream ?? {}
    const later = (): void => {
      if (queued && (this.#stream?.unsent ?? 0) < unsent) this.#wait()
      else this.break()
    }
    this.#linger = this.#owner.clock.after(LINGER, later).unref()
  }

  /** There is room again. */
  resume(): void {
    if (!this.#paused || this.#nearEnded || !this.#sending.open || this.#owner.blocked) return
    this.#paused = false
    if (this.#stream?.state === 'open') this.#stream.resume()
  }

  /** Breaks it off for both hosts. */
  break(): void {
    if (this.#over) return
    this.#owner.send({ kind: 'reset', span: this.number })
    this.close()
  }

  /** Closes our end: of a leg, its gateway finds the end, and no byte comes after it. */
  close(): undefined {
    if (this.#over) return
    this.#over = true
    this.#linger?.stop()
    this.#descriptor?.close()
    this.#stream?.destroy()
    this.#owner.ended(this)
  }

  #fromNear(view: Uint8Array): void {
    if (this.#over || this.#nearEnded) return
    this.#owner.send({ kind: 'data', span: this.number, bytes: view })
    this.#sending.sent(view.length)
    if (this.#sending.open && !this.#owner.blocked) return
    this.#paused = true
    this.#stream?.pause()
  }

  #pass(bytes: number): void {
    const credit = this.#receiving.passed(bytes)
    if (credit > 0 && !this.#over) this.#owner.send({ kind: 'credit', span: this.number, bytes: credit })
  }

  #settle(): void {
    if (this.#nearEnded && this.#farEnded && this.#stream?.queued !== true) this.close()
  }
}
