/* DER as a generator of certificates wants it: what is given is written, right or wrong. */

/** An element: its tag, the length of what is in it, and that. */
export function tlv(tag: number, ...content: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const body = Buffer.concat(content.map(one => Uint8Array.from(one)))
  if (body.length < 0x80) return Uint8Array.of(tag, body.length, ...body)
  const digits: number[] = []
  for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
  return Uint8Array.from(Buffer.concat([Uint8Array.of(tag, 0x80 | digits.length, ...digits), body]))
}

export const sequence = (...content: Uint8Array[]): Uint8Array => tlv(0x30, ...content)
export const setOf = (...content: Uint8Array[]): Uint8Array => tlv(0x31, ...content)
export const boolean = (value: boolean): Uint8Array => tlv(1, [value ? 0xff : 0])
export const octets = (content: Uint8Array): Uint8Array => tlv(4, content)
/** `[number]`, constructed. */
export const context = (number: number, ...content: Uint8Array[]): Uint8Array =>
  tlv(0xa0 | number, ...content)

/** A non-negative INTEGER of a few bytes, or one of given bytes. */
export function integer(value: number | Uint8Array, tag = 2): Uint8Array {
  if (typeof value !== 'number') return tlv(tag, value)
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return tlv(tag, bytes[0]! >= 0x80 ? [0, ...bytes] : bytes)
}

export function objectId(id: string): Uint8Array {
  const [first, second, ...arcs] = id.split('.').map(Number)
  const base128 = (arc: number): number[] => {
    const digits = [arc & 0x7f]
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      digits.unshift((rest & 0x7f) | 0x80)
    return digits
  }
  return tlv(6, [40 * first! + second!, ...arcs.flatMap(base128)])
}

/** Bits by their numbers, as of KeyUsage. */
export function bits(...set: readonly number[]): Uint8Array {
  if (set.length === 0) return tlv(3, [0])
  const last = Math.max(...set)
  const bytes = new Uint8Array((last >> 3) + 1)
  for (const bit of set) bytes[bit >> 3]! |= 0x80 >> (bit & 7)
  return tlv(3, [7 - (last & 7)], bytes)
}

/** The types of strings that names are made of, by their tags. */
export const StringType = { utf8: 12, printable: 19, teletex: 20, ia5: 22, universal: 28, bmp: 30 } as const

export function string(type: number, text: string): Uint8Array {
  if (type === StringType.utf8) return tlv(type, Buffer.from(text))
  if (type !== StringType.bmp && type !== StringType.universal) return tlv(type, Buffer.from(text, 'latin1'))
  const size = type === StringType.bmp ? 2 : 4
  const bytes = Buffer.alloc(text.length * size)
  for (let i = 0; i < text.length; i++) bytes.writeUInt16BE(text.charCodeAt(i), (i + 1) * size - 2)
  return tlv(type, bytes)
}
