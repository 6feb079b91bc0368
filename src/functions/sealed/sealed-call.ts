import { LightRequest } from '../../web/request.ts'
import { errorOf } from '../../wire/thrown.ts'
import type { Context, Endings, FieldSource } from '../contract.ts'
import { Credit, type Frame, type ResponseHead, uint32 } from './frames.ts'
import { jsonOf, type Link } from './link.ts'

/** Bytes of a piece of content on the stream. */
const PIECE = 65_536
/** Statuses whose responses have no content. */
const NO_CONTENT: ReadonlySet<number> = new Set([204, 205, 304])
/** Milliseconds that a worker has to let go of a call that is not waited for any more. */
const PATIENCE = 2000

/** One request on its way through a worker, seen from its container. */
export class SealedCall {
  readonly #id: number
  readonly #link: Link
  readonly #context: Context
  readonly #credit = new Credit()
  #settle!: { readonly resolve: (response: Response) => void; readonly reject: (error: Error) => void }
  #body: ReadableStreamDefaultController<Uint8Array> | undefined
  /** Bytes of the response that have come, and how many the worker was told that the client has taken. */
  #received = 0
  #told = 0
  #over = false
  readonly response: Promise<Response>

  constructor(id: number, link: Link, context: Context) {
    this.#id = id
    this.#link = link
    this.#context = context
    this.response = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
  }

  /** @param timeout milliseconds that the function has @param onStuck the worker does not react */
  begin(request: Request, timeout: number, onStuck: (milliseconds: number) => void): void {
    const parts = LightRequest.takeApart(request as unknown as LightRequest)
    const { functionPath, callId, connection } = this.#context
    this.#link.say('request', this.#id, {
      method: request.method,
      target: parts.target,
      headers: parts.fields,
      host: parts.host,
      functionPath,
      callId,
      connection,
      timeout,
      content: parts.content !== null,
    })
    const ending = this.#context as Context & Partial<Endings>
    ending.onAbort?.(reason => {
      this.#link.send('abort', this.#id)
      this.fail(reason)
      onStuck(PATIENCE)
    })
    if (parts.content !== null) this.#send(parts.content).catch(() => this.#link.send('abort', this.#id))
  }

  /** @returns whether nothing more comes of it */
  take(frame: Frame): boolean {
    switch (frame.type) {
      case 'head':
        this.#begin(jsonOf<ResponseHead>(frame))
        break
      case 'inform': {
        const { status, headers } = jsonOf<ResponseHead>(frame)
        this.#context.inform(status, headers as unknown as FieldSource)
        break
      }
      case 'data':
        // The frame's memory is that of others, too.
        if (!this.#over) this.#body?.enqueue(frame.payload.slice())
        this.#received += frame.payload.length
        break
      case 'end':
        if (!this.#over) this.#body?.close()
        this.#over = true
        break
      case 'abort':
        this.fail(new Error('the sealed function did not give all of its response'))
        break
      case 'credit':
        this.#credit.grant(new DataView(frame.payload.buffer, frame.payload.byteOffset, 4).getUint32(0))
        break
      case 'done':
        this.fail(new Error('the sealed function gave no response'))
        this.#credit.release()
        return true
      default:
        throw new RangeError(`a worker does not say ${frame.type} of a call`)
    }
    return false
  }

  /** No response comes, or no more of it. */
  fail(error: Error): void {
    if (this.#over) return
    this.#over = true
    this.#credit.release()
    this.#settle.reject(error)
    this.#body?.error(error)
  }

  #begin({ status, headers }: ResponseHead): void {
    if (this.#body !== undefined || this.#over) throw new RangeError('a second response')
    const stream = new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.#body = controller
        },
        pull: () => this.#grant(),
        cancel: () => {
          this.#over = true
          this.#link.send('abort', this.#id)
        },
      },
      { highWaterMark: PIECE, size: chunk => chunk.length },
    )
    const fields = headers as unknown as [string, string][]
    try {
      this.#settle.resolve(new Response(NO_CONTENT.has(status) ? null : stream, { status, headers: fields }))
    } catch (error) {
      this.#settle.reject(errorOf(error))
    }
  }

  /** The client takes more: what does not wait here, it has. */
  #grant(): void {
    const waiting = PIECE - (this.#body?.desiredSize ?? PIECE)
    const taken = this.#received - waiting - this.#told
    if (taken < PIECE) return
    this.#told += taken
    this.#link.send('credit', this.#id, uint32(taken))
  }

  async #send(content: Uint8Array | ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of content instanceof Uint8Array ? [content] : content)
      for (let at = 0; at < chunk.length && !this.#over; at += PIECE) {
        const piece = chunk.subarray(at, at + PIECE)
        this.#link.send('data', this.#id, piece)
        const waiting = this.#credit.spend(piece.length)
        if (waiting !== undefined) await waiting
      }
    this.#link.send('end', this.#id)
  }
}
