import { type ExtensionMessage, extensionForm } from '../tls13/extensions.ts'
import { HANDSHAKE_HEADER_LENGTH, type MessageType, messageForm } from '../tls13/messages.ts'
import { type Annotation, annotate, struct, type TraceEntry } from '../wire/index.ts'

/** How messages are abbreviated where extensions are listed (RFC 8446 §4.2). */
const ABBREVIATIONS: Partial<Record<MessageType, ExtensionMessage>> = {
  client_hello: 'CH',
  server_hello: 'SH',
  hello_retry_request: 'HRR',
  encrypted_extensions: 'EE',
  certificate: 'CT',
  certificate_request: 'CR',
  new_session_ticket: 'NST',
}

/**
 * All fields of a handshake message, from its header on. What an extension says is opened below it.
 * @param bytes header and body @param type a HelloRetryRequest is one of its own
 */
export function fieldsOf(type: MessageType, bytes: Uint8Array): Annotation {
  const body = annotate(messageForm(type), bytes.subarray(HANDSHAKE_HEADER_LENGTH), 'shown')
  const header: TraceEntry[] = [
    {
      ...{ offset: 0, length: 1, depth: 0, name: 'msg_type', notation: 'HandshakeType msg_type' },
      value: bytes[0]!,
    },
    {
      ...{ offset: 1, length: 3, depth: 0, name: 'length', notation: 'uint24 length' },
      value: bytes.length - HANDSHAKE_HEADER_LENGTH,
    },
  ]
  const fields: TraceEntry[] = [...header]
  let extensionType = -1
  for (const field of body.fields) {
    const offset = field.offset + HANDSHAKE_HEADER_LENGTH
    if (field.name === 'extension_type') extensionType = field.value as number
    const inside = field.name === 'extension_data' ? opened(type, extensionType, field, offset) : []
    // What is opened is not shown twice.
    fields.push(inside.length === 0 ? { ...field, offset } : { ...field, offset, value: {} }, ...inside)
  }
  return { fields, error: body.error }
}

/** What stands in an extension, under its name, for those whose form is known. */
function opened(message: MessageType, type: number, data: TraceEntry, offset: number): TraceEntry[] {
  const abbreviation = ABBREVIATIONS[message]
  const known = abbreviation && extensionForm(abbreviation, type)
  const bytes = data.value as Uint8Array
  if (known?.form === undefined || bytes.length === 0) return []
  // Behind the length of the extension.
  const start = offset + data.length - bytes.length
  const whole = struct('Extension', { [known.name]: known.form })
  return annotate(whole, bytes, 'shown').fields.map(field => ({
    ...field,
    offset: start + field.offset,
    depth: data.depth + 1 + field.depth,
  }))
}
