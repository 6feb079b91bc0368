import { Pieces } from '../../wire/index.ts'
import { type Field, isTrailer } from '../message.ts'
import type { H1BodyState } from './body-state.ts'
import type { ByteQueue } from './byte-queue.ts'
import { BARE_LF, H1Error } from './error.ts'
import type { H1Limits } from './limits.ts'
import { HeadScanner } from './scanner.ts'

const LF = 0x0a
const CR = 0x0d

/** Most bytes of a line with a chunk's size, extensions and CRLF included. */
const CHUNK_LINE = 1024

/** Bytes of content in small chunks that are told as one piece: so much takes no time to speak of. */
const GATHERED = 2048
/** Bytes behind a chunk's content from which on another chunk may be there: an end takes one less. */
const LEAST_FRAMED = 8

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const QUOTED = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"'
const EXTENSION = new RegExp(`^(?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?)*$`)

/**
 * Finds the content in a message's bytes (RFC 9112 §6.2 and §7.1). It takes the framing off the front
 * of the queue and says how much content comes next; the caller takes that, or throws it away.
 */
export class BodyReader {
  readonly #limits: H1Limits
  /** Bytes of content still to come in this message or chunk. */
  #remaining: number
  /** What comes when `#remaining` is used up. */
  #next: 'end' | 'size' | 'data-end' | 'trailers' | 'never'
  #content = 0
  #extensionBytes = 0
  #searched = 0
  #scanner: HeadScanner | undefined
  /** What is wrong behind the content that was taken last. */
  #fault: H1Error | undefined
  /** Everything has been read, the trailers too. */
  done = false
  trailers: readonly Field[] = []

  /** @param length bytes of content, or how else its end is known */
  constructor(length: number | 'chunked' | 'until close', limits: H1Limits) {
    this.#limits = limits
    this.#remaining = length === 'until close' ? Number.POSITIVE_INFINITY : length === 'chunked' ? 0 : length
    this.#next = length === 'chunked' ? 'size' : length === 'until close' ? 'never' : 'end'
    if (length === 0) this.done = true
  }

  /** Goes on where another one was. */
  static restore(state: H1BodyState, limits: H1Limits): BodyReader {
    const reader = new BodyReader('chunked', limits)
    reader.#remaining = state.next === 'never' ? Number.POSITIVE_INFINITY : state.remaining
    reader.#next = state.next
    reader.#content = state.content
    reader.#extensionBytes = state.extensionBytes
    reader.done = state.next === 'end' && state.remaining === 0
    return reader
  }

  /** What was taken last has a fault behind it: {@link export} is not possible. */
  get broken(): boolean {
    return this.#fault !== undefined
  }

