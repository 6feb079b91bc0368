/** Identifier octets of the types that certificates are read for here (X.690 §8.1.2, X.680 §8.6). */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** The identifier octet of a context-specific, constructed element: `[0]` to `[30]`. */
export function contextTag(number: number): number {
  return 0xa0 | number
}

/** What is no DER, or another type than is due. Its message says what was found. */
export class DerError extends Error {
  override readonly name = 'DerError'
}

/** Bytes of a length that is written in more than one; four of them say 4 GiB. */
const LONGEST_LENGTH = 4

/**
 * Reads the elements of a DER value (X.690 §10) one after the other, as views of its bytes. Lengths are
 * definite, as short as can be, and end where the enclosing value does; tags are of one byte. BER that is no
 * DER is refused.
 */
export class DerReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The identifier octet of the next element; undefined at the end. */
  get next(): number | undefined {
    return this.#bytes[this.#at]
  }

  /** The contents of the next element. @throws DerError unless it is there and has this tag */
  take(tag: number): Uint8Array {
    const bytes = this.#bytes
    const found = bytes[this.#at]
    if (found !== tag) throw new DerError(`${nameOf(found)} where ${nameOf(tag)} is due`)
    let start = this.#at + 2
    let length = bytes[start - 1]
    if (length === undefined) throw new DerError('an element without a length')
    if (length >= 0x80) {
      const count = length & 0x7f
      if (count === 0 || count > LONGEST_LENGTH) throw new DerError(`a length of ${count} bytes`)
      length = 0
      for (const end = start + count; start < end; start++) length = length * 256 + (bytes[start] ?? 0)
      // X.690 §10.1: the fewest bytes that do.
      if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError('a length that is too long')
    }
    const end = start + length
    if (end > bytes.length) throw new DerError('an element that does not end')
    this.#at = end
    return bytes.subarray(start, end)
  }

  /** As {@link take}, but nothing is taken, and undefined returned, if the next element has another tag. */
  takeIf(tag: number): Uint8Array | undefined {
    return this.next === tag ? this.take(tag) : undefined
  }

  /** The next element as it stands, tag and length included. @throws DerError as {@link take} */
  whole(tag: number): Uint8Array {
    const start = this.#at
    this.take(tag)
    return this.#bytes.subarray(start, this.#at)
  }

  /** @throws DerError if an element is left */
  end(): void {
    if (this.#at < this.#bytes.length) throw new DerError('more than is due')
  }
}

function nameOf(tag: number | undefined): string {
  return tag === undefined ? 'the end' : `tag 0x${tag.toString(16)}`
}

/** The contents of the one element that `der` is. @throws DerError if it is another, or if more follows */
export function only(der: Uint8Array, tag: number): Uint8Array {
  const reader = new DerReader(der)
  const content = reader.take(tag)
  reader.end()
  return content
}

/** A BOOLEAN from its contents. @throws DerError unless they are 00 or ff (X.690 §11.1) */
export function toBoolean(content: Uint8Array): boolean {
  const [value] = content
  if (content.length !== 1 || (value !== 0 && value !== 0xff)) throw new DerError('a BOOLEAN that is none')
  return value === 0xff
}

/** An INTEGER from its contents. @throws DerError if it is negative or has more than six bytes */
export function toNumber(content: Uint8Array): number {
  const { length } = content
  const padded = length > 1 && content[0] === 0 && content[1]! < 0x80
  if (length === 0 || length > 6 || content[0]! >= 0x80 || padded)
    throw new DerError('an INTEGER that is none')
  return content.reduce((number, byte) => number * 256 + byte, 0)
}

/** An OBJECT IDENTIFIER from its contents, as `1.2.840`. @throws DerError (X.690 §8.19) */
export function toObjectIdentifier(content: Uint8Array): string {
  const arcs: (number | bigint)[] = []
  let arc = 0
  let start = 0
  for (let i = 0; i < content.length; i++) {
    const byte = content[i]!
    if (i === start && byte === 0x80) break
    arc = arc * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    // Arcs may be as long as a UUID.
    arcs.push(Number.isSafeInteger(arc) ? arc : longArc(content.subarray(start, i + 1)))
    arc = 0
    start = i + 1
  }
  const [first] = arcs
  if (first === undefined || start !== content.length) throw new DerError('an OBJECT IDENTIFIER that is none')
  const root = first < 40 ? 0 : first < 80 ? 1 : 2
  const second = typeof first === 'bigint' ? first - 80n : first - 40 * root
  return [root, second, ...arcs.slice(1)].join('.')
}

function longArc(bytes: Uint8Array): bigint {
  return bytes.reduce((arc, byte) => (arc << 7n) | BigInt(byte & 0x7f), 0n)
}

/**
 * UTCTime or GeneralizedTime in the forms that certificates may have (RFC 5280 §4.1.2.5): with seconds,
 * without fractions, in UTC.
 * @param content of the element @returns milliseconds since 1970 @throws DerError for any other form or date
 */
export function toTime(tag: number, content: Uint8Array): number {
  const text = String.fromCharCode(...content.subarray(0, 16))
  const [, century, year, month, day, hour, minute, second] =
    /^(\d\d)?(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? []
  if ((tag === Tag.generalizedTime) !== (century !== undefined) || year === undefined)
    throw new DerError('a time that is none')
  const fullYear = Number(century ?? (Number(year) >= 50 ? 19 : 20)) * 100 + Number(year)
  const date = new Date(0)
  date.setUTCFullYear(fullYear, Number(month) - 1, Number(day))
  date.setUTCHours(Number(hour), Number(minute), Number(second))
  // A date that there is not, as of February 30, becomes another.
  const written = date.toISOString().replace(/\D/g, '').slice(0, 14)
  if (written !== `${String(fullYear).padStart(4, '0')}${month}${day}${hour}${minute}${second}`)
    throw new DerError('a time that there is not')
  return date.getTime()
}
