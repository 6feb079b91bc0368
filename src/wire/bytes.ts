import { fresh } from './memory.ts'

/** All parts one after the other, in new memory; no bytes are always {@link EMPTY}. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  if (length === 0) return EMPTY
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** Bytes up to which a loop is quicker than making a view of them. */
const SHORT = 32

/** Copies what lies from `start` to before `end` to the front of `target`. */
export function copyInto(target: Uint8Array, source: Uint8Array, start: number, end: number): void {
  if (end - start > SHORT) target.set(viewOf(source, start, end))
  else for (let i = start; i < end; i++) target[i - start] = source[i]!
}

/** What lies from `start` to before `end`, as `subarray` gives it, but at half its price. */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
}

/** The last views of memory that is lent again and again, and the most bytes of such memory. */
const lentViews = new Array<Uint8Array>(8).fill(new Uint8Array(0))
/** Their buffers: to ask a view for it is a call each time. */
const lentBuffers = new Array<ArrayBufferLike>(8).fill(new ArrayBuffer(0))
const LENT = 131_072
let oldest = 0

/**
 * The same for a borrower that looks at once: where the same memory is lent again, as that is which messages
 * are received into, it is the same view.
 */
export function lentView(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const { buffer } = bytes
  const at = bytes.byteOffset + start
  const length = end - start
  for (let i = 0; i < lentViews.length; i++) {
    if (lentBuffers[i] !== buffer) continue
    const last = lentViews[i]!
    if (last.length === length && last.byteOffset === at) return last
  }
  const view = new Uint8Array(buffer, at, length)
  if (buffer.byteLength <= LENT) {
    lentViews[oldest] = view
    lentBuffers[oldest] = buffer
    oldest = (oldest + 1) % lentViews.length
  }
  return view
}

/** Whether two byte strings are equal, in a time that depends on their lengths alone. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

/** No bytes at all. */
export const EMPTY: Uint8Array = new Uint8Array(0)

const encoder = new TextEncoder()

/** Characters as UTF-8 bytes. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Characters up to which a loop is quicker than an encoder, which makes memory of its own each time. */
const SHORT_TEXT = 256

/** The same for a text that leaves soon: a short one shares a block of memory with others. */
function shortLivedUtf8(text: string): Uint8Array {
  const { length } = text
  if (length > SHORT_TEXT) return utf8(text)
  const bytes = fresh(length)
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return utf8(text)
    bytes[i] = unit
  }
  return bytes
}

/**
 * The first of several pieces that are to be handled at once, small ones together; they are gone from the
 * list afterwards.
 * @param waiting not empty @param most bytes
 */
export function takePortion(waiting: Uint8Array[], most: number): Uint8Array {
  let count = 0
  let length = 0
  while (count < waiting.length && length + waiting[count]!.length <= most) length += waiting[count++]!.length
  if (count === 0) {
    const first = waiting[0]!
    waiting[0] = first.subarray(most)
    return first.subarray(0, most)
  }
  if (count === 1) return waiting.shift()!
  return concat(...waiting.splice(0, count))
}

/** Characters from which on a text is worth sharing its bytes. */
const LARGE = 16_384
const encoded = new Map<string, WeakRef<Uint8Array>>()
const forgotten = new FinalizationRegistry<string>(text => {
  if (encoded.get(text)?.deref() === undefined) encoded.delete(text)
})

/**
 * The bytes of a text in UTF-8: those of a large one are shared by all callers that need them at the same
 * time, and must not be changed.
 */
export function sharedUtf8(text: string): Uint8Array {
  if (text.length < LARGE) return shortLivedUtf8(text)
  const known = encoded.get(text)?.deref()
  if (known !== undefined) return known
  const bytes = utf8(text)
  encoded.set(text, new WeakRef(bytes))
  forgotten.register(bytes, text)
  return bytes
}

/** The same bytes as no Buffer, whose `slice()` shares memory. */
export function plain(bytes: Uint8Array): Uint8Array {
  if (Object.getPrototypeOf(bytes) === Uint8Array.prototype) return bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
