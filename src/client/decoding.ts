import * as zlib from 'node:zlib'
import { type Field, isNamed } from '../http/message.ts'
import { plain } from '../wire/index.ts'
import { ClientError } from './error.ts'

/** Decoders of Node's: all of them streams, so that no more is decoded than is taken. */
const DECODERS: ReadonlyMap<string, () => zlib.Gunzip> = decoders()
/** Codings one over the other: more than one is not met in honest responses. */
const LAYERS = 2
/** Bytes that are decoded ahead of the application. */
const AHEAD = 65_536

function decoders(): ReadonlyMap<string, () => zlib.Gunzip> {
  const gunzip = (): zlib.Gunzip => zlib.createGunzip()
  const found = new Map<string, () => zlib.Gunzip>([
    ['br', () => zlib.createBrotliDecompress() as unknown as zlib.Gunzip],
    ['gzip', gunzip],
    ['x-gzip', gunzip],
  ])
  // Node from 22.15 on.
  const { createZstdDecompress } = zlib as { readonly createZstdDecompress?: () => zlib.Gunzip }
  if (createZstdDecompress !== undefined) found.set('zstd', createZstdDecompress)
  return found
}

/** What Accept-Encoding says: what can be decoded here (RFC 9110 §12.5.3). */
export const ACCEPT_ENCODING: string = [...DECODERS.keys()].filter(name => name !== 'x-gzip').join(', ')

/** The codings of a response, in the order in which they were applied; empty: it is as it is. */
export function codingsOf(fields: readonly Field[]): readonly string[] {
  const said = fields.flatMap(([name, value]) => (isNamed(name, 'content-encoding') ? value.split(',') : []))
  return said.map(one => one.trim().toLowerCase()).filter(one => one !== '' && one !== 'identity')
}

/** Whether {@link decoded} knows all of them. @throws ClientError protocol: too many */
export function canDecode(codings: readonly string[]): boolean {
  if (codings.length > LAYERS)
    throw new ClientError('protocol', `${codings.length} content codings, one over the other`)
  return codings.every(one => DECODERS.has(one))
}

/** Content without its codings, decoded as far as it is taken. @param codings see {@link canDecode} */
export function decoded(
  content: Uint8Array | ReadableStream<Uint8Array>,
  codings: readonly string[],
): ReadableStream<Uint8Array> {
  let stream = content instanceof ReadableStream ? content : streamOf(content)
  for (const coding of codings.toReversed()) stream = through(stream, coding, DECODERS.get(coding)!())
  return stream
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes)
      controller.close()
    },
  })
}

function through(
  source: ReadableStream<Uint8Array>,
  coding: string,
  decoder: zlib.Gunzip,
): ReadableStream<Uint8Array> {
  const reader = source.getReader()
  let over = false
  /** Gives the decoder what it takes. */
  const feed = async (): Promise<void> => {
    for (let empty = true; ; ) {
      const { done, value } = await reader.read()
      if (over) return
      if (done) {
        // No content is no coding either, whatever the field says.
        if (empty) decoder.emit('end')
        else decoder.end()
        return
      }
      empty &&= value.length === 0
      if (!decoder.write(value)) await new Promise<void>(resolve => decoder.once('drain', resolve))
    }
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const end = (work: () => void): void => {
          if (over) return
          over = true
          work()
          decoder.destroy()
        }
        decoder.on('data', (bytes: Uint8Array) => {
          if (over) return
          controller.enqueue(plain(bytes))
          if ((controller.desiredSize ?? 0) <= 0) decoder.pause()
        })
        decoder.on('end', () => end(() => controller.close()))
        decoder.on('error', cause => {
          const error = new ClientError('protocol', `content that is no ${coding}: ${cause.message}`, {
            cause,
          })
          end(() => controller.error(error))
          reader.cancel(error).catch(() => {})
        })
        reader.closed.catch(error => end(() => controller.error(error)))
        feed().catch(() => {})
      },
      pull: () => void decoder.resume(),
      cancel(reason) {
        over = true
        decoder.destroy()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: AHEAD, size: piece => piece.length },
  )
}
