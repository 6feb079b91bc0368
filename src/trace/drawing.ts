import { type Annotation, hex, SECRET, type TraceEntry } from '../wire/index.ts'
import { valueText } from './names.ts'
import type { Hex, RecordedField, RecordedFields } from './recording.ts'

/*
 * Annotated bytes, as they are drawn wherever that is: by `inspect` and `--trace` as lines of text, by the
 * page of recordings as a table whose rows mark their bytes, in the report of benchmarks as a table.
 */

/** Bytes that stand beside a field whose value does not say them; a longer one has its beginning there. */
const BESIDE = 8
/** Bytes of a line of hexadecimal, where lines are broken. */
const LINE = 32
/** Stands for bytes that are not shown. */
export const MASKED = '(secret)'

/** One field of a drawing. */
export interface Drawn {
  readonly field: RecordedField
  /** Its first bytes; empty where its value says them, or where fields of its own follow. */
  readonly beside: Hex
  /** Its value in words, or all its bytes; empty: fields of its own follow. */
  readonly value: string
}

/** An annotation as it is kept: each value in words. */
export function fieldsIn({ fields, error }: Annotation): RecordedFields {
  return {
    fields: fields.map(fieldOf),
    ...(error === undefined ? {} : { stopped: `at byte ${error.offset}: ${error.message}` }),
  }
}

function fieldOf({ offset, length, depth, name, notation, value }: TraceEntry): RecordedField {
  const text = value === undefined ? 'absent' : value === SECRET ? MASKED : valueText(name, value)
  const field = { offset, length, depth, name, notation }
  if (text !== undefined) return { ...field, text }
  const prefix = length - (value as Uint8Array).length
  return prefix > 0 ? { ...field, prefix } : field
}

/** The bytes of a field that its value is. @param bytes what was annotated */
export function bytesOf(bytes: Hex | Uint8Array, { offset, length, prefix = 0 }: RecordedField): Hex {
  return hexOf(bytes, offset + prefix, length - prefix)
}

/** Each field with its bytes and what they say. @param bytes what was annotated */
export function drawn(bytes: Hex | Uint8Array, { fields }: Pick<RecordedFields, 'fields'>): Drawn[] {
  return fields.map(field => {
    const { offset, length, text } = field
    if (text === undefined) return { field, beside: '', value: bytesOf(bytes, field) }
    const says = text === '' || text === MASKED
    return { field, beside: says ? '' : hexOf(bytes, offset, Math.min(length, BESIDE)), value: text }
  })
}

function hexOf(bytes: Hex | Uint8Array, offset: number, length: number): Hex {
  if (typeof bytes === 'string') return bytes.slice(2 * offset, 2 * (offset + length))
  return hex(bytes.subarray(offset, offset + length))
}

/** How a drawing looks as text. */
export interface TextStyle {
  /** What a field is called by. */
  readonly label: 'name' | 'notation'
  /** Columns, beyond which a value goes on in the next line; undefined: it does not. */
  readonly columns?: number
}

/** A drawing as lines of text: offset, length, first bytes, what it is, value. */
export function drawnLines(bytes: Hex | Uint8Array, all: RecordedFields, style: TextStyle): string[] {
  const { label, columns = Number.POSITIVE_INFINITY } = style
  const lines = drawn(bytes, all).flatMap(({ field, beside, value }) => {
    const where = `${String(field.offset).padStart(5)} ${String(field.length).padStart(5)}`
    const head = `${where}  ${beside.padEnd(2 * BESIDE)}  ${'  '.repeat(field.depth)}${field[label]}`
    if (value === '') return [head]
    const line = `${head} = ${value}`
    if (line.length <= columns) return [line]
    const indent = where.length + 2 + 2 * BESIDE + 4 + 2 * field.depth
    if (field.text === undefined) return [head, ...hexLines(value, indent)]
    return value.includes(', ') ? wrapped(line, indent, columns) : [head, `${' '.repeat(indent)}${value}`]
  })
  return all.stopped === undefined ? lines : [...lines, `      stopped ${all.stopped}`]
}

/** Hexadecimal in lines. @param indent columns before each */
export function hexLines(bytes: Hex, indent: number): string[] {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 2 * LINE)
    lines.push(`${' '.repeat(indent)}${bytes.slice(at, at + 2 * LINE)}`)
  return lines
}

/** A long list goes on in the next line. */
function wrapped(line: string, indent: number, columns: number): string[] {
  const lines: string[] = []
  let rest = line
  while (rest.length > columns) {
    const at = rest.lastIndexOf(', ', columns - 1)
    if (at <= indent) break
    lines.push(rest.slice(0, at + 1))
    rest = `${' '.repeat(indent)}${rest.slice(at + 2)}`
  }
  return [...lines, rest]
}
