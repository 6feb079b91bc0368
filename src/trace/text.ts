import { hex } from '../wire/index.ts'
import { drawnLines, fieldsIn, hexLines } from './drawing.ts'
import type { Step, TracedMessage, TracedRecord, TracedSecret, TraceEvent } from './event.ts'
import { alertWords, contentTypeName, SECTIONS } from './names.ts'

/** Columns of a line. */
const COLUMNS = 110
/** Bytes of the application's that are shown of one record. */
const DATA = 256

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
    ...drawnLines(bytes, fieldsIn(fields), { label: 'name', columns: COLUMNS - 2 }).map(line => `  ${line}`),
    ...(transcriptHash === undefined ? [] : [`    transcript hash up to here: ${hex(transcriptHash)}`]),
  ]
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
      // Of a PSK, or a key exchange, the input is not known.
      ...(input.bytes === undefined ? [] : [`    input: ${input.what}`, ...bytesLines(input.bytes, 6)]),
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
  return hexLines(hex(bytes), indent)
}
