import type { Field } from '../../message.ts'
import type { ContentSink } from '../../serving.ts'
import { isPromise } from '../../telling.ts'

/** What the content of a request asks of the exchange that it belongs to. */
export interface ContentOwner {
  /** Nothing more is wanted of the client. */
  readonly over: boolean
  /** The client may send so many bytes more. */
  credit(bytes: number): void
  /** More may be read than before. */
  wake(): void
  /** The sink has been told all that there is. */
  told(): void
  /** The sink threw. */
  failed(cause: unknown): void
  /** Something was thrown where no caller hears of it. */
  fail(error: unknown): void
}

const NO_TRAILERS: readonly Field[] = []

/** The content of one request on its way from the client to the application, and the window for it. */
export class RequestContent {
  readonly #owner: ContentOwner
  /** Where it goes. */
  sink: ContentSink | undefined
  /** Bytes that have come. */
  bytes = 0
  /** What the application has not asked for yet, or what waits for a sink that is busy. */
  #held: Uint8Array[] | undefined
  #blocked = false
  /** Bytes for which the client gets a window when the sink takes more again. */
  #uncredited = 0
  /** All of it has come. */
  #trailers: readonly Field[] | undefined
  #told = false

  /** @param whole there is none, or all of it was told elsewhere */
  constructor(owner: ContentOwner, whole: 'comes' | 'none' | 'told') {
    this.#owner = owner
    if (whole !== 'comes') this.#trailers = NO_TRAILERS
    this.#told = whole === 'told'
  }

  /**
   * Goes on where another one was.
   * @param unconsumed bytes for which the client has got no window yet, whether the sink has them or not
   */
  goOn(sink: ContentSink, unconsumed: number): void {
    this.sink = sink
    this.#uncredited = unconsumed
  }

  /** Whether all of it has come. */
  get whole(): boolean {
    return this.#trailers !== undefined
  }

  /** Whether the sink knows that all of it has come. */
  get over(): boolean {
    return this.#told
  }

  /** Whether the client is waited for: it has been asked for more, and not said all. */
  get wanted(): boolean {
    const { sink } = this
    return sink !== undefined && !this.#blocked && !this.whole && sink.full !== true
  }

  /** Bytes that are kept here. */
  get held(): number {
    let bytes = 0
    if (this.#held !== undefined) for (const { length } of this.#held) bytes += length
    return bytes
  }

  /** A piece has come. @param ends nothing follows */
  data(piece: Uint8Array, ends: boolean): void {
    if (ends) this.#trailers = NO_TRAILERS
    if (piece.length > 0) {
      this.#held ??= []
      this.#held.push(piece)
    }
    this.give()
  }

  ended(trailers: readonly Field[]): void {
    this.#trailers = trailers
    this.give()
  }

  /** Gives the sink what there is, and the client a window as large as what the sink has taken. */
  give(): void {
    const { sink } = this
    const owner = this.#owner
    if (sink === undefined || owner.over) return
    const held = this.#held
    while (held !== undefined && held.length > 0 && !this.#blocked && !owner.over) {
      const piece = held.shift()!
      let taken: Promise<void> | void
      try {
        taken = sink.data(piece)
      } catch (cause) {
        owner.failed(cause)
        return
      }
      if (isPromise(taken)) this.wait(Promise.resolve(taken), piece.length)
      else this.credit(piece.length)
    }
    if (this.#blocked || owner.over || this.#told || this.#trailers === undefined) return
    this.#told = true
    try {
      sink.end(this.#trailers)
      owner.told()
    } catch (cause) {
      owner.failed(cause)
    }
  }

  /** Holds back what follows until the sink has taken so many bytes. */
  wait(taken: Promise<void>, bytes: number): void {
    this.#blocked = true
    taken
      .then(
        () => this.#taken(bytes),
        cause => this.#owner.failed(cause),
      )
      .catch(error => this.#owner.fail(error))
  }

  #taken(bytes: number): void {
    this.#blocked = false
    if (this.#owner.over) return
    this.credit(bytes)
    this.give()
    this.#owner.wake()
  }

  /** The client may send so much more, unless the sink is full. */
  credit(bytes: number): void {
    this.#uncredited += bytes
    if (this.#uncredited === 0 || this.sink?.full === true || this.#owner.over) return
    this.#owner.credit(this.#uncredited)
    this.#uncredited = 0
  }
}
