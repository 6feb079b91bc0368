import { randomBytes } from 'node:crypto'
import { concat, utf8 } from '../../wire/index.ts'
import { evaluate, rangeHolds } from './conditions.ts'
import { type Coding, chooseCoding } from './encodings.ts'
import { flowOf, type Segment } from './flow.ts'
import { type ByteRange, partHead, partsEnd, readRanges } from './ranges.ts'
import {
  codedTag,
  encoded,
  type Flowing,
  type Representation,
  type Stored,
  type Whole,
} from './representation.ts'

/**
 * Answers a GET or HEAD with a representation: conditions first, then ranges, then the coding (RFC 9110 §13,
 * §14, §8.4). A handle of its content is closed, now or when the answer has been sent.
 */
export async function answer(request: Request, representation: Representation): Promise<Response> {
  const { content, validators, headers: own, type } = representation
  const ranged = content.kind !== 'flowing' && request.method === 'GET' && request.headers.has('range')
  const coding = ranged || !isCompressible(content) ? 'identity' : codingOf(request)
  const etag = codedTag(validators.etag, coding)
  const headers = new Headers({ ...own, etag, 'x-content-type-options': 'nosniff' })
  if (validators.modified !== undefined)
    headers.set('last-modified', new Date(validators.modified * 1000).toUTCString())
  if (content.kind !== 'flowing') headers.set('accept-ranges', 'bytes')
  let keeps = false
  try {
    const outcome = evaluate(request.headers, { ...validators, etag })
    if (outcome === 'unchanged') return new Response(null, { status: 304, headers })
    if (outcome === 'failed') return new Response(null, { status: 412, headers })
    headers.set('content-type', type)
    if (content.kind === 'flowing') {
      if (request.method === 'HEAD') return new Response(null, { headers })
      keeps = true
      return new Response(streamOf(content.pieces(), content), { headers })
    }
    if (ranged && rangeHolds(request.headers, { ...validators, etag })) {
      const length = lengthOf(content)
      const ranges = readRanges(request.headers.get('range')!, length)
      if (ranges === 'unsatisfiable') {
        headers.delete('content-type')
        headers.set('content-range', `bytes */${length}`)
        return new Response(null, { status: 416, headers })
      }
      if (ranges !== undefined) {
        keeps = true
        return partial(content, ranges, type, headers)
      }
    }
    if (content.kind === 'stored') {
      headers.set('content-length', String(content.length))
      if (request.method === 'HEAD') return new Response(null, { headers })
      keeps = true
      return new Response(flowOf(content, content.length === 0 ? [] : [[0, content.length - 1]]), { headers })
    }
    if (coding !== 'identity') headers.set('content-encoding', coding)
    const bytes = await encoded(content, coding)
    headers.set('content-length', String(bytes.length))
    return new Response(request.method === 'HEAD' ? null : bytes, { headers })
  } finally {
    if (!keeps && content.kind !== 'whole') await content.handle.close()
  }
}

function isCompressible(content: Representation['content']): boolean {
  return content.kind === 'whole' && content.compressible
}

function codingOf(request: Request): Coding {
  return chooseCoding(request.headers.get('accept-encoding')) ?? 'identity'
}

function lengthOf(content: Whole | Stored): number {
  return content.kind === 'whole' ? content.bytes.length : content.length
}

/** 206: one range as it is, several as parts (RFC 9110 §15.3.7). */
function partial(
  content: Whole | Stored,
  ranges: readonly ByteRange[],
  type: string,
  headers: Headers,
): Response {
  const length = lengthOf(content)
  const [only] = ranges
  if (ranges.length === 1 && only !== undefined) {
    headers.set('content-range', `bytes ${only.start}-${only.end}/${length}`)
    headers.set('content-length', String(only.end - only.start + 1))
    return new Response(bodyOf(content, [[only.start, only.end]]), { status: 206, headers })
  }
  const boundary = randomBytes(12).toString('hex')
  const text = new TextEncoder()
  const segments = ranges.flatMap((range): Segment[] => {
    return [partHead(boundary, type, range, length), [range.start, range.end]]
  })
  segments.push(partsEnd(boundary))
  const sum = segments.reduce(
    (all, one) => all + (typeof one === 'string' ? text.encode(one).length : one[1] + 1 - one[0]),
    0,
  )
  headers.set('content-type', `multipart/byteranges; boundary=${boundary}`)
  headers.set('content-length', String(sum))
  return new Response(bodyOf(content, segments), { status: 206, headers })
}

/** What is in memory as it is, and a file as it is read. */
function bodyOf(
  content: Whole | Stored,
  segments: readonly Segment[],
): ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> {
  if (content.kind === 'stored') return flowOf(content, segments)
  const { bytes } = content
  return concat(
    ...segments.map(one => (typeof one === 'string' ? utf8(one) : bytes.subarray(one[0], one[1] + 1))),
  ) as Uint8Array<ArrayBuffer>
}

/** Pieces as they are asked for; the handle is closed behind the last one, and when the client is gone. */
function streamOf(pieces: AsyncGenerator<Uint8Array>, { handle }: Flowing): ReadableStream<Uint8Array> {
  const close = () => handle.close()
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await pieces.next()
          if (!done) return controller.enqueue(value)
          await close()
          controller.close()
        } catch (error) {
          await close()
          throw error
        }
      },
      async cancel() {
        await pieces.return(undefined)
        await close()
      },
    },
    { highWaterMark: 0 },
  )
}
