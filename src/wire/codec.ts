import { type AnyCodec, type Codec, declare, snake, type TypeOf, typeName } from './notation.ts'
import { DecodeError, Reader } from './reader.ts'
import { redact, SECRET } from './secrets.ts'
import {
  Lazily,
  straightEnumeration,
  straightFixed,
  straightOpaque,
  straightOptional,
  straightSelect,
  straightStruct,
  straightUint,
  straightVector,
} from './straight.ts'
import { Writer } from './writer.ts'

/** A writer that is free at the moment: new memory for every message would cost more than writing it. */
let spare: Writer | undefined

/** Encodes one value. A value that does not fit the notation is a `RangeError`. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = spare ?? new Writer()
  // A call that encodes while this is being encoded gets a writer of its own.
  spare = undefined
  try {
    codec.write(writer, value)
    return writer.finish()
  } finally {
    writer.clear()
    spare = writer
  }
}

/**
 * Decodes one value from all of `bytes`. Anything that does not fit is a {@link DecodeError}.
 * @param known what a field of that kind is, if the bytes are the same
 */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array, known?: Uint8Array): T {
  const reader = new Reader(bytes, undefined, false, false, false, known)
  const value = codec.read(reader)
  reader.finish()
  return value
}

/** The same, with views of long fields instead of copies: for bytes that stay as they are. */
export function decodeLent<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes, undefined, false, false, true)
  const value = codec.read(reader)
  reader.finish()
  return value
}

function uint(size: number): Codec<number> {
  const maximum = Math.min(2 ** (8 * size) - 1, Number.MAX_SAFE_INTEGER)
  const unfit = (value: number): never => {
    throw new RangeError(`${value} is not a uint${8 * size}`)
  }
  return {
    notation: `uint${8 * size} NAME`,
    ...(size <= 4 ? { straight: straightUint(size, maximum, unfit) } : {}),
    write(writer, value) {
      if (!Number.isInteger(value) || value < 0 || value > maximum) unfit(value)
      writer.uint(value, size)
    },
    read: reader => reader.uint(size),
  }
}

export const uint8 = uint(1)
export const uint16 = uint(2)
export const uint24 = uint(3)
export const uint32 = uint(4)
/** On the wire 64 bits; in memory a safe integer, so a larger one is refused by the reader. */
export const uint64 = uint(8)

/** One byte, 0 or 1. */
export const boolean: Codec<boolean> = {
  notation: 'Boolean NAME',
  definition: 'enum { false(0), true(1), (255) } Boolean;',
  write: (writer, value) => writer.uint(value ? 1 : 0, 1),
  read(reader) {
    const value = reader.uint(1)
    if (value > 1) reader.fail(`${value} is not a Boolean`)
    return value === 1
  },
}

/** Bytes needed for a length of at most `ceiling` (RFC 8446 §3.4). */
function lengthSize(ceiling: number): number {
  let size = 1
  while (ceiling >= 2 ** (8 * size)) size++
  return size
}

function power(limit: number): string {
  const bits = Math.log2(limit + 1)
  return limit > 255 && Number.isInteger(bits) ? `2^${bits}-1` : String(limit)
}

/**
 * `opaque NAME<floor..ceiling>`: a length and that many bytes.
 * @param read how the bytes are read: `passing` where they do not last, as those of a request on its way
 */
export function opaque(
  floor: number,
  ceiling: number,
  read: 'bytes' | 'passing' = 'bytes',
): Codec<Uint8Array> {
  const size = lengthSize(ceiling)
  const { unfit, outside } = limits(floor, ceiling)
  return {
    notation: `opaque NAME<${floor}..${power(ceiling)}>`,
    straight: straightOpaque(size, [floor, ceiling], unfit, outside, read),
    write(writer, value) {
      if (value.length < floor || value.length > ceiling) unfit(value.length)
      writer.uint(value.length, size)
      writer.bytes(value)
    },
    read(reader) {
      const length = reader.uint(size)
      if (length < floor || length > ceiling) reader.fail(outside(length))
      return reader[read](length)
    },
  }
}

/** What is said of a length that does not fit. */
function limits(floor: number, ceiling: number) {
  return {
    unfit(length: number): never {
      throw new RangeError(`${length} bytes do not fit <${floor}..${ceiling}>`)
    },
    outside: (length: number): string => `a length of ${length} outside <${floor}..${ceiling}>`,
  }
}

/** `opaque NAME[length]`: exactly that many bytes. */
export function fixed(length: number): Codec<Uint8Array> {
  const unfit = (given: number): never => {
    throw new RangeError(`${given} bytes where ${length} belong`)
  }
  return {
    notation: `opaque NAME[${length}]`,
    straight: straightFixed(length, unfit),
    write(writer, value) {
      if (value.length !== length) unfit(value.length)
      writer.bytes(value)
    },
    read: reader => reader.bytes(length),
  }
}

