import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { TextDecoder } from 'node:util'
import { ConfigError } from '../readers.ts'

/** Bytes of a stack file, or of a file that it takes in, at most. */
export const MOST_BYTES = 1_048_576

/** What came from a pipe, by its path: that can be read once, and `deploy` and `reload` read it again. */
const PIPED = new Map<string, string>()

/** Where the paths in a file start: where it is, but for one that the shell hands over, as /dev/stdin. */
export function baseOf(file: string): string {
  return isHandedOver(file) ? process.cwd() : dirname(resolve(file))
}

/**
 * The text of a file in UTF-8, without the mark at its beginning.
 * @throws ConfigError it cannot be read, is too large or is no such text; the message names file and place
 */
export function readText(file: string): string {
  const path = resolve(file)
  const known = PIPED.get(path)
  if (known !== undefined) return known
  let fd: number | undefined
  try {
    // To open it would wait for a writer, and the platform with it.
    if (!isHandedOver(file)) mustHaveAnEnd(file, statSync(file))
    fd = openSync(file, 'r')
    const text = textOf(read(fd, file), file)
    if (isHandedOver(file) && !fstatSync(fd).isFile()) PIPED.set(path, text)
    return text
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function isHandedOver(file: string): boolean {
  return /^\/(dev|proc)\//.test(resolve(file))
}

function mustHaveAnEnd(file: string, found: Stats): void {
  if (found.isFIFO())
    throw new ConfigError(`${file} is a named pipe, which may have no end: use --config /dev/stdin < ${file}`)
}

function read(fd: number, file: string): Uint8Array {
  const bytes = Buffer.alloc(Math.min(MOST_BYTES, fstatSync(fd).size || MOST_BYTES) + 1)
  let length = 0
  for (;;) {
    const more = readSync(fd, bytes, length, bytes.length - length, null)
    length += more
    if (more === 0) return bytes.subarray(0, length)
    if (length > MOST_BYTES)
      throw new ConfigError(`${file} has more than ${MOST_BYTES} bytes, which no stack file needs`)
    if (length === bytes.length) throw new ConfigError(`${file} grew while it was read; try again`)
  }
}

function textOf(bytes: Uint8Array, file: string): string {
  const { length } = bytes
  const odd = oddByte(bytes)
  if (odd === undefined) return new TextDecoder('utf-8').decode(bytes)
  const before = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(odd, length)).toString('latin1')
  const line = before.split('\n').length
  const column = odd - before.lastIndexOf('\n')
  const what = bytes[odd] === 0 ? 'NUL' : `the byte 0x${bytes[odd]!.toString(16)}`
  throw new ConfigError(`${file}:${line}:${column}: ${what} is no text in UTF-8; save the file as that`)
}

/** Where what is no text begins. */
function oddByte(bytes: Uint8Array): number | undefined {
  const zero = bytes.indexOf(0)
  const end = zero < 0 ? bytes.length : zero
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const isText = (from: number, to: number): boolean => {
    try {
      decoder.decode(bytes.subarray(from, to))
      return true
    } catch {
      return false
    }
  }
  if (isText(0, end)) return zero < 0 ? undefined : zero
  // The first line that is none, and in it the first byte from which on nothing helps.
  let start = 0
  for (let next = bytes.indexOf(0x0a); next >= 0 && next < end; next = bytes.indexOf(0x0a, start)) {
    if (!isText(start, next + 1)) break
    start = next + 1
  }
  for (let at = start; at < end; ) {
    const length = [1, 2, 3, 4].find(one => at + one <= end && isText(at, at + one))
    if (length === undefined) return at
    at += length
  }
  return end
}
