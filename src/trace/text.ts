import { hex, type TraceEntry } from '../wire/index.ts'
import type { Step, TracedMessage, TracedRecord, TracedSecret, TraceEvent } from './event.ts'
import { alertWords, contentTypeName, numberText, SECTIONS } from './names.ts'

/** Bytes of a line of hexadecimal. */
const LINE = 32
/** Bytes of the application's that are shown of one record. */
const DATA = 256

/** What has fields of its own, which follow. */
const STRUCT = ''

/** An event as lines of text, at most 110 columns wide. Secrets are shown. */
export function traceLines(event: TraceEvent): readonly string[] {
  switch (event.kind) {
    case 'record':
      return recordLines(event)
    case 'message':
      return messageLines(event)
    case 'alert':
      return [`  alert ${alertWords(event.bytes)}, RFC 8446 §6`, ...bytesLines(event.bytes, 4)]
    case 'data':
      return dataLines(event.bytes)
    case 'secret':
      return secretLines(event)
    case 'keys':
      return [
        `* key and iv of ${event.secret}, RFC 8446 §7.3:`,
        `    HKDF-Expand-Label(SECRET, "key", "", ${event.key.length}) = ${hex(event.key)}`,
        `    HKDF-Expand-Label(SECRET, "iv", "", ${event.iv.length}) = ${hex(event.iv)}`,
        `    of ${event.aead}`,
      ]
    case 'gap':
      return [`${event.side}: ${event.length} bytes that are not understood: ${event.reason}`]
  }
}

function recordLines({ side, index, bytes, type, content, sealed }: TracedRecord): string[] {
  const what = `${side} record ${index}: ${contentTypeName(type)}, ${content.length} bytes`
  if (sealed === undefined)
    return ['', `${what}, in clear (RFC 8446 §5.1), header ${hex(bytes.subarray(0, 5))}`]
  const { secret, sequenceNumber, padding } = sealed
  const padded = padding === 0 ? '' : ` and ${padding} of padding`
  return [
    '',
    `${what}${padded}, sealed in ${bytes.length} bytes (RFC 8446 §5.2)`,
    `    record number ${sequenceNumber} under ${secret}, header ${hex(bytes.subarray(0, 5))}`,
  ]
}

function messageLines({ type, bytes, fields, transcriptHash }: TracedMessage): string[] {
  const section = SECTIONS[type]
  return [
    `  ${type}, ${bytes.length} bytes${section === undefined ? '' : `, ${section}`}`,
    ...fields.fields.flatMap(fieldLines),
    ...(fields.error === undefined ? [] : [`    stopped at ${fields.error.offset}: ${fields.error.message}`]),
    ...(transcriptHash === undefined ? [] : [`    transcript hash up to here: ${hex(transcriptHash)}`]),
  ]
}

function fieldLines({ offset, length, depth, name, value }: TraceEntry): string[] {
  const where = `${String(offset).padStart(7)} ${String(length).padStart(5)}`
  const indent = '  '.repeat(depth + 1)
  const head = `${where}${indent}${name}`
  const text = valueText(name, value)
  if (text === STRUCT) return [head]
  if (text !== undefined) return wrapped(`${head} = ${text}`, where.length + indent.length + 2)
  const bytes = value as Uint8Array
  if (bytes.length <= LINE) return [`${head} = ${hex(bytes)}`]
  return [head, ...bytesLines(bytes, where.length + indent.length + 2)]
}

/** What stands in a field, in words; empty: other fields, which follow; undefined: bytes. */
export function valueText(name: string, value: unknown): string | undefined {
  if (typeof value === 'number') return numberText(name, value)
  if (value instanceof Uint8Array)
    return name === 'psk_key_exchange_modes' ? list(name, [...value]) : undefined
  if (!Array.isArray(value)) return typeof value === 'object' ? STRUCT : String(value)
  if (value.every(one => typeof one === 'number')) return list(name, value)
  if (value.every(one => one instanceof Uint8Array)) return value.map(asText).join(', ')
  return `${value.length} ${value.length === 1 ? 'item' : 'items'}`
}

function list(name: string, numbers: readonly number[]): string {
  return numbers.map(number => numberText(name, number)).join(', ')
}

/** A name of a protocol or host where it is one, else hexadecimal. */
function asText(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(0, 255))
  return bytes.length <= 255 && /^[\x21-\x7e]+$/.test(text) ? `"${text}"` : hex(bytes)
}

function secretLines({ name, secret, step, follows }: TracedSecret): string[] {
  const doubt = follows === false ? ['    which does not follow from what was seen'] : []
  return [...stepLines(name, step), `    = ${hex(secret)}`, ...doubt]
}

function stepLines(name: string, step: Step): string[] {
  if (step.operation === 'HKDF-Extract') {
    const { salt, input } = step
    return [
      `* ${name} = HKDF-Extract(salt, ${input.what}), ${step.hash}, RFC 8446 §7.1`,
      `    salt: ${salt.from}`,
      ...bytesLines(salt.bytes, 6),
    ]
  }
  const { from, label, context, info } = step
  return [
    `* ${name} = HKDF-Expand-Label(SECRET, "${label}", context), ${step.hash}`,
    `    SECRET: ${from}`,
    `    context: ${context.what}`,
    ...bytesLines(context.bytes, 6),
    '    HkdfLabel:',
    ...bytesLines(info, 6),
  ]
}

function dataLines(bytes: Uint8Array): string[] {
  const shown = bytes.subarray(0, DATA)
  const lines: string[] = []
  for (let at = 0; at < shown.length; at += 16) {
    const line = shown.subarray(at, at + 16)
    const text = [...line]
      .map(byte => (byte < 0x20 || byte > 0x7e ? '.' : String.fromCharCode(byte)))
      .join('')
    lines.push(
      `    ${String(at).padStart(5)}  ${hex(line)
        .replace(/..(?=.)/g, '$& ')
        .padEnd(47)}  ${text}`,
    )
  }
  return bytes.length > DATA ? [...lines, `    and ${bytes.length - DATA} bytes more`] : lines
}

function bytesLines(bytes: Uint8Array, indent: number): string[] {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += LINE)
    lines.push(`${' '.repeat(indent)}${hex(bytes.subarray(at, at + LINE))}`)
  return lines
}

/** A long list goes on in the next line. */
function wrapped(line: string, indent: number): string[] {
  const lines: string[] = []
  let rest = line
  while (rest.length > 110) {
    const at = rest.lastIndexOf(', ', 109)
    if (at <= indent) break
    lines.push(rest.slice(0, at + 1))
    rest = `${' '.repeat(indent)}${rest.slice(at + 2)}`
  }
  return [...lines, rest]
}