  /** Where it is. Of one that is {@link done} the trailers stay behind. @throws Error it is {@link broken} */
  export(): H1BodyState {
    if (this.#fault !== undefined) throw this.#fault
    if (this.done) return { remaining: 0, next: 'end', content: this.#content, extensionBytes: 0 }
    const remaining = this.#next === 'never' ? 0 : this.#remaining
    return { remaining, next: this.#next, content: this.#content, extensionBytes: this.#extensionBytes }
  }

  /** Bytes of content that are known to be still to come. */
  get remaining(): number {
    return this.#remaining
  }

  /**
   * The framing that makes one body again of content that was taken and of what the queue holds behind it.
   * @param taken bytes of content
   * @returns what belongs before the content and behind it; nothing where a length frames it
   */
  reframe(taken: number): { readonly before: string; readonly behind: string } {
    if (this.#next === 'end') return { before: '', behind: '' }
    const size = taken + this.#remaining
    const before = size === 0 ? '' : `${size.toString(16)}\r\n`
    const ended = size === 0 || this.#next === 'data-end' ? '' : '\r\n'
    return { before, behind: this.#next === 'trailers' ? `${ended}0\r\n` : ended }
  }

  /**
   * Takes framing off the front of the queue. The caller must take or skip what it returns before it calls
   * again.
   * @returns how many bytes of content are at the front; 0 if more bytes are needed, or it is done
   * @throws H1Error 400 for bad framing, 413 for too much content, 431 for too many trailers
   */
  advance(queue: ByteQueue): number {
    if (this.#fault !== undefined) throw this.#fault
    while (!this.done) {
      if (this.#remaining > 0) {
        const count = Math.min(this.#remaining, queue.length)
        this.#remaining -= count
        if (this.#remaining === 0 && this.#next === 'end') this.done = true
        return count
      }
      if (!this.#framing(queue)) return 0
    }
    return 0
  }

  /**
   * Takes what {@link advance} has found, and of small chunks those that follow: the receiver pays for each
   * piece.
   * @param count bytes at the front of the queue
   */
  take(queue: ByteQueue, count: number): Uint8Array {
    const chunked = this.#next === 'data-end' && this.#remaining === 0
    if (!chunked || count >= GATHERED || queue.length - count < LEAST_FRAMED) return queue.take(count)
    const gathered = new Pieces()
    try {
      for (let next = count; next > 0; next = gathered.length < GATHERED ? this.advance(queue) : 0) {
        gathered.append(queue.bytes, queue.start, queue.start + next)
        queue.skip(next)
      }
    } catch (error) {
      if (!(error instanceof H1Error)) throw error
      this.#fault = error
    }
    return gathered.takeWhole()
  }

  /** @returns whether a piece of framing was there */
  #framing(queue: ByteQueue): boolean {
    if (this.#next === 'size') return this.#readSize(queue)
    if (this.#next === 'data-end') {
      const { bytes, start, length } = queue
      if (length > 0 && bytes[start] === LF) throw new H1Error(400, BARE_LF)
      if (length > 0 && bytes[start] !== CR) throw new H1Error(400, 'a chunk is longer than its size')
      if (length < 2) return false
      if (bytes[start + 1] !== LF) throw new H1Error(400, 'a CR without LF')
      queue.skip(2)
      this.#next = 'size'
      return true
    }
    this.#scanner ??= new HeadScanner('none', this.#limits)
    const trailers = this.#scanner.scan(queue.bytes, queue.start, queue.end)
    if (trailers === undefined) return false
    for (const [name] of trailers.fields) {
      if (!isTrailer(name)) throw new H1Error(400, `${name} among the trailers`)
    }
    if (trailers.key !== undefined) {
      // It is none here, and must not be left.
      const { value, at } = trailers.key
      queue.bytes.fill(0, queue.start + at, queue.start + at + value.length)
      value.fill(0)
    }
    queue.skip(trailers.length)
    this.trailers = trailers.fields
    this.done = true
    return true
  }

  /** `chunk-size [ chunk-ext ] CRLF` */
  #readSize(queue: ByteQueue): boolean {
    const { bytes, start } = queue
    const stop = Math.min(queue.end, start + CHUNK_LINE)
    let at = start + this.#searched
    while (at < stop && bytes[at] !== LF) at++
    if (at === stop) {
      if (stop === start + CHUNK_LINE) throw new H1Error(400, `a chunk line of more than ${CHUNK_LINE} bytes`)
      this.#searched = at - start
      return false
    }
    this.#searched = 0
    const end = at - 1
    if (end < start || bytes[end] !== CR) throw new H1Error(400, BARE_LF)
    let size = 0
    let digits = start
    for (; digits < end; digits++) {
      const value = hexDigit(bytes[digits] as number)
      if (value < 0) break
      size = size * 16 + value
    }
    // RFC 9112 §7.1: a size that no number holds must not become another one.
    if (size > Number.MAX_SAFE_INTEGER) throw new H1Error(413, 'a chunk size that exceeds every limit')
    if (digits === start) throw new H1Error(400, 'a chunk without a size')
    if (digits < end) this.#readExtension(bytes, digits, end)
    queue.skip(at + 1 - start)
    if (size === 0) {
      this.#next = 'trailers'
      return true
    }
    this.#content += size
    if (this.#content > this.#limits.bodyBytes) {
      throw new H1Error(413, `more than ${this.#limits.bodyBytes} bytes of content`)
    }
    this.#remaining = size
    this.#next = 'data-end'
    return true
  }

  /** Extensions are checked, counted and ignored: all of them in one message may be as long as a head. */
  #readExtension(bytes: Uint8Array, from: number, end: number): void {
    this.#extensionBytes += end - from
    if (this.#extensionBytes > this.#limits.headBytes) throw new H1Error(400, 'too many chunk extensions')
    let text = ''
    for (let i = from; i < end; i++) text += String.fromCharCode(bytes[i] as number)
    if (!EXTENSION.test(text)) throw new H1Error(400, 'a bad chunk size or chunk extension')
  }
}

/** The value of a hexadecimal digit; -1 if it is none. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
