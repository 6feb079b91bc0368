import type { Field } from '../http/message.ts'
import { concat } from '../wire/index.ts'
import type { Outgoing } from './outgoing.ts'
import type { ExchangeState } from './state.ts'

/** Bytes of a response's content that are read ahead of the application. */
const AHEAD = 65_536

/** A response as it comes off a connection. */
export interface Answer {
  readonly status: number
  readonly fields: readonly Field[]
  /** Whole, if all of it was there with the head; a stream otherwise; null: there is none. */
  readonly content: Uint8Array | ReadableStream<Uint8Array> | null
  readonly protocol: Protocol
}

export type Protocol = 'http/1.1' | 'h2'

/** What a connection does for the request that is on it. */
export interface Carrier {
  readonly protocol: Protocol
  /** So many bytes of the response's content have been taken: as many more may come. */
  consumed(bytes: number): void
  /** The response is not wanted any more. */
  cancel(): void
}

/**
 * How much a server may have seen of a request that failed: nothing of it, or all of it; or its response had
 * begun.
 */
export type Seen = 'nothing' | 'perhaps' | 'answered'

/** What callers want to hear of besides the response. */
export interface Hearing {
  /** An interim response (1xx). */
  readonly onInformational?: ((status: number, fields: readonly Field[]) => void) | undefined
  /** Trailers, when the content has ended; not called if there are none. */
  readonly onTrailers?: ((fields: readonly Field[]) => void) | undefined
}

/** One try of a request: waits for a connection, is sent over it, and becomes a response or a failure. */
export class Exchange {
  readonly outgoing: Outgoing
  /** It must have a connection of its own: those that are there have failed it. */
  readonly fresh: boolean
  /** It must not go out as early data. */
  readonly calm: boolean
  /** It has gone out as early data. */
  early = false
  /** What its caller calls it, here and wherever it goes. */
  label = ''
  /** Another request has led to it. */
  redirected = false
  /** Its content goes through a decoder. */
  decoding = false
  /** The head of its response. */
  readonly answered: Promise<Answer>
  /** Called once, when nothing more comes of it. */
  onOver: (() => void) | undefined
  /** When it failed. */
  seen: Seen = 'nothing'
  /** Its connection had carried other requests before it. */
  reused = false
  readonly #hearing: Hearing
  #resolve!: (answer: Answer) => void
  #reject!: (error: Error) => void
  #carrier: Carrier | undefined
  #head: { readonly status: number; readonly fields: readonly Field[]; readonly empty: boolean } | undefined
  #pieces: Uint8Array[] = []
  /** Bytes that came and whose place the server may not use again yet. */
  #owed = 0
  #held = 0
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  /** The application waits for a piece. */
  #wanted = false
  #told = false
  #ended = false
  #over = false

