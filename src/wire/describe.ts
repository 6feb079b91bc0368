import type { AnyCodec } from './notation.ts'
import { DecodeError, Reader, type TraceEntry } from './reader.ts'

/**
 * The definition of a codec and of every named type that it uses, in the presentation language of RFC 8446
 * §3, what is used before what uses it.
 */
export function describe(codec: AnyCodec): string {
  const seen = new Set<string>()
  const definitions: string[] = []
  const visit = (one: AnyCodec): void => {
    if (one.definition !== undefined) {
      if (seen.has(one.definition)) return
      seen.add(one.definition)
    }
    for (const used of one.uses ?? []) visit(used)
    if (one.definition !== undefined) definitions.push(one.definition)
  }
  visit(codec)
  return definitions.join('\n\n')
}

/** What {@link annotate} found: the fields as far as they could be read, and why it stopped, if it did. */
export interface Annotation {
  readonly fields: readonly TraceEntry[]
  readonly error: DecodeError | undefined
}

/**
 * Reads bytes by a codec and lists every field with its offset, length, notation and value.
 * @param secrets whether the bytes of secrets are listed, too; masked by default
 */
export function annotate(
  codec: AnyCodec,
  bytes: Uint8Array,
  secrets: 'masked' | 'shown' = 'masked',
): Annotation {
  const fields: TraceEntry[] = []
  const reader = new Reader(bytes, fields, secrets === 'shown')
  try {
    codec.read(reader)
    reader.finish()
    return { fields, error: undefined }
  } catch (error) {
    if (error instanceof DecodeError) return { fields, error }
    throw error
  }
}

/** Bytes in hexadecimal. */
export function hex(bytes: Uint8Array): string {
  let out = ''
  for (let i = 0; i < bytes.length; i++) out += HEX[bytes[i]!]
  return out
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Hexadecimal (spaces allowed) as bytes; anything else is a `RangeError`. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) throw new RangeError('not hexadecimal')
  const bytes = new Uint8Array(digits.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return bytes
}
