/* What DER is written for here (X.690): requests for certificates, and certificates that sign themselves. */

/** Identifier octets (X.690 §8.1.2). */
const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  generalizedTime: 0x18,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
} as const

/** One element, or several that follow one another. */
export type Der = Uint8Array

/** An element with that identifier octet around the contents. */
export function element(tag: number, ...contents: readonly Der[]): Der {
  const body = Buffer.concat(contents)
  const length = body.length < 0x80 ? [body.length] : longLength(body.length)
  return Uint8Array.from(Buffer.concat([Uint8Array.of(tag, ...length), body]))
}

/** X.690 §10.1: the fewest bytes that do. */
function longLength(length: number): number[] {
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return [0x80 | bytes.length, ...bytes]
}

export function sequence(...contents: readonly Der[]): Der {
  return element(TAG.sequence, ...contents)
}

export function set(...contents: readonly Der[]): Der {
  return element(TAG.set, ...contents)
}

/** A whole number that is not negative, as its bytes, the highest first. */
export function integer(bytes: Uint8Array): Der {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const short = bytes.subarray(start)
  return element(TAG.integer, (short[0] ?? 0) >= 0x80 ? Uint8Array.of(0, ...short) : short)
}

export function bitString(bytes: Uint8Array): Der {
  return element(TAG.bitString, Uint8Array.of(0), bytes)
}

export function octetString(bytes: Uint8Array): Der {
  return element(TAG.octetString, bytes)
}

export function utf8String(text: string): Der {
  return element(TAG.utf8String, Buffer.from(text))
}

export function truth(): Der {
  return element(TAG.boolean, Uint8Array.of(0xff))
}

/** `[number]`, with what it has inside. */
export function context(number: number, ...contents: readonly Der[]): Der {
  return element(0xa0 | number, ...contents)
}

/** `[number]` of a primitive type, implicit. */
export function primitive(number: number, bytes: Uint8Array): Der {
  return element(0x80 | number, bytes)
}

/** @param dotted as `2.5.29.17` (X.690 §8.19) */
export function objectIdentifier(dotted: string): Der {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number)
  return element(TAG.objectIdentifier, Uint8Array.from([40 * first + second, ...others].flatMap(base128)))
}

function base128(arc: number): number[] {
  const bytes = [arc & 0x7f]
  for (let rest = arc >>> 7; rest > 0; rest >>>= 7) bytes.unshift(0x80 | (rest & 0x7f))
  return bytes
}

/** To the second; years to 2049 as UTCTime, later ones as GeneralizedTime (RFC 5280 §4.1.2.5). */
export function time(milliseconds: number): Der {
  const digits = new Date(milliseconds).toISOString().replace(/\.\d+Z$|[-:T]/g, '')
  const short = Number(digits.slice(0, 4)) < 2050
  return element(
    short ? TAG.utcTime : TAG.generalizedTime,
    Buffer.from(`${short ? digits.slice(2) : digits}Z`),
  )
}

/** A block of PEM (RFC 7468), with an end of line. */
export function pem(label: string, der: Der): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
