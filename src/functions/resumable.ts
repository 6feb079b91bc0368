/** A stream of a response that can go on in another container. */
export interface ResumableStream extends ReadableStream<Uint8Array> {
  /**
   * Where it stands: a value that JSON can say, at most 1 MiB of it, from which the export `resume` of the
   * function's module makes the rest. What has been enqueued counts as given. It is asked between two pieces,
   * perhaps often, and must change nothing.
   */
  freeze(): unknown
  /**
   * What has been enqueued and not been read. A stream without it is asked only while it is being waited
   * for: then there is nothing of that kind.
   */
  unread?(): readonly Uint8Array[]
  /** Whether nothing follows behind what has been enqueued. Without it something may. */
  ended?(): boolean
  /**
   * Whether its source has done with all that it read, because it is not at work. Without it that is not
   * known.
   */
  idle?(): boolean
  /** Fulfilled when it can be asked where it stands; undefined: it can be. Without it, always. */
  starting?(): Promise<void> | undefined
}

/** Whether it can go on elsewhere. */
export function isResumable(stream: ReadableStream<Uint8Array>): stream is ResumableStream {
  return typeof (stream as Partial<ResumableStream>).freeze === 'function'
}

/** What gives the pieces of a {@link resumable} stream, as an `UnderlyingSource` does. */
export interface ResumableSource {
  start?(controller: ResumableController): void | Promise<void>
  /** Called when the client can take more; not again before its promise is fulfilled. */
  pull?(controller: ResumableController): void | Promise<void>
  /** The client is gone, or the stream goes on elsewhere. */
  cancel?(reason: unknown): void | Promise<void>
  /**
   * See {@link ResumableStream.freeze}; it must have changed when `enqueue` returns, and only then. It is not
   * called before `start` has finished.
   */
  freeze(): unknown
}

/** Takes the pieces of a {@link resumable} stream. */
export interface ResumableController {
  /** Bytes for which there is room; none or less: wait for `pull`. */
  readonly desiredSize: number
  /** @param piece bytes, whose memory is the stream's from then on, or text as UTF-8 */
  enqueue(piece: Uint8Array | string): void
  close(): void
  error(reason: unknown): void
}

/** Bytes that wait for a reader, beyond which a source is not asked for more. */
const ROOM = 65_536

/**
 * A stream that can go on in another container: it knows at each moment which pieces its reader has not got.
 *
 *     const count = (n, ctx) => ctx.resumable({
 *       pull: controller => controller.enqueue(`${n++}\n`),
 *       freeze: () => n,
 *     })
 *     export default { fetch: (request, env, ctx) => new Response(count(0, ctx)) }
 *     export const resume = count
 *
 * @throws TypeError for a source without `freeze`
 */
export function resumable(source: ResumableSource): ResumableStream {
  if (typeof (source as Partial<ResumableSource> | undefined)?.freeze !== 'function')
    throw new TypeError('the source of a resumable stream has no `freeze`')
  return new Resumable(source).stream
}

class Resumable implements ResumableController {
  readonly stream: ResumableStream
  readonly #source: ResumableSource
  #pieces: Uint8Array[] = []
  #bytes = 0
  #ended = false
  /** It broke off: what it was to say next is not known. */
  #failure: { readonly reason: unknown } | undefined
  #starting: Promise<void> | undefined
  /** The source is at work, and has been asked again meanwhile. */
  #pulling = false
  #again = false
  /** The reader waits for a piece. */
  #asked: (() => void) | undefined
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined

  constructor(source: ResumableSource) {
    this.#source = source
    const stream = new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#controller = controller
        },
        pull: () => this.#give(),
        cancel: reason => {
          this.#ended = true
          this.#pieces = []
          return source.cancel?.(reason)
        },
      },
      // What waits, waits where it can be seen.
      { highWaterMark: 0 },
    )
    this.stream = Object.assign(stream, {
      freeze: () => {
        if (this.#failure !== undefined) throw this.#failure.reason
        return source.freeze()
      },
      unread: () => this.#pieces,
      ended: () => this.#ended && this.#failure === undefined,
      idle: () => source.pull !== undefined && !this.#pulling && this.#starting === undefined,
      starting: () => this.#starting,
    })
    this.#run(() => this.#start())
  }

  #start(): void | Promise<void> {
    const started = this.#source.start?.(this)
    if (!(started instanceof Promise)) return
    this.#starting = started
      .catch(reason => this.error(reason))
      .then(() => {
        this.#starting = undefined
      })
    return this.#starting
  }

  get desiredSize(): number {
    return this.#ended ? 0 : ROOM - this.#bytes
  }

  enqueue(piece: Uint8Array | string): void {
    if (this.#ended) throw new TypeError('the stream has ended')
    const bytes = typeof piece === 'string' ? new TextEncoder().encode(piece) : piece
    if (!(bytes instanceof Uint8Array)) throw new TypeError('a piece of the body that is no bytes')
    if (bytes.length > 0) this.#pieces.push(bytes)
    this.#bytes += bytes.length
    // Also behind none: its reader wants more.
    this.#wake()
  }

  close(): void {
    this.#ended = true
    this.#wake()
  }

  error(reason: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = { reason }
    this.#pieces = []
    this.#controller?.error(reason)
    this.#wake()
  }

  /** Gives the reader the next piece, as soon as there is one. */
  async #give(): Promise<void> {
    while (this.#pieces.length === 0 && !this.#ended) {
      const asked = new Promise<void>(resolve => {
        this.#asked = resolve
      })
      this.#pull()
      await asked
    }
    const piece = this.#pieces.shift()
    if (piece !== undefined) {
      this.#bytes -= piece.length
      this.#controller?.enqueue(piece)
    } else if (this.#ended) this.#close()
  }

  #close(): void {
    try {
      this.#controller?.close()
    } catch {
      // It has failed, or its reader has given it up.
    }
  }

  #pull(): void {
    if (this.#source.pull !== undefined) this.#run(() => this.#source.pull?.(this))
  }

  /** Lets the source work, once at a time. */
  #run(work: () => void | Promise<void> | undefined): void {
    if (this.#ended) return
    if (this.#pulling) {
      this.#again = true
      return
    }
    this.#pulling = true
    const over = (): void => {
      const again = this.#again && this.#pieces.length === 0
      this.#pulling = this.#again = false
      if (again) this.#pull()
    }
    try {
      const working = work()
      if (working instanceof Promise) working.then(over, reason => this.error(reason))
      else over()
    } catch (reason) {
      this.error(reason)
    }
  }

  #wake(): void {
    const asked = this.#asked
    this.#asked = undefined
    asked?.()
  }
}
