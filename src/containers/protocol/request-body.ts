import type { HttpRequest } from '../../http/serving.ts'
import { STATE_BYTES } from '../../transfer/consignments/responses.ts'
import { concat, Pieces } from '../../wire/index.ts'

/** Bytes of a request's body that wait for a function that reads it as a stream. */
const BUFFER = 65_536

/**
 * The body of one request on its way to the function: as a whole, or as a stream that gives a piece whenever
 * the function asks for one. Nothing lies in the stream itself, so it is known at each moment what the
 * function has not got; and a function that asks has done with what it got before.
 */
export class RequestBody {
  readonly #source: Pick<HttpRequest, 'resume'>
  readonly #pieces = new Pieces()
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  /** It has come whole. */
  #ended = false
  /** The function knows that, or does not want the rest. */
  #over = false
  /** The function waits for a piece. */
  #asked = false
  /** Bytes that the function's stream was given. */
  given = 0
  /** The function gets nothing for now; called when it asks. */
  #paused: (() => void) | undefined

  /** @param source told when {@link full} has become false again */
  constructor(source: Pick<HttpRequest, 'resume'>) {
    this.#source = source
  }

  /** Whether it has come whole. */
  get ended(): boolean {
    return this.#ended
  }

  /** Whether the function reads it as a stream, and does not know its end. */
  get streams(): boolean {
    return this.#controller !== undefined && !this.#over
  }

  /** More than this has not been read by the function. */
  get full(): boolean {
    return this.#controller !== undefined && (this.#over || this.#pieces.length >= BUFFER)
  }

  /** Bytes that have come, and that the function has not got. */
  get unread(): number {
    return this.#pieces.length
  }

  /**
   * Bytes that the function may still have of what it was given: as a rule it gathers all.
   * @param freezes it says where it stands, and has no more of it than that may be
   */
  gathered(freezes: boolean): number {
    return freezes ? Math.min(this.given, STATE_BYTES) : this.given
  }

  /** The function has done with all that it got. */
  get settled(): boolean {
    return this.#asked || this.given === 0
  }

  /** Whether the function has begun to read. */
  get touched(): boolean {
    return this.#asked || this.given > 0
  }

  /** A piece, whose memory is its own from then on. */
  add(piece: Uint8Array): void {
    if (!this.#over) this.#pieces.adopt(piece)
  }

  /** It has come whole. A function that waits for more is told with the next {@link give}. */
  end(): void {
    this.#ended = true
  }

  /** All that has come, which is the caller's. */
  takeWhole(): Uint8Array {
    return this.#pieces.takeWhole()
  }

  /** The same in pieces. */
  take(): readonly Uint8Array[] {
    return this.#pieces.take()
  }

  /** A copy of it. */
  copy(): Uint8Array {
    return this.#pieces.copy()
  }

  /** The stream that the function reads. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#controller = controller
        },
        pull: () => this.#onAsked(),
        cancel: () => {
          this.#over = true
          this.#pieces.clear()
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** Gives the function the next piece, if it has asked for one. */
  give(): void {
    if (!this.#asked || this.#paused !== undefined || this.#over) return
    if (this.#pieces.length > 0) {
      const full = this.full
      const taken = this.#pieces.take()
      const piece = taken.length === 1 ? taken[0]! : concat(...taken)
      this.#asked = false
      this.given += piece.length
      this.#controller?.enqueue(piece)
      if (full) this.#source.resume()
    } else if (this.#ended) {
      this.#over = true
      this.#controller?.close()
    }
  }

  /** The function gets nothing for now. @param settled called when it asks */
  pause(settled: () => void): void {
    this.#paused = settled
  }

  /** It gets what there is again. */
  unpause(): void {
    if (this.#paused === undefined) return
    this.#paused = undefined
    this.give()
  }

  /** There will be no more of it: a function that reads it is told why. */
  break(reason: Error): void {
    this.#pieces.clear()
    if (this.#over) return
    this.#over = true
    this.#controller?.error(reason)
  }

  #onAsked(): void {
    this.#asked = true
    if (this.#paused === undefined) this.give()
    else this.#paused()
  }
}
