import type { Field } from '../http/message.ts'
import { hasNoContent } from '../http/status.ts'
import { tell } from '../http/telling.ts'
import type { Descriptor } from '../transfer/stream.ts'
import { concat } from '../wire/index.ts'
import { ClientError } from './error.ts'
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

/** A connection on its way to another process. */
export interface Released {
  /** `ClientConnectionState`, encoded: it holds keys, and is good for one restoration. */
  readonly state: Uint8Array
  /** Its socket. */
  readonly descriptor: Descriptor
}

/** A connection that may leave, with all that is on it. */
export interface Leaves {
  /** Why it cannot; undefined: it can. */
  readonly rooted: string | undefined
  /** See `connection.ts`. */
  release(origin: string, stays?: (why: string) => void, patience?: number): Promise<Released | undefined>
  /** It takes no new request. */
  drain(): void
}

/** What a connection does for the request that is on it. */
export interface Carrier {
  readonly protocol: Protocol
  /** What it goes over. */
  readonly connection: Leaves
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

/** What ends a response that cannot be read any more. */
const UNREADABLE = 'the response was not read, and the program has lost it'

/** Content whose stream is gone unread: what brings it is freed. */
const ABANDONED = new FinalizationRegistry<Exchange>(exchange =>
  exchange.cancel(new ClientError('aborted', UNREADABLE)),
)

/** One try of a request: waits for a connection, is sent over it, and becomes a response or a failure. */
export class Exchange {
  readonly outgoing: Outgoing
  /** It must have a connection of its own: those that are there have failed it. */
  readonly needsNewConnection: boolean
  /** It must not go out as early data. */
  readonly noEarlyData: boolean
  /** It has gone out as early data. */
  sentEarly = false
  /** It has gone over the connection of another origin. */
  coalesced = false
  /** What its caller calls it, here and wherever it goes. */
  label = ''
  /** Another request has led to it. */
  redirected = false
  /** Since when it waits for a place on a connection, by a clock that only goes forward. */
  since: number | undefined
  /** Its content goes through a decoder. */
  decoding = false
  /** Called once, when nothing more comes of it. */
  onOver: (() => void) | undefined
  /** When it failed. */
  seen: Seen = 'nothing'
  /** Its connection had carried other requests before it. */
  reused = false
  readonly #hearing: Hearing
  #resolve: ((answer: Answer) => void) | undefined
  #reject: ((error: Error) => void) | undefined
  #carrier: Carrier | undefined
  #head: { readonly status: number; readonly fields: readonly Field[]; readonly empty: boolean } | undefined
  #pieces: Uint8Array[] = []
  /** Bytes that came and whose place the server may not use again yet. */
  #owed = 0
  #held = 0
  /** The application waits for a piece: it holds its stream by this alone, perhaps. */
  #waiting: ReadableStreamDefaultController<Uint8Array> | undefined
  /** Otherwise the stream is the application's alone, so that it is known when it is lost. */
  #controller: WeakRef<ReadableStreamDefaultController<Uint8Array>> | undefined
  #delivered = false
  #ended = false
  #over = false
  /** Its reader gets nothing for now: what comes is kept, and so is its end. */
  #still = false
  /** It is leaving: what its reader does to it changes nothing any more. */
  #leaving = false
  /** What it has failed with while it stood still. */
  #failure: { readonly reason: unknown } | undefined

  constructor(outgoing: Outgoing, hearing: Hearing, needsNewConnection = false, noEarlyData = false) {
    this.outgoing = outgoing
    this.#hearing = hearing
    this.needsNewConnection = needsNewConnection
    this.noEarlyData = noEarlyData
  }

