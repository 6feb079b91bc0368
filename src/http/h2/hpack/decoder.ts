import { isKeyText, secretCopy } from '../../key-field.ts'
import { H2Error } from '../error.ts'
import type { HpackState } from '../state.ts'
import { huffmanDecode } from './huffman.ts'
import { DynamicTable, Entry, STATIC_LENGTH, STATIC_TABLE } from './table.ts'

/** Decoded strings lie here until they are text. It grows to the longest. */
let scratch = new Uint8Array(4096)

/** Integers above this are refused: nothing that HPACK counts can be that large here. */
const MAX_INTEGER = 2 ** 28

/** Of the value of a key that was left behind. */
const STAR = 0x2a

/** Longest string whose characters are put together in one call. */
const SHORT = 2048

/** Reads header blocks (RFC 7541). One decoder belongs to one direction of one connection. */
export class HpackDecoder {
  readonly #table: DynamicTable
  /** What our SETTINGS_HEADER_TABLE_SIZE allows, once the peer has acknowledged it. */
  #limit: number
  #bytes: Uint8Array = scratch
  #at = 0
  #end = 0
  /** The last block's list was longer than allowed; what it returned is not all of it. */
  oversized = false

  /** @param limit bytes of the dynamic table that the peer may use */
  constructor(limit = 4096, state?: HpackState) {
    this.#limit = state?.limit ?? limit
    this.#table = new DynamicTable(state?.capacity ?? limit)
    for (const { name, value } of state?.entries ?? [])
      this.#table.insert(typeof value === 'string' ? new Entry(name, value) : new Entry(name, '', value))
  }

  /**
   * The peer has acknowledged another SETTINGS_HEADER_TABLE_SIZE. A smaller one obliges it to say so first
   * (§4.2).
   */
  setLimit(limit: number): void {
    this.#limit = limit
  }

  /**
   * Reads the block from `start` to before `end`.
   * @param listSize bytes of the list, counted as in SETTINGS_MAX_HEADER_LIST_SIZE. Beyond it the block is
   * read to its end, for the table's sake, but what it says is dropped; see {@link oversized}
   * @throws H2Error COMPRESSION_ERROR for the connection; the decoder cannot be used after it
   */
  decode(bytes: Uint8Array, start = 0, end = bytes.length, listSize = Number.POSITIVE_INFINITY): Entry[] {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.oversized = false
    const list: Entry[] = []
    let size = 0
    let begun = false
    while (this.#at < this.#end) {
      const first = bytes[this.#at]!
      if ((first & 0xe0) === 0x20) {
        if (begun) throw broken('a table size update after a field')
        this.#resize(this.#integer(0x1f))
        continue
      }
      if (!begun && this.#table.capacity > this.#limit) throw broken('no table size update after SETTINGS')
      begun = true
      const entry = first & 0x80 ? this.#entry(this.#integer(0x7f)) : this.#literal(first)
      size += entry.size
      if (size <= listSize) list.push(entry)
      else this.oversized = true
    }
    this.#bytes = scratch
    return list
  }

  /** Bytes that its table counts for (RFC 7541 §4.1). */
  get size(): number {
    return this.#table.size
  }

  /**
   * The decoder as a value. @param keyless without the keys in its table; what refers to one later gets stars
   */
  export(keyless = false): HpackState {
    const entries = this.#table.list().map(({ name, value, key }) => ({
      name,
      value:
        key === undefined
          ? value
          : keyless
            ? new Uint8Array(key.length).fill(STAR)
            : secretCopy(key, 0, key.length),
    }))
    return { limit: this.#limit, capacity: this.#table.capacity, updates: [], entries }
  }

  /** Overwrites the keys in its table: nothing is decoded any more. */
  forget(): void {
    for (const { key } of this.#table.list()) key?.fill(0)
  }

  #resize(capacity: number): void {
    if (capacity > this.#limit) throw broken(`a table of ${capacity} bytes where ${this.#limit} are allowed`)
    this.#table.resize(capacity)
  }

  #literal(first: number): Entry {
    const indexing = (first & 0xc0) === 0x40
    const index = this.#integer(indexing ? 0x3f : 0x0f)
    const name = index === 0 ? this.#string() : this.#entry(index).name
    if (isKeyText(name)) {
      const key = new Entry(name, '', this.#key())
      if (indexing) this.#table.insert(apart(key))
      return key
    }
    const entry = new Entry(name, this.#string())
    if (indexing) this.#table.insert(entry)
    return entry
  }

  #entry(index: number): Entry {
    const entry = index <= STATIC_LENGTH ? STATIC_TABLE[index] : this.#table.at(index - STATIC_LENGTH - 1)
    if (index === 0 || entry === undefined) throw broken(`no entry ${index}`)
    return entry.key === undefined ? entry : apart(entry)
  }

  /**
   * §5.1. @param mask the bits of the first byte that count; all ones of them mean that more bytes
   * follow
   */
  #integer(mask: number): number {
    let value = this.#byte() & mask
    if (value < mask) return value
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte()
      value += (byte & 0x7f) * factor
      // The last factor allowed bounds how long zeros may go on.
      if (value > MAX_INTEGER || factor > MAX_INTEGER) throw broken('an integer too large')
      if (byte < 0x80) return value
    }
  }

  /** §5.2. Characters are bytes (ISO 8859-1). */
  #string(): string {
    const huffman = this.#isHuffman()
    const length = this.#length()
    const from = this.#at
    this.#at = from + length
    if (!huffman) return textOf(this.#bytes, from, this.#at)
    return textOf(scratch, 0, this.#expand(from))
  }

  /** The same, where no text must be made of it: where it was, nothing of it is left. */
  #key(): Uint8Array {
    const huffman = this.#isHuffman()
    const length = this.#length()
    const from = this.#at
    this.#at = from + length
    const written = huffman ? this.#expand(from) : 0
    const key = huffman ? secretCopy(scratch, 0, written) : secretCopy(this.#bytes, from, this.#at)
    scratch.fill(0, 0, written)
    this.#bytes.fill(0, from, this.#at)
    return key
  }

  #isHuffman(): boolean {
    if (this.#at >= this.#end) throw broken('a string is missing')
    return (this.#bytes[this.#at]! & 0x80) !== 0
  }

  #length(): number {
    const length = this.#integer(0x7f)
    if (length > this.#end - this.#at) throw broken('a string longer than its block')
    return length
  }

  /** Undoes the Huffman code of what lies there. @returns how many bytes of `scratch` it is */
  #expand(from: number): number {
    const length = this.#at - from
    if (scratch.length < length * 2) scratch = new Uint8Array(length * 4)
    const written = huffmanDecode(this.#bytes, from, this.#at, scratch)
    if (written < 0) throw broken('a string that is no Huffman code')
    return written
  }

  #byte(): number {
    if (this.#at >= this.#end) throw broken('a block that ends too early')
    return this.#bytes[this.#at++]!
  }
}

/** The same key in memory of its own: that of a request is wiped when the table may still need its own. */
function apart({ name, key }: Entry): Entry {
  return new Entry(name, '', secretCopy(key!, 0, key!.length))
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT) return String.fromCharCode.apply(null, bytes.subarray(start, end) as never)
  let text = ''
  for (let at = start; at < end; at += SHORT) {
    const part = bytes.subarray(at, Math.min(end, at + SHORT))
    text += String.fromCharCode.apply(null, part as never)
  }
  return text
}

function broken(reason: string): H2Error {
  return new H2Error('COMPRESSION_ERROR', reason)
}
