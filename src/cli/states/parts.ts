import { differences } from '../../trace/difference.ts'
import { fieldsIn, MASKED } from '../../trace/drawing.ts'
import { recordingIn } from '../../trace/embedded.ts'
import { RECORDING_FORMAT, type RecordedState, readRecording } from '../../trace/recording.ts'
import { type Annotation, fromHex, hex } from '../../wire/index.ts'

/** Bytes that a file holds, and what they are. */
export interface Part {
  /** What stands over it; undefined: it is all that there is. */
  readonly name: string | undefined
  readonly format: string
  readonly bytes: Uint8Array
  /** Those of one name are the same thing at several times, one after the other. */
  readonly row?: string
}

interface GoldenVector {
  readonly name: string
  readonly bytes: string
}

/**
 * The parts of a file of golden vectors, as `vectors/transfer` has them, or of a recording, as JSON or as a
 * page: the states of its sessions, and the envelopes that travelled.
 * @param format what vectors are @returns undefined: it is neither
 * @throws RangeError it is a recording, and is wrong
 */
export function partsIn(content: Uint8Array, format: string): readonly Part[] | undefined {
  // No state begins so: an envelope begins with its version, a session with a small number.
  if (content[0] !== 0x7b && content[0] !== 0x3c) return undefined
  const text = new TextDecoder().decode(content)
  const json = content[0] === 0x3c ? recordingIn(text) : text
  if (json === undefined) return undefined
  let value: { readonly vectors?: readonly GoldenVector[]; readonly format?: unknown }
  try {
    value = JSON.parse(json) as typeof value
    if (value.vectors !== undefined)
      return value.vectors.map(({ name, bytes }) => ({
        ...{ name: inOneLine(name), format, bytes: fromHex(bytes) },
      }))
  } catch {
    return undefined
  }
  return value.format === RECORDING_FORMAT ? partsOfRecording(json) : undefined
}

/** A name out of a file: it is not to look like lines of the dump. */
function inOneLine(name: string): string {
  return name.replaceAll('\n', '\\x0a')
}

function partsOfRecording(json: string): Part[] {
  return readRecording(json).connections.flatMap(({ title, side, states, parcels = [] }, index) => {
    const of = (kind: string, format: string, { when, bytes, ...one }: RecordedState): Part => ({
      ...{ name: inOneLine(`${index + 1}: ${title}, ${kind}${when}`), format, bytes: fromHex(bytes) },
      ...(format === 'session' ? { row: `${index} ${one.side ?? side}` } : {}),
    })
    return [
      ...states.map(one => of(`${one.side ?? side} `, 'session', one)),
      ...parcels.map(one => of('what travelled ', 'envelope', one)),
    ]
  })
}

/**
 * What has changed from some bytes to others, a line for each field.
 * @param annotated gives the fields of bytes, with what is secret or without
 * @param secrets whether values of secrets are shown; that they have changed is shown in any case
 */
export function changes(
  [before, after]: readonly [Uint8Array, Uint8Array],
  annotated: (bytes: Uint8Array, secrets: boolean) => Annotation,
  secrets: boolean,
): string[] {
  const of = (bytes: Uint8Array, shown: boolean) => ({
    ...{ bytes: hex(bytes), fields: fieldsIn(annotated(bytes, shown)).fields },
  })
  const nothing = { bytes: '', fields: [] }
  const masked = new Set(
    [before, after]
      .flatMap(bytes => differences(nothing, of(bytes, secrets)))
      .flatMap(({ path, after: value }) => (value === MASKED ? [path] : [])),
  )
  const lines = differences(of(before, true), of(after, true)).map(({ path, ...one }) => {
    const said = (value: string | undefined): string =>
      value === undefined ? 'not there' : masked.has(path) ? MASKED : value
    return `  ${path}: ${said(one.before)} → ${said(one.after)}`
  })
  if (lines.length > 0) return lines
  return [hex(before) === hex(after) ? '  nothing, not one byte' : '  nothing that could be read']
}