  constructor(outgoing: Outgoing, hearing: Hearing, fresh = false, calm = false) {
    this.outgoing = outgoing
    this.#hearing = hearing
    this.fresh = fresh
    this.calm = calm
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Nothing more comes of it, or is wanted. */
  get over(): boolean {
    return this.#over
  }

  /** Its caller has the response, which may still be coming. */
  get told(): boolean {
    return this.#told
  }

  /** The application takes no more for now. */
  get full(): boolean {
    return this.#held >= AHEAD
  }

  /** It is being sent. */
  begin(carrier: Carrier, reused: boolean): void {
    this.#carrier = carrier
    this.reused = reused
    this.seen = 'perhaps'
  }

  inform(status: number, fields: readonly Field[]): void {
    this.#hearing.onInformational?.(status, fields)
  }

  /** The head of the response. @param empty it has no content, and cannot have any */
  respond(status: number, fields: readonly Field[], empty: boolean): void {
    this.seen = 'answered'
    this.#head = { status, fields, empty }
  }

  /** A piece of content, in memory of its own. */
  data(bytes: Uint8Array): void {
    if (this.#over || bytes.length === 0) return
    this.#owed += bytes.length
    if (this.#wanted) {
      this.#wanted = false
      this.#controller?.enqueue(bytes)
    } else {
      this.#pieces.push(bytes)
      this.#held += bytes.length
    }
    if (!this.full) this.#consume()
  }

  end(trailers: readonly Field[]): void {
    if (this.#over || this.#ended) return
    this.#ended = true
    if (trailers.length > 0) this.#hearing.onTrailers?.(trailers)
    if (this.#told && this.#pieces.length === 0) this.#controller?.close()
    this.settle()
    this.#finish()
  }

  /** All that came together has been told: what there is of the response is the caller's now. */
  settle(): void {
    const head = this.#head
    if (head === undefined || this.#told || this.#over) return
    this.#told = true
    const { status, fields, empty } = head
    this.#resolve({ status, fields, content: this.#content(empty), protocol: this.#carrier!.protocol })
  }

  /** Whether it can go on in another process: no decoder has begun with its content. */
  get movable(): boolean {
    return !this.decoding && !this.#ended
  }

  /** What there is of it. Nothing more comes of it here: {@link fail} says so to its caller. */
  export(): ExchangeState {
    const { status = 0, fields = [], empty = false } = this.#head ?? {}
    const { method, url } = this.outgoing
    return {
      label: this.label,
      method,
      url: url.href,
      redirected: this.redirected,
      status,
      fields: fields.map(([name, value]) => ({ name, value })),
      empty,
      unread: concat(...this.#pieces),
      owed: this.#owed,
    }
  }

  /** Goes on where another one was. */
  static restore(state: ExchangeState, hearing: Hearing): Exchange {
    const { method, url, status, empty, unread, owed, label } = state
    const outgoing = { method, url: new URL(url), fields: [], content: undefined, length: undefined }
    const exchange = new Exchange(outgoing, hearing)
    exchange.label = label
    exchange.redirected = state.redirected
    if (status > 0)
      exchange.respond(
        status,
        state.fields.map(({ name, value }) => [name, value] as const),
        empty,
      )
    if (unread.length > 0) exchange.#pieces.push(unread)
    exchange.#held = unread.length
    exchange.#owed = owed
    return exchange
  }

  /** It has failed, and nothing more comes. @param seen how much the server may have seen */
  fail(error: Error, seen: Seen = this.seen): void {
    if (this.#over) return
    this.seen = this.#told ? 'answered' : seen
    this.#finish()
    if (this.#told) this.#controller?.error(error)
    else this.#reject(error)
  }

  /** This side gives it up. @param reason what its caller hears */
  cancel(reason: unknown): void {
    if (this.#over) return
    this.seen = 'answered'
    this.#finish()
    if (this.#told) this.#controller?.error(reason)
    else this.#reject(reason as Error)
    this.#carrier?.cancel()
  }

  #content(empty: boolean): Uint8Array | ReadableStream<Uint8Array> | null {
    if (empty) return null
    if (this.#ended) {
      const pieces = this.#pieces.splice(0)
      return pieces.length === 1 ? pieces[0]! : concat(...pieces)
    }
    // What has not been asked for stays here, where it can be taken out again.
    return new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#controller = controller
        },
        pull: () => this.#give(),
        cancel: () => {
          if (this.#over) return
          this.#finish()
          this.#carrier?.cancel()
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** The application wants a piece. */
  #give(): void {
    const piece = this.#pieces.shift()
    if (piece === undefined) {
      this.#wanted = true
      return
    }
    this.#held -= piece.length
    this.#controller?.enqueue(piece)
    if (this.#ended && this.#pieces.length === 0) this.#controller?.close()
    else if (!this.full) this.#consume()
  }

  #consume(): void {
    const owed = this.#owed
    this.#owed = 0
    if (owed > 0 && !this.#ended) this.#carrier?.consumed(owed)
  }

  #finish(): void {
    this.#over = true
    const { onOver } = this
    this.onOver = undefined
    onOver?.()
  }
}