/** The rest of the input, without a length: for a body whose frame has told it already. */
export const rest: Codec<Uint8Array> = {
  notation: 'opaque NAME[the rest]',
  write: (writer, value) => writer.bytes(value),
  read: reader => reader.bytes(reader.remaining),
}

const utf8 = {
  encoder: new TextEncoder(),
  decoder: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }),
}

/** Characters as UTF-8, with a length in bytes. */
export function text(floor: number, ceiling: number): Codec<string> {
  const bytes = opaque(floor, ceiling)
  const size = lengthSize(ceiling)
  const { outside } = limits(floor, ceiling)
  return {
    notation: bytes.notation,
    write(writer, value) {
      // For short texts of ASCII an encoder takes ten times as long.
      const fits = value.length >= floor && value.length <= ceiling
      if (!fits || !writer.ascii(value, size)) bytes.write(writer, utf8.encoder.encode(value))
    },
    read(reader) {
      const length = reader.uint(size)
      if (length < floor || length > ceiling) reader.fail(outside(length))
      return reader.ascii(length) ?? decodeText(reader.bytes(length), reader)
    },
  }
}

function decodeText(value: Uint8Array, reader: Reader): string {
  try {
    return utf8.decoder.decode(value)
  } catch {
    return reader.fail('text that is not UTF-8')
  }
}

/** Marks a field as secret, so that dumps mask it. The bytes do not change. */
export function secret<T>(codec: Codec<T>): Codec<T> {
  return { ...codec, secret: true }
}

/** `Item NAME<floor..ceiling>`: a length in bytes, then items until it is used up. */
export function vector<T>(item: Codec<T>, floor: number, ceiling: number): Codec<readonly T[]> {
  const size = lengthSize(ceiling)
  const { unfit, outside } = limits(floor, ceiling)
  return {
    notation: `${item.notation}<${floor}..${power(ceiling)}>`,
    uses: [item],
    straight: straightVector(item, size, [floor, ceiling], unfit, outside),
    write(writer, values) {
      const at = writer.open(size)
      for (const value of values) item.write(writer, value)
      const length = writer.close(at, size)
      if (length < floor || length > ceiling) unfit(length)
    },
    read(reader) {
      const length = reader.uint(size)
      if (length < floor || length > ceiling) reader.fail(outside(length))
      const end = reader.enter(length)
      const values: T[] = []
      while (reader.remaining > 0) values.push(item.read(reader))
      reader.leave(end)
      return values
    },
    map: (values, change) => values.map(value => change(item, value) as T),
    each(values, visit) {
      for (const value of values) visit(item, value)
    },
  }
}

const neither = (present: number): string => `${present} says neither present nor absent`

/** One byte that says whether the value follows. */
export function optional<T>(codec: Codec<T>): Codec<T | undefined> {
  return {
    notation: `optional<${typeName(codec)}> NAME`,
    uses: [codec],
    straight: straightOptional(codec, neither),
    write(writer, value) {
      writer.uint(value === undefined ? 0 : 1, 1)
      if (value !== undefined) codec.write(writer, value)
    },
    read(reader) {
      const present = reader.uint(1)
      if (present > 1) reader.fail(neither(present))
      return present === 1 ? codec.read(reader) : undefined
    },
    map: (value, change) => (value === undefined ? undefined : (change(codec, value) as T)),
    each(value, visit) {
      if (value !== undefined) visit(codec, value)
    },
  }
}

/** `enum { … } Name`: in memory the name; a number without one is refused. */
export function enumeration<const E extends Readonly<Record<string, number>>>(
  name: string,
  base: Codec<number>,
  members: E,
): Codec<keyof E & string> & { readonly members: E } {
  const names = new Map(Object.entries(members).map(([key, value]) => [value, key]))
  const maximum = base === uint8 ? 255 : 65535
  const list = Object.entries(members).map(([key, value]) => `${key}(${value})`)
  const unfit = (value: string): never => {
    throw new RangeError(`${name} has no member ${value}`)
  }
  const unknown = (number: number): string => `${number} is not a ${name}`
  return {
    notation: `${name} NAME`,
    definition: `enum {\n    ${list.join(',\n    ')},\n    (${maximum})\n} ${name};`,
    members,
    straight: straightEnumeration(base === uint8 ? 1 : 2, members, names, unfit, unknown),
    write(writer, value) {
      const number = members[value]
      base.write(writer, number === undefined ? unfit(value) : number)
    },
    read(reader) {
      const number = base.read(reader)
      return names.get(number) ?? reader.fail(unknown(number))
    },
  }
}

type Fields = Readonly<Record<string, AnyCodec>>
type StructOf<F> = { -readonly [K in keyof F]: TypeOf<F[K]> }
/** A codec of named fields. */
export type Struct<T> = Codec<T> & {
  readonly fields: Fields
  /** Reads the fields into an object that has others already. */
  readInto(reader: Reader, record: Record<string, unknown>): void
}

