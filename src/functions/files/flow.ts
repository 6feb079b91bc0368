import type { ResumeFunction } from '../contract.ts'
import { type ResumableStream, resumable } from '../resumable.ts'
import { isServed } from './path.ts'
import { type Stored, tagOf } from './representation.ts'
import { type Opened, openBelow } from './root.ts'

/** Bytes that are read of a file at a time. */
const PIECE = 64 * 1024

/** What is sent: text as it is, or bytes of the file, from the first to the last. */
export type Segment = string | readonly [first: number, last: number]

/** Where the response is that sends a file: what another container goes on from. */
interface Frozen {
  /** The file's path below the directory that is shown. */
  readonly names: readonly string[]
  /** Of the file as it was when it was opened. */
  readonly tag: string
  readonly left: readonly Segment[]
}

/** What the file system says of a file, as a tag: of one that was changed since, it is another one. */
export function changeTag({ stats: { ino, size, mtimeMs, ctimeMs } }: Opened): string {
  return tagOf(new TextEncoder().encode(`${ino} ${size} ${mtimeMs} ${ctimeMs}`))
}

/**
 * Pieces of a file as they are asked for; it goes on in another container. The handle is closed behind the
 * last one, and when nothing more is wanted.
 */
export function flowOf({ handle, names, tag }: Stored, segments: readonly Segment[]): ResumableStream {
  let left = segments
  return resumable({
    async pull(controller) {
      try {
        const [next, ...others] = left
        if (next === undefined) {
          await handle.close()
          controller.close()
        } else if (typeof next === 'string') {
          left = others
          controller.enqueue(next)
        } else {
          const [first, last] = next
          const piece = new Uint8Array(Math.min(PIECE, last + 1 - first))
          const { bytesRead } = await handle.read(piece, 0, piece.length, first)
          if (bytesRead === 0) throw new Error('the file has become shorter while it was sent')
          left = first + bytesRead > last ? others : [[first + bytesRead, last], ...others]
          controller.enqueue(piece.subarray(0, bytesRead))
        }
      } catch (error) {
        await handle.close()
        throw error
      }
    },
    cancel: () => handle.close(),
    freeze: (): Frozen => ({ names, tag, left }),
  })
}

/**
 * Goes on with a file whose response was begun in another container. @throws Error it is not that file any
 * more: the client sees that its response broke off, and no byte of another file
 */
export const resumeFile: ResumeFunction = async (state, _context, { FILES_DIRECTORY: directory }) => {
  const { names, tag, left } = state as Frozen
  const served = directory !== undefined && names.every(isServed)
  const opened = served ? await openBelow(directory, names) : undefined
  if (opened === undefined) throw new Error('the file is not there any more')
  const { handle, stats } = opened
  if (!stats.isFile() || changeTag(opened) !== tag) {
    await handle.close()
    throw new Error('the file has changed since its response began')
  }
  return flowOf({ kind: 'stored', handle, length: stats.size, names, tag }, left)
}
