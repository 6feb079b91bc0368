import type { Field } from '../../message.ts'

/** The static table of RFC 7541 Appendix A: `name` or `name=value`, from index 1 on. */
const STATIC = [
  ':authority',
  ':method=GET',
  ':method=POST',
  ':path=/',
  ':path=/index.html',
  ':scheme=http',
  ':scheme=https',
  ':status=200',
  ':status=204',
  ':status=206',
  ':status=304',
  ':status=400',
  ':status=404',
  ':status=500',
  'accept-charset',
  'accept-encoding=gzip, deflate',
  'accept-language',
  'accept-ranges',
  'accept',
  'access-control-allow-origin',
  'age',
  'allow',
  'authorization',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'etag',
  'expect',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'link',
  'location',
  'max-forwards',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'referer',
  'refresh',
  'retry-after',
  'server',
  'set-cookie',
  'strict-transport-security',
  'transfer-encoding',
  'user-agent',
  'vary',
  'via',
  'www-authenticate',
]

/**
 * A field of a table, or one that was read. Tables share it with the lists read from them, so it is made and
 * judged once.
 */
export class Entry {
  readonly name: string
  readonly value: string
  readonly field: Field
  /** The value of the field that brings a key: bytes, and {@link value} is empty. */
  readonly key: Uint8Array | undefined
  /** What RFC 9113 §8 says of it; 0 until it is first asked for (`fields.ts`). */
  kind = 0

  constructor(name: string, value: string, key?: Uint8Array) {
    this.name = name
    this.value = value
    this.field = [name, value]
    this.key = key
  }

  /** Bytes that it counts for: its own and 32 (RFC 7541 §4.1). */
  get size(): number {
    const { length } = this.key ?? this.value
    return this.name.length + length + 32
  }
}

/** The entries of the static table, from index 1 on; index 0 is not used. */
export const STATIC_TABLE: readonly Entry[] = [
  new Entry('', ''),
  ...STATIC.map(line => {
    const [name, value = ''] = line.split('=') as [string, string?]
    return new Entry(name, value)
  }),
]

/** Entries of the static table. */
export const STATIC_LENGTH = STATIC.length

/** The dynamic table (RFC 7541 §2.3.2). */
export class DynamicTable {
  /**
   * Entries still there start at `#first`; those before it have been evicted and wait to be dropped together.
   */
  #entries: Entry[] = []
  #first = 0
  #size = 0
  #capacity: number

  /** @param capacity bytes, by the count of §4.1 */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Bytes that the entries count for. */
  get size(): number {
    return this.#size
  }

  /** Most bytes that they may. */
  get capacity(): number {
    return this.#capacity
  }

  /** Entries there. */
  get length(): number {
    return this.#entries.length - this.#first
  }

  /** The entry that came `age` entries before the newest; undefined if there is none. */
  at(age: number): Entry | undefined {
    const index = this.#entries.length - 1 - age
    return index < this.#first ? undefined : this.#entries[index]
  }

  /**
   * The age of the newest entry of that name and, if it is given, that value, as for {@link at}; -1 if there
   * is none. A table is small, and an index over it would have to be made anew after every move.
   */
  find(name: string, value?: string): number {
    for (let index = this.#entries.length - 1; index >= this.#first; index--) {
      const entry = this.#entries[index]!
      if (entry.name === name && (value === undefined || entry.value === value))
        return this.#entries.length - 1 - index
    }
    return -1
  }

  /**
   * Adds an entry and evicts the oldest ones; one that is larger than the table empties it (§4.4).
   * @returns whether it is there now
   */
  insert(entry: Entry): boolean {
    const { size } = entry
    this.#evict(this.#capacity - size)
    if (size > this.#capacity) return false
    this.#entries.push(entry)
    this.#size += size
    return true
  }

  resize(capacity: number): void {
    this.#capacity = capacity
    this.#evict(capacity)
  }

  /** What is there, oldest first. */
  list(): Entry[] {
    return this.#entries.slice(this.#first)
  }

  #evict(room: number): void {
    while (this.#size > room && this.length > 0) {
      const entry = this.#entries[this.#first]!
      this.#first++
      this.#size -= entry.size
    }
    if (this.#first < 64 || this.#first < this.#entries.length / 2) return
    this.#entries = this.#entries.slice(this.#first)
    this.#first = 0
  }
}
