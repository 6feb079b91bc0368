import type { RecordedState } from '../../trace/recording.ts'
import { fieldText } from './bytes.ts'

/** A field that is not the same in two states. Undefined: it is not there. */
export interface Difference {
  /** The names that lead to it. */
  readonly path: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** What has changed from one state to another, field by field. */
export function differences(before: RecordedState, after: RecordedState): Difference[] {
  const [one, other] = [valuesOf(before), valuesOf(after)]
  const paths = [...new Set([...one.keys(), ...other.keys()])]
  return paths
    .map(path => ({ path, before: one.get(path), after: other.get(path) }))
    .filter(difference => difference.before !== difference.after)
}

/** What the fields say that have no fields of their own, by their path. */
function valuesOf({ bytes, fields }: RecordedState): Map<string, string> {
  const values = new Map<string, string>()
  const path: string[] = []
  for (const field of fields) {
    path.splice(field.depth, path.length, field.name)
    const name = path.join(' › ')
    const whole =
      field.text === undefined ? bytes.slice(2 * field.offset, 2 * (field.offset + field.length)) : ''
    if (field.text === '') continue
    let key = name
    // Items of a list have the same names.
    for (let number = 2; values.has(key); number++) key = `${name} (${number})`
    values.set(key, whole === '' ? fieldText(bytes, field) : whole)
  }
  return values
}
