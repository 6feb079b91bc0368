import { DecodeError, decode, encode, opaque, struct, type TypeOf, text, vector } from '../wire/index.ts'
import { SealedError } from './error.ts'

/** One file of a sealed function. */
const ArchivedFile = struct('ArchivedFile', {
  /** Of the parts `a`, `b` and `c.mjs`, as `a/b/c.mjs`. */
  path: text(1, 1024),
  content: opaque(0, 2 ** 32 - 1),
})

/** The clear content of a bundle: the files of a function. */
export const Archive = struct('Archive', {
  /** Which of them is the function's module. */
  entry: text(1, 1024),
  files: vector(ArchivedFile, 0, 2 ** 32 - 1),
})
export type Archive = TypeOf<typeof Archive>

/** @throws RangeError for what does not fit; SealedError for a path that leads out, or a missing entry */
export function writeArchive(archive: Archive): Uint8Array {
  check(archive)
  return encode(Archive, archive)
}

/** @throws SealedError `malformed` */
export function readArchive(bytes: Uint8Array): Archive {
  try {
    const archive = decode(Archive, bytes)
    check(archive)
    return archive
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new SealedError('malformed', `the content of the bundle is no archive: ${error.message}`)
  }
}

function check({ entry, files }: Archive): void {
  for (const { path } of files) {
    const parts = path.split('/')
    if (path.includes('\0') || path.includes('\\') || parts.some(part => /^\.{0,2}$/.test(part)))
      throw new SealedError('malformed', `${JSON.stringify(path)} is no path within a bundle`)
  }
  if (new Set(files.map(({ path }) => path)).size !== files.length)
    throw new SealedError('malformed', 'the bundle has two files of one name')
  if (!files.some(({ path }) => path === entry))
    throw new SealedError('malformed', `the bundle has no file ${JSON.stringify(entry)}`)
}