  /** The head of its response, with what there is of the content. To be called once, before it is sent. */
  answered(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Nothing more comes of it, or is wanted. */
  get over(): boolean {
    return this.#over
  }

  /** Its caller has the response, which may still be coming. */
  get delivered(): boolean {
    return this.#delivered
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

  /** What its caller throws over it is what ends it, and nothing else on its connection. */
  inform(status: number, fields: readonly Field[]): void {
    tell(
      () => this.#hearing.onInformational?.(status, fields),
      error => this.cancel(error),
    )
  }

  /** The head of the response. */
  respond(status: number, fields: readonly Field[]): void {
    this.seen = 'answered'
    this.#head = { status, fields, empty: this.outgoing.method === 'HEAD' || hasNoContent(status) }
  }

  /** A piece of content, in memory of its own. */
  data(bytes: Uint8Array): void {
    if (this.#over || bytes.length === 0) return
    if (this.#head?.empty === true) {
      // 205 with content: it cannot be read, and it may have no end.
      this.settle()
      this.#finish()
      this.#carrier?.cancel()
      return
    }
    this.#owed += bytes.length
    const waiting = this.#still ? undefined : this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      waiting.enqueue(bytes)
    } else {
      this.#pieces.push(bytes)
      this.#held += bytes.length
    }
    if (!this.full) this.#consume()
  }

  end(trailers: readonly Field[]): void {
    if (this.#over || this.#ended) return
    this.#ended = true
    if (trailers.length > 0)
      tell(
        () => this.#hearing.onTrailers?.(trailers),
        error => !this.#over && this.#break(error),
      )
    if (this.#over) return
    if (this.#delivered && this.#pieces.length === 0 && !this.#still) this.#stream()?.close()
    this.settle()
    this.#finish()
  }

  /** Bytes of content that have come and that no reader has. */
  get unread(): number {
    return this.#held
  }

  /** What carries it, as long as something of it is to come. */
  get connection(): Leaves | undefined {
    return this.#over ? undefined : this.#carrier?.connection
  }

  /** What has ended it before its time, while it {@link stand | stood still}. */
  get failure(): { readonly reason: unknown } | undefined {
    return this.#failure
  }

  /** Its reader gets nothing from here on, neither content nor the end, until {@link goOn}. */
  stand(): void {
    this.#still = true
  }

  /** Its reader gets what has come meanwhile. */
  goOn(): void {
    if (!this.#still) return
    this.#still = false
    if (this.#failure !== undefined) this.#stream()?.error(this.#failure.reason)
    else if (this.#waiting !== undefined) {
      if (this.#pieces.length > 0) this.#give(this.#waiting)
      else if (this.#ended) this.#stream()?.close()
    }
  }

  /** It leaves, and stands still: its caller gives up what another process goes on with. */
  leave(): void {
    this.#leaving = this.#still = true
  }

  /** It has left: what reads it here gets nothing more. @param reason what that is told */
  left(reason: Error): void {
    this.#still = false
    if (!this.#over) {
      this.#finish()
      this.#carrier?.cancel()
    }
    this.#stream()?.error(reason)
  }

  /** All that came together has been seen: what there is of the response is the caller's now. */
  settle(): void {
    const head = this.#head
    if (head === undefined || this.#delivered || this.#over) return
    this.#delivered = true
    const { status, fields, empty } = head
    const resolve = this.#resolve
    // Nothing here keeps the response of its caller.
    this.#resolve = this.#reject = undefined
    const protocol = this.#carrier?.protocol ?? 'http/1.1'
    resolve?.({ status, fields, content: this.#content(empty), protocol })
  }

  /** Why it cannot go on in another process; undefined: it can. */
  get obstacle(): string | undefined {
    return this.decoding ? 'the content of a response is being decoded' : undefined
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
    const { method, url, status, unread, owed, label } = state
    const outgoing = { method, url: new URL(url), fields: [], content: undefined, length: undefined }
    const exchange = new Exchange(outgoing, hearing)
    exchange.label = label
    exchange.redirected = state.redirected
    if (status > 0)
      exchange.respond(
        status,
        state.fields.map(({ name, value }) => [name, value] as const),
      )
    if (unread.length > 0) exchange.#pieces.push(unread)
    exchange.#held = unread.length
    exchange.#owed = owed
    return exchange
  }

  /** It has failed, and nothing more comes. @param seen how much the server may have seen */
  fail(error: Error, seen: Seen = this.seen): void {
    if (this.#over) return
    this.seen = this.#delivered ? 'answered' : seen
    this.#break(error)
  }

  /** This side gives it up. @param reason what its caller hears */
  cancel(reason: unknown): void {
    if (this.#over || this.#leaving) return
    this.seen = 'answered'
    this.#break(reason)
    this.#carrier?.cancel()
  }

  /** @param reason what its caller hears */
  #break(reason: unknown): void {
    this.#finish()
    const reject = this.#reject
    this.#resolve = this.#reject = undefined
    if (this.#still) this.#failure = { reason }
    else if (this.#delivered) this.#stream()?.error(reason)
    else reject?.(reason as Error)
  }

  #stream(): ReadableStreamDefaultController<Uint8Array> | undefined {
    const controller = this.#waiting ?? this.#controller?.deref()
    this.#waiting = undefined
    return controller
  }

  #content(empty: boolean): Uint8Array | ReadableStream<Uint8Array> | null {
    if (empty) return null
    if (this.#ended) {
      const pieces = this.#pieces.splice(0)
      return pieces.length === 1 ? pieces[0]! : concat(...pieces)
    }
    // What has not been asked for stays here, where it can be taken out again.
    const stream = new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#controller = new WeakRef(controller)
        },
        pull: controller => this.#give(controller),
        cancel: () => {
          if (this.#over || this.#leaving) return
          this.#finish()
          this.#carrier?.cancel()
        },
      },
      { highWaterMark: 0 },
    )
    // One with a name may be wanted where it goes.
    if (this.label === '') ABANDONED.register(stream, this, this)
    return stream
  }

  /** The application wants a piece. */
  #give(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const piece = this.#still ? undefined : this.#pieces.shift()
    this.#waiting = piece === undefined ? controller : undefined
    if (piece === undefined) return
    this.#held -= piece.length
    controller.enqueue(piece)
    if (this.#ended && this.#pieces.length === 0) controller.close()
    else if (!this.full) this.#consume()
  }

  #consume(): void {
    const owed = this.#owed
    this.#owed = 0
    if (owed > 0 && !this.#ended) this.#carrier?.consumed(owed)
  }

  #finish(): void {
    this.#over = true
    if (this.#controller !== undefined) ABANDONED.unregister(this)
    const { onOver } = this
    this.onOver = undefined
    onOver?.()
  }
}
