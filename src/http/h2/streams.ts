import { H2Error } from './error.ts'
import type { Receiver } from './receiver.ts'
import type { Sender } from './sender.ts'
import { exportStream, type H2State, restoreStream } from './state.ts'
import { type Stream, type StreamEvent, TRANSITIONS } from './stream.ts'

/** Streams that we have reset and still remember. */
const RESETS_REMEMBERED = 256

/** The streams of one connection that are open or half closed, by number, and which of them we have reset. */
export class Streams extends Map<number, Stream> {
  readonly #sender: Sender
  readonly #receiver: Receiver
  readonly #resets: Set<number>

  /** @throws TypeError for a state that names a stream which it does not have */
  constructor(sender: Sender, receiver: Receiver, state?: H2State) {
    super()
    this.#sender = sender
    this.#receiver = receiver
    this.#resets = new Set(state?.resetStreams)
    for (const value of state?.streams ?? []) this.set(value.id, restoreStream(value))
    for (const id of state?.sending ?? []) {
      const stream = this.get(id)
      if (stream === undefined) throw new TypeError(`the state names stream ${id}, which is not there`)
      sender.enqueue(stream)
    }
  }

  /** Moves a stream on by the table of RFC 9113 §5.1. @throws H2Error for what the table forbids */
  advance(stream: Stream, event: StreamEvent): void {
    const next = TRANSITIONS[stream.state][event]
    if (typeof next !== 'string') {
      throw new H2Error(next.error, `${event} in ${stream.state}`, next.scope === 'stream' ? stream.id : 0)
    }
    if (next === 'closed') this.close(stream)
    else stream.state = next
  }

  /** It is over: what waits to be sent is dropped, and the connection's window gets back what it held. */
  close(stream: Stream): void {
    stream.state = 'closed'
    this.delete(stream.id)
    this.#sender.drop(stream)
    this.#receiver.credit(stream.unconsumed)
  }

  /** Ends a stream by RST_STREAM. */
  reset(stream: Stream, code: number): void {
    this.refuse(stream.id, code)
    this.close(stream)
  }

  /** RST_STREAM for a stream that never came to be. */
  refuse(streamId: number, code: number): void {
    this.#sender.output.reset(streamId, code)
    this.#resets.add(streamId)
    if (this.#resets.size > RESETS_REMEMBERED) this.#resets.delete(this.#resets.values().next().value!)
  }

  /** Whether we have reset that stream, and remember it. */
  wasReset(streamId: number): boolean {
    return this.#resets.has(streamId)
  }

  /** Forgets all of them; nothing is given back to the connection, which is over. */
  override clear(): void {
    for (const stream of this.values()) this.#sender.drop(stream)
    super.clear()
  }

  export(): Pick<H2State, 'resetStreams' | 'streams'> {
    const streams: H2State['streams'][number][] = []
    for (const stream of this.values()) streams.push(exportStream(stream))
    return { resetStreams: [...this.#resets], streams }
  }
}
