import type { Field } from '../http/message.ts'
import { INTERIM } from './connection.ts'
import { ClientError } from './error.ts'
import type { Carrier, Exchange, Leaves, Seen } from './exchange.ts'
import type { ExchangeState } from './state.ts'
import { Upload, type UploadSink } from './upload.ts'

/** The connection of a stream. */
export interface StreamOwner {
  readonly connection: Leaves
  /** Milliseconds of a clock that only goes forward. */
  readonly now: number
  /** A part of the content. @returns bytes taken */
  write(id: number, bytes: Uint8Array): number
  /** Ends the content. */
  end(id: number): void
  consumed(id: number, bytes: number): void
  /** Ends the stream; nothing more is reported of it. */
  reset(id: number): void
  /** It has ended, both ways. */
  forget(id: number): void
}

/** What a stream has not sent yet. */
export interface StreamBeginning {
  readonly rest: Uint8Array | undefined
  readonly uploading: boolean
}

/** One request on an HTTP/2 connection. */
export class H2Stream implements Carrier, UploadSink {
  readonly protocol = 'h2'
  readonly id: number
  readonly exchange: Exchange
  readonly #owner: StreamOwner
  /** When something happened last. */
  since: number
  answered = false
  /** Not all of the request has been given to HTTP. */
  uploading = false
  #interim = 0
  #upload: Upload | undefined
  /** Content that HTTP had no room for. */
  #rest: Uint8Array | undefined
  #held: (() => void) | undefined
  #room: (() => void) | undefined

  constructor(id: number, exchange: Exchange, owner: StreamOwner) {
    this.id = id
    this.exchange = exchange
    this.#owner = owner
    this.since = owner.now
  }

  get connection(): Leaves {
    return this.#owner.connection
  }

  /** Why not all of the request is here as bytes; undefined: it is. */
  get obstacle(): string | undefined {
    if (this.#held !== undefined) return 'a request waits for 100 (Continue)'
    if (this.#upload === undefined || !this.uploading) return undefined
    return 'the content of a request is a stream, and being sent'
  }

  export(): StreamBeginning & { readonly id: number; readonly exchange: ExchangeState } {
    const { id, uploading } = this
    return { id, exchange: this.exchange.export(), rest: this.#rest, uploading }
  }

  /** Goes on where another one was. */
  resume({ rest, uploading }: StreamBeginning): void {
    this.#rest = rest
    this.uploading = uploading
    this.answered = this.exchange.seen === 'answered'
  }

  /** Whether content waits for 100 (Continue). */
  get waits(): boolean {
    return this.#held !== undefined
  }

  /** Sends the request's content. @param waits not before 100 (Continue) or {@link proceed} */
  give(content: Uint8Array | ReadableStream<Uint8Array>, waits: boolean): void {
    this.uploading = true
    const begin = (): void => {
      if (content instanceof ReadableStream) this.#upload = new Upload(content, this)
      else this.#push(content)
    }
    if (waits) this.#held = begin
    else begin()
  }

  /** The content that waited goes out. */
  proceed(): void {
    const held = this.#held
    this.#held = undefined
    held?.()
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (!this.uploading) return undefined
    this.since = this.#owner.now
    const taken = this.#owner.write(this.id, bytes)
    if (taken === bytes.length) return undefined
    this.#rest = bytes.subarray(taken)
    return new Promise(resolve => {
      this.#room = resolve
    })
  }

  finish(): void {
    if (!this.uploading) return
    try {
      this.#owner.end(this.id)
      this.uploading = false
    } catch (error) {
      this.failed(error)
    }
  }

  failed(error: unknown): void {
    this.#owner.reset(this.id)
    this.uploading = false
    this.exchange.cancel(error)
  }

  /** There is room for more content. */
  drained(): void {
    const rest = this.#rest
    if (rest === undefined || !this.uploading) return
    this.since = this.#owner.now
    if (this.#upload === undefined) {
      this.#push(rest)
      return
    }
    const taken = this.#owner.write(this.id, rest)
    this.#rest = taken < rest.length ? rest.subarray(taken) : undefined
    if (this.#rest === undefined) this.#room?.()
  }

  /** @returns false if there were too many */
  inform(status: number, fields: readonly Field[]): boolean {
    if (++this.#interim > INTERIM) return false
    if (status === 100) this.proceed()
    this.exchange.inform(status, fields)
    return true
  }

  respond(status: number, fields: readonly Field[]): void {
    this.answered = true
    // The content is not wanted, if it has not been asked for by now.
    this.#held = undefined
    this.exchange.respond(status, fields)
  }

  /** The response has ended. */
  end(trailers: readonly Field[]): void {
    // An error costs its stack, and most requests have no content that is still on its way.
    if (this.uploading) this.#stop(new Error('the server has answered already'))
    this.exchange.end(trailers)
  }

  /** @param seen `nothing`: the server has not looked at the request (RFC 9113 §8.7) */
  fail(error: ClientError, seen?: Seen): void {
    this.#stop(error)
    this.exchange.fail(error, seen)
  }

  consumed(bytes: number): void {
    this.#owner.consumed(this.id, bytes)
  }

  cancel(): void {
    this.#owner.reset(this.id)
    this.#stop(new ClientError('aborted', 'the request was given up'))
  }

  #stop(reason: Error): void {
    this.uploading = false
    this.#held = undefined
    this.#upload?.stop(reason)
    this.#room?.()
  }

  /** Sends whole content as far as there is room. */
  #push(bytes: Uint8Array): void {
    const taken = this.#owner.write(this.id, bytes)
    this.#rest = taken < bytes.length ? bytes.subarray(taken) : undefined
    if (this.#rest === undefined) this.finish()
  }
}
