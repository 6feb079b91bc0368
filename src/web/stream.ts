import { Readable } from 'node:stream'
import type { ReadableByteStreamController, UnderlyingByteSource } from 'node:stream/web'

/** What streams hold that were made of bytes. */
const WHOLE = new WeakMap<ReadableStream<Uint8Array>, Uint8Array>()

/** Bytes as the web streams them: as a byte stream, in one piece. @param bytes stay as they are */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  const source: UnderlyingByteSource = {
    type: 'bytes',
    pull(controller: ReadableByteStreamController) {
      // Its memory is the reader's from then on.
      if (bytes.length > 0) controller.enqueue(new Uint8Array(bytes))
      controller.close()
      controller.byobRequest?.respond(0)
    },
  }
  const stream = new ReadableStream(source) as ReadableStream<Uint8Array>
  WHOLE.set(stream, bytes)
  return stream
}

/** What a stream of ours holds, as long as no code has begun to read it. */
export function wholeOf(stream: ReadableStream<Uint8Array>): Uint8Array | undefined {
  const bytes = WHOLE.get(stream)
  return bytes !== undefined && isUnread(stream) ? bytes : undefined
}

/** Blobs of which streams were made. */
const BLOBS = new WeakMap<ReadableStream<Uint8Array>, Blob>()

/** Whether it is a Blob as Node makes it, whose content is what it says and stays that. */
export function isBlob(value: unknown): value is Blob {
  if (!(value instanceof Blob)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Blob.prototype || prototype === File.prototype
}

/** A Blob as the web streams it. */
export function streamOfBlob(blob: Blob): ReadableStream<Uint8Array> {
  const stream = blob.stream() as ReadableStream<Uint8Array>
  BLOBS.set(stream, blob)
  return stream
}

/** What a stream of a Blob gives, as long as no code has begun to read it. */
export function blobOf(stream: ReadableStream<Uint8Array>): Blob | undefined {
  const blob = BLOBS.get(stream)
  return blob !== undefined && isUnread(stream) ? blob : undefined
}

/** Streams whose content waits for nothing that is yet to happen. */
const SETTLED = new WeakSet<ReadableStream<Uint8Array>>()

/** To be called for a stream of content that is there, such as a form: reading it takes disks at most. */
export function settle(stream: ReadableStream<Uint8Array>): void {
  SETTLED.add(stream)
}

/** Whether {@link settle} was called for it. */
export function isSettled(stream: ReadableStream<Uint8Array>): boolean {
  return SETTLED.has(stream)
}

/** Whether a body can be made of it: it is neither locked, nor has it been read or cancelled. */
export function isUnread(stream: ReadableStream): boolean {
  return !stream.locked && !isRead(stream)
}

/** Whether something of it has been read, or it was cancelled. */
export function isRead(stream: ReadableStream): boolean {
  // Node knows streams of the web, too; its types do not say so.
  return Readable.isDisturbed(stream as unknown as Readable)
}

/** Its content has been taken by another way: for readers it is as one that has been read to its end. */
export function drop(stream: ReadableStream): void {
  stream
    .getReader()
    .cancel()
    .catch(() => {})
}