/** `struct { … } Name`: the fields one after the other, in the order in which they are listed. */
export function struct<const F extends Readonly<Record<string, AnyCodec>>>(
  name: string,
  fields: F,
): Struct<StructOf<F>> {
  const entries = Object.entries(fields) as [string, Codec<unknown>][]
  const keys = entries.map(([key]) => key)
  const codecs = entries.map(([, codec]) => codec)
  const lines = entries.map(([key, codec]) => `\n    ${declare(codec, key)};`)
  const text = straightStruct(fields)
  const straight = new Lazily<StructOf<F>>(text)
  return {
    notation: `${name} NAME`,
    definition: `struct {${lines.join('')}${lines.length > 0 ? '\n' : ''}} ${name};`,
    uses: codecs,
    fields,
    straight: text,
    write(writer, value) {
      const compiled = !writer.interpreted && straight.compiled
      if (compiled) return compiled.write(writer, value)
      const record = value as Record<string, unknown>
      for (let i = 0; i < keys.length; i++) codecs[i]!.write(writer, record[keys[i]!])
    },
    read(reader) {
      const compiled = !reader.interpreted && straight.compiled
      if (compiled) return compiled.read(reader)
      const record: Record<string, unknown> = {}
      this.readInto(reader, record)
      return record as StructOf<F>
    },
    readInto(reader, record) {
      for (let i = 0; i < keys.length; i++) record[keys[i]!] = readField(reader, keys[i]!, codecs[i]!)
    },
    map(value, change) {
      const record = value as Record<string, unknown>
      return Object.fromEntries(
        entries.map(([key, codec]) => [key, change(codec, record[key])]),
      ) as StructOf<F>
    },
    each(value, visit) {
      const record = value as Record<string, unknown>
      for (let i = 0; i < keys.length; i++) visit(codecs[i]!, record[keys[i]!])
    },
    // No accessor: an object with one of its own is a dictionary to the engine, and slow to read.
    wipe(value) {
      if (!straight.compiled) return false
      straight.compiled.wipe(value)
      return true
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as for AnyCodec
type Cases = Readonly<Record<string, Struct<any>>>
type SelectOf<Tag extends string, C extends Cases> = {
  [K in keyof C & string]: { [T in Tag]: K } & TypeOf<C[K]>
}[keyof C & string]

/**
 * `select (tag) { case … }`: the tag, then the fields of its case. In memory a union told apart by `tag`.
 */
export function select<const Tag extends string, const C extends Cases>(
  name: string,
  tag: Tag,
  kind: Codec<keyof C & string>,
  cases: C,
): Codec<SelectOf<Tag, C>> {
  const fieldsOf = Object.fromEntries(Object.entries(cases).map(([key, { fields }]) => [key, fields]))
  const text = straightSelect(tag, kind, fieldsOf)
  const straight = new Lazily<SelectOf<Tag, C>>(text)
  const lines = Object.entries(cases).map(([key, codec]) => `        case ${key}: ${typeName(codec)};`)
  return {
    notation: `${name} NAME`,
    definition: [
      'struct {',
      `    ${declare(kind, tag)};`,
      `    select (${snake(tag)}) {`,
      ...lines,
      '    };',
      `} ${name};`,
    ].join('\n'),
    uses: [kind, ...Object.values(cases)],
    straight: text,
    write(writer, value) {
      const compiled = !writer.interpreted && straight.compiled
      if (compiled) return compiled.write(writer, value)
      const key = (value as Record<string, unknown>)[tag] as keyof C & string
      kind.write(writer, key)
      cases[key]!.write(writer, value)
    },
    read(reader) {
      const compiled = !reader.interpreted && straight.compiled
      if (compiled) return compiled.read(reader)
      const key = readField(reader, tag, kind as Codec<unknown>) as keyof C & string
      const record: Record<string, unknown> = { [tag]: key }
      cases[key]!.readInto(reader, record)
      return record as SelectOf<Tag, C>
    },
    map(value, change) {
      const key = (value as Record<string, unknown>)[tag] as keyof C & string
      return { [tag]: key, ...(change(cases[key]!, value) as object) } as SelectOf<Tag, C>
    },
    each: (value, visit) => visit(cases[(value as Record<string, unknown>)[tag] as keyof C & string]!, value),
    wipe(value) {
      if (!straight.compiled) return false
      straight.compiled.wipe(value)
      return true
    },
  }
}

function readField(reader: Reader, name: string, codec: Codec<unknown>): unknown {
  const { trace } = reader
  if (trace === undefined) return codec.read(reader)
  const offset = reader.offset
  const at = trace.length
  reader.depth++
  const value = codec.read(reader)
  reader.depth--
  const entry = {
    offset,
    length: reader.offset - offset,
    depth: reader.depth,
    name: snake(name),
    notation: declare(codec, name),
    value: reader.showsSecrets ? value : codec.secret ? SECRET : redact(codec, value),
  }
  trace.splice(at, 0, entry)
  return value
}

export { DecodeError }
