import { H2Error } from './error.ts'
import { FrameType } from './frame.ts'
import { earn, type H2Limits, type Spent, spend } from './limits.ts'
import type { Output } from './output.ts'
import { INITIAL_SETTINGS, type Settings } from './settings.ts'
import type { H2State } from './state.ts'
import type { Stream } from './stream.ts'
import { giveBack, type ReceiveWindow, takeIn } from './window.ts'

/** DATA with less content than this costs more than it brings. */
const TINY = 64

/** The receiving half's windows: what the peer may send, and what is given back to it. */
export class Receiver {
  /** The connection's window. */
  readonly window: ReceiveWindow
  readonly #output: Output
  readonly #limits: H2Limits
  readonly #settings: Settings
  readonly #capacity: number

  constructor(output: Output, limits: H2Limits, settings: Settings, state?: H2State) {
    this.#output = output
    this.#limits = limits
    this.#settings = settings
    this.#capacity = Math.max(limits.connectionWindow, INITIAL_SETTINGS.initialWindowSize)
    const { receiveWindow = INITIAL_SETTINGS.initialWindowSize, returned = 0 } = state ?? {}
    this.window = { receiveWindow, returned }
  }

  /** The connection's window begins small, and only WINDOW_UPDATE makes it larger (§6.9.2). */
  open(): void {
    const more = this.#capacity - this.window.receiveWindow
    this.window.receiveWindow += more
    this.#update(0, more)
  }

  /** Gives bytes back to the connection's window. */
  credit(bytes: number): void {
    this.#update(0, giveBack(this.window, bytes, this.#capacity))
  }

  /** Gives bytes back that the application has done with. */
  consume(stream: Stream, count: number): void {
    const bytes = Math.min(count, stream.unconsumed)
    stream.unconsumed -= bytes
    this.credit(bytes)
    if (stream.state === 'half-closed (remote)') return
    this.#update(stream.id, giveBack(stream, bytes, this.#settings.initialWindowSize))
  }

  /**
   * Takes a DATA frame out of the connection's window. @param length bytes of its payload, padding and all
   */
  takeIn(length: number): void {
    if (!takeIn(this.window, length))
      throw new H2Error('FLOW_CONTROL_ERROR', 'more than the connection may take')
  }

  /**
   * Takes a DATA frame out of its stream's window. @param size bytes of content. @throws H2Error for the
   * stream
   */
  content(stream: Stream, length: number, size: number, endStream: boolean, spent: Spent): void {
    const { id } = stream
    if (!takeIn(stream, length)) throw new H2Error('FLOW_CONTROL_ERROR', 'more than the stream may take', id)
    if (!stream.headReceived) throw new H2Error('PROTOCOL_ERROR', 'content before its head', id)
    if (stream.expected >= 0) {
      stream.expected -= size
      // RFC 9113 §8.1.1.
      if (stream.expected < 0 || (endStream && stream.expected > 0)) {
        throw new H2Error('PROTOCOL_ERROR', 'content that is not as long as Content-Length says', id)
      }
    }
    if (size < TINY && !endStream) spend(spent, 'empty', this.#limits)
    else earn(spent, 'empty', size >> 10)
    if (length > size) this.consume(stream, length - size)
  }

  #update(streamId: number, increment: number): void {
    if (increment === 0) return
    this.#output.frame(FrameType.WINDOW_UPDATE, 0, streamId, 4)
    this.#output.uint32(increment)
  }
}
