import { utf8 } from '../wire/index.ts'
import { blobOf, drop, isRead, isUnread, streamOf, wholeOf } from './stream.ts'

/** Content as it is given: whole, as a stream, or none. */
export type Source = string | Uint8Array | ReadableStream<Uint8Array> | null

/** How an object of ours becomes one of Node's. */
export interface Maker<Light, Real> {
  make(light: Light, source: Source): Real
  /** Gives it the fields that ours has by now. */
  sync(light: Light, real: Real): void
}

const decoder = new TextDecoder()

/**
 * The body of a Request or a Response. As long as it is whole, it is read without a stream, also if code has
 * asked for the stream and has only passed it on. What ours cannot do is done by an object of Node's, which
 * holds the body from then on.
 */
export class LightBody<Light, Real extends Request | Response> {
  readonly #light: Light
  readonly #maker: Maker<Light, Real>
  /** A stream as soon as code has asked for it. */
  #source: Source
  #used = false
  #real: Real | undefined
  /** The stream was read before Node's object was made, which has another body then. */
  #apart = false

  constructor(source: Source, light: Light, maker: Maker<Light, Real>) {
    this.#source = source
    this.#light = light
    this.#maker = maker
  }

  /** What can be read at once, whether it has been or not; undefined if it takes a stream. */
  get whole(): string | Uint8Array | null | undefined {
    const source = this.#source
    if (this.#real !== undefined) return undefined
    return source instanceof ReadableStream ? wholeOf(source) : source
  }

  /** What a second body can be made of; undefined if that takes a stream, or the body has been read. */
  get copyable(): string | Uint8Array | null | undefined {
    return this.#used || this.#source instanceof ReadableStream ? undefined : this.whole
  }

  /** The Blob whose stream it is, as long as that has not been read. */
  get of(): Blob | undefined {
    const source = this.#source
    if (this.#used || this.#real !== undefined || !(source instanceof ReadableStream)) return undefined
    return blobOf(source)
  }

  get used(): boolean {
    if (this.#real !== undefined && !this.#apart) return this.#real.bodyUsed
    return this.#used || (this.#source instanceof ReadableStream && isRead(this.#source))
  }

  get stream(): ReadableStream<Uint8Array> | null {
    if (this.#used && !(this.#source instanceof ReadableStream)) this.#holder()
    if (this.#real !== undefined && !this.#apart) return this.#real.body as ReadableStream<Uint8Array> | null
    const source = this.#source
    if (source === null || source instanceof ReadableStream) return source
    const stream = streamOf(typeof source === 'string' ? utf8(source) : source)
    this.#source = stream
    return stream
  }

  /** The object of Node's that holds the body from now on, with the fields of now. */
  get real(): Real {
    const real = this.#holder()
    this.#maker.sync(this.#light, real)
    return real
  }

  /** The content, which counts as read from now on. @throws TypeError it has been read */
  take(): Source {
    if (this.#used) throw new TypeError('Body is unusable: Body has already been read')
    const source = this.#source
    const whole = source instanceof ReadableStream ? wholeOf(source) : undefined
    if (whole !== undefined) drop(source as ReadableStream)
    this.#used = source !== null
    return whole ?? source
  }

  /** The same, or the stream that an object of Node's has by now. */
  give(): Source {
    return this.#real === undefined || this.#apart ? this.take() : (this.#real.body as Source)
  }

  /** Its bytes, which are the caller's. @throws TypeError it has been read */
  takeBytes(): Uint8Array<ArrayBuffer> {
    const source = this.take() as string | Uint8Array | null
    const bytes = source === null ? new Uint8Array(0) : typeof source === 'string' ? utf8(source) : source
    const alone = bytes.buffer instanceof ArrayBuffer && bytes.length === bytes.buffer.byteLength
    return (alone ? bytes : bytes.slice()) as Uint8Array<ArrayBuffer>
  }

  async text(): Promise<string> {
    if (this.whole === undefined) return this.#holder().text()
    const source = this.take() as string | Uint8Array | null
    if (source === null) return ''
    return typeof source === 'string' ? withoutMark(wellFormed(source)) : decoder.decode(source)
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.whole === undefined ? this.#holder().arrayBuffer() : this.takeBytes().buffer
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.whole === undefined ? new Uint8Array(await this.arrayBuffer()) : this.takeBytes()
  }

  /** These depend on the fields. */
  async blob(): Promise<Blob> {
    return this.real.blob()
  }

  async formData(): Promise<FormData> {
    return this.real.formData()
  }

  #holder(): Real {
    if (this.#real === undefined) {
      const source = this.#source
      this.#apart = source instanceof ReadableStream && !isUnread(source)
      this.#real = this.#maker.make(this.#light, this.#apart ? '' : source)
      if (this.#used || this.#apart) this.#real.arrayBuffer().catch(() => {})
    }
    return this.#real
  }
}

/** As UTF-8 is decoded on the web: a byte order mark at the front is not a part of the text. */
function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

/** As encoding and decoding it would leave it: a half of a surrogate pair is replaced. */
function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? decoder.decode(utf8(text)) : text
}

/** The same content for a second reader. */
export function copied(whole: string | Uint8Array | null): string | Uint8Array | null {
  return whole instanceof Uint8Array ? whole.slice() : whole
}
