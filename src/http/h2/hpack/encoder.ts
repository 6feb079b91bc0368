import { KEY_FIELD } from '../../key-field.ts'
import type { Field } from '../../message.ts'
import type { Output } from '../output.ts'
import type { HpackState } from '../state.ts'
import { huffmanEncode, huffmanLength } from './huffman.ts'
import { DynamicTable, Entry, STATIC_LENGTH, STATIC_TABLE } from './table.ts'

/**
 * Values that an attacker may not guess by watching the sizes of blocks: never in a table (RFC 7541 §7.1.3).
 */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'set-cookie',
  KEY_FIELD,
])

/** Values that hardly ever come again: they would only drive others out of the table. */
const FLEETING_NAMES: ReadonlySet<string> = new Set([
  ':path',
  'age',
  'content-length',
  'content-range',
  'etag',
  'if-modified-since',
  'if-none-match',
  'last-modified',
  'location',
  'x-call-id',
  'x-duration-seconds',
  'x-start-time',
])

/** A cookie this short could be guessed piece by piece. */
const SHORT_COOKIE = 20

/** What the encoder knows of one field name. */
interface Known {
  /** Index in the static table; 0 if it is not there. */
  readonly nameIndex: number
  /** The static table's values of that name and their indices. */
  readonly values: Map<string, number> | undefined
}

const UNKNOWN: Known = { nameIndex: 0, values: undefined }
const STATIC_NAMES = indexStatic()

function indexStatic(): Map<string, Known> {
  const names = new Map<string, Known>()
  STATIC_TABLE.forEach(({ name, value }, index) => {
    if (index === 0) return
    const known = names.get(name) ?? { nameIndex: index, values: new Map<string, number>() }
    known.values!.set(value, index)
    names.set(name, known)
  })
  return names
}

/** Writes header blocks (RFC 7541). One encoder belongs to one direction of one connection. */
export class HpackEncoder {
  readonly #table: DynamicTable
  /** Most bytes of table that we keep, whatever the peer allows. */
  readonly #most: number
  #limit: number
  /** Table sizes that the next block begins with (§4.2). */
  #updates: number[]

  /** @param most bytes of dynamic table that we are willing to keep */
  constructor(most = 4096, state?: HpackState) {
    this.#most = most
    this.#limit = state?.limit ?? 4096
    this.#updates = [...(state?.updates ?? [])]
    this.#table = new DynamicTable(state?.capacity ?? 4096)
    for (const { name, value } of state?.entries ?? [])
      this.#table.insert(new Entry(name, typeof value === 'string' ? value : String.fromCharCode(...value)))
    if (state === undefined && most < 4096) this.#resize(most)
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setLimit(limit: number): void {
    this.#limit = limit
    this.#resize(Math.min(limit, this.#most))
  }

  /**
   * Appends the block of these fields to `output`. Names are in lower case and, like values, of characters
   * below U+0100.
   */
  encode(output: Output, fields: readonly Field[]): void {
    this.begin(output)
    for (const field of fields) this.field(output, field[0], field[1])
  }

  /** What a block begins with: table size updates that are due. */
  begin(output: Output): void {
    for (const size of this.#updates) writeInteger(output, 0x20, 0x1f, size)
    if (this.#updates.length > 0) this.#updates = []
  }

  /** Appends one field of the block. */
  field(output: Output, name: string, value: string): void {
    const known = STATIC_NAMES.get(name) ?? UNKNOWN
    const index = known.values?.get(value)
    if (index !== undefined) {
      writeInteger(output, 0x80, 0x7f, index)
      return
    }
    const age = this.#table.find(name, value)
    if (age >= 0) {
      writeInteger(output, 0x80, 0x7f, STATIC_LENGTH + 1 + age)
      return
    }
    let nameIndex = known.nameIndex
    if (nameIndex === 0) {
      const newest = this.#table.find(name)
      if (newest >= 0) nameIndex = STATIC_LENGTH + 1 + newest
    }
    if (SECRET_NAMES.has(name) || (name === 'cookie' && value.length < SHORT_COOKIE)) {
      writeInteger(output, 0x10, 0x0f, nameIndex)
    } else if (FLEETING_NAMES.has(name) || name.length + value.length + 32 > this.#table.capacity / 2) {
      writeInteger(output, 0x00, 0x0f, nameIndex)
    } else {
      writeInteger(output, 0x40, 0x3f, nameIndex)
      this.#table.insert(new Entry(name, value))
    }
    if (nameIndex === 0) writeString(output, name)
    writeString(output, value)
  }

  /** Bytes that its table counts for (RFC 7541 §4.1). */
  get size(): number {
    return this.#table.size
  }

  /** The encoder as a value. */
  export(): HpackState {
    const entries = this.#table.list().map(({ name, value }) => ({ name, value }))
    return { limit: this.#limit, capacity: this.#table.capacity, updates: [...this.#updates], entries }
  }

  #resize(capacity: number): void {
    if (capacity === this.#table.capacity) return
    // The smallest size since the last block is told, too: the peer has to evict what we have evicted.
    const smallest = Math.min(capacity, ...this.#updates)
    this.#updates = smallest < capacity ? [smallest, capacity] : [capacity]
    this.#table.resize(capacity)
  }
}

/** RFC 7541 §5.1. */
function writeInteger(output: Output, pattern: number, mask: number, value: number): void {
  output.reserve(6)
  const { bytes } = output
  if (value < mask) {
    bytes[output.length++] = pattern | value
    return
  }
  bytes[output.length++] = pattern | mask
  let rest = value - mask
  while (rest >= 0x80) {
    bytes[output.length++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[output.length++] = rest
}

/** RFC 7541 §5.2: as Huffman code if that is shorter. */
function writeString(output: Output, text: string): void {
  const coded = huffmanLength(text)
  if (coded < text.length) {
    writeInteger(output, 0x80, 0x7f, coded)
    output.reserve(coded)
    output.length = huffmanEncode(text, output.bytes, output.length)
    return
  }
  writeInteger(output, 0x00, 0x7f, text.length)
  output.reserve(text.length)
  const { bytes } = output
  for (let i = 0; i < text.length; i++) bytes[output.length++] = text.charCodeAt(i)
}
