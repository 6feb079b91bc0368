/** Bytes `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Ranges that one answer may have. More of them are work for nothing (RFC 9110 §17.15). */
const MOST_RANGES = 16

/**
 * Reads a Range field (RFC 9110 §14.1.2).
 * @param length bytes of the whole
 * @returns the ranges, in the order asked for; `unsatisfiable` (416); undefined: the field is to be ignored,
 * because it is none of bytes, malformed, or asks for too much at once
 */
export function readRanges(
  field: string,
  length: number,
): readonly ByteRange[] | 'unsatisfiable' | undefined {
  const [, list] = /^bytes=(.+)$/i.exec(field.trim()) ?? []
  if (list === undefined) return undefined
  const specs = list.split(',').map(one => one.trim())
  if (specs.length > MOST_RANGES) return undefined
  const ranges: ByteRange[] = []
  for (const spec of specs) {
    const [, first, last] = /^(\d*)-(\d*)$/.exec(spec) ?? []
    if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
    if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined
    const start = first === '' ? Math.max(0, length - Number(last)) : Number(first)
    const end = first === '' || last === '' ? length - 1 : Math.min(Number(last), length - 1)
    if (start <= end) ranges.push({ start, end })
  }
  if (ranges.length === 0) return 'unsatisfiable'
  return overlaps(ranges) ? undefined : ranges
}

function overlaps(ranges: readonly ByteRange[]): boolean {
  const sorted = [...ranges].sort((a, b) => a.start - b.start)
  return sorted.some((one, at) => at > 0 && one.start <= sorted[at - 1]!.end)
}

/** What stands before each part of several (RFC 9110 §14.6). */
export function partHead(boundary: string, type: string, { start, end }: ByteRange, length: number): string {
  const fields = `Content-Type: ${type}\r\nContent-Range: bytes ${start}-${end}/${length}`
  return `\r\n--${boundary}\r\n${fields}\r\n\r\n`
}

/** What stands behind the last part. */
export function partsEnd(boundary: string): string {
  return `\r\n--${boundary}--\r\n`
}
