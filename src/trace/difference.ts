import { bytesOf } from './drawing.ts'
import type { Hex, RecordedFields } from './recording.ts'

/** A field that is not the same in two states. Undefined: it is not there. */
export interface Difference {
  /** The names that lead to it. */
  readonly path: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** Bytes with their fields. */
interface Annotated extends Pick<RecordedFields, 'fields'> {
  readonly bytes: Hex
}

/** What has changed from one state to another, field by field. */
export function differences(before: Annotated, after: Annotated): Difference[] {
  const [one, other] = [valuesOf(before), valuesOf(after)]
  const paths = [...new Set([...one.keys(), ...other.keys()])]
  return paths
    .map(path => ({ path, before: one.get(path), after: other.get(path) }))
    .filter(difference => difference.before !== difference.after)
}

/** What the fields say that have no fields of their own, by their path. */
function valuesOf({ bytes, fields }: Annotated): Map<string, string> {
  const values = new Map<string, string>()
  const seen = new Map<string, number>()
  const path: string[] = []
  for (const field of fields) {
    const { depth, name, text } = field
    path.splice(depth, path.length, name)
    if (text === '') continue
    const joined = path.join(' › ')
    // Items of a list have the same names.
    const number = (seen.get(joined) ?? 0) + 1
    seen.set(joined, number)
    const key = number === 1 ? joined : `${joined} (${number})`
    values.set(key, text ?? bytesOf(bytes, field))
  }
  return values
}
