import { expect, it } from 'vitest'
import {
  type Codec,
  decode,
  encode,
  enumeration,
  hex,
  opaque,
  optional,
  secret,
  select,
  struct,
  text,
  uint8,
  vector,
  Writer,
  wipe,
} from '../../src/wire/index.ts'

const Bytes = struct('Bytes', { data: opaque(0, 2 ** 24 - 1) })

it('what was encoded stays as it is when something else is encoded', () => {
  const first = encode(Bytes, { data: new Uint8Array(50).fill(1) })
  const copy = hex(first)
  encode(Bytes, { data: new Uint8Array(50).fill(2) })
  expect(hex(first)).toBe(copy)
  expect(first.buffer.byteLength).toBe(first.length)
})

it('encoding within encoding disturbs neither', () => {
  const nested: Codec<Uint8Array> = {
    notation: 'Nested NAME',
    write: (writer, value) => writer.bytes(encode(Bytes, { data: value })),
    read: reader => decode(Bytes, reader.bytes(reader.remaining)).data,
  }
  const Outer = struct('Outer', { before: uint8, inner: nested, after: uint8 })
  expect(hex(encode(Outer, { before: 1, inner: Uint8Array.of(7, 8), after: 2 }))).toBe(
    '01' + '0000020708' + '02',
  )
})

it('a value that does not fit leaves nothing behind for the next one', () => {
  const Narrow = struct('Narrow', { a: uint8, b: uint8 })
  expect(() => encode(Narrow, { a: 1, b: 300 })).toThrow(RangeError)
  expect(hex(encode(Narrow, { a: 2, b: 3 }))).toBe('0203')
})

it('large values do not stay in memory, and small ones still work after them', () => {
  expect(encode(Bytes, { data: new Uint8Array(100_000) })).toHaveLength(100_003)
  expect(hex(encode(Bytes, { data: Uint8Array.of(9) }))).toBe('00000109')
})

it('a writer that was cleared begins anew', () => {
  const writer = new Writer(1)
  writer.bytes(new Uint8Array(40_000).fill(5))
  writer.clear()
  expect(writer.length).toBe(0)
  writer.uint(0x0506, 2)
  expect(hex(writer.finish())).toBe('0506')
})

it('memory that a writer has grown out of holds nothing', () => {
  const writer = new Writer(4)
  writer.bytes(Uint8Array.of(1, 2, 3, 4))
  const outgrown = writer.written()
  writer.uint(5, 1)
  expect([hex(outgrown), hex(writer.finish())]).toEqual(['00000000', '0102030405'])
})

it.each(['', 'echo.local', '\0\x7f', 'grün', 'ab€', '😀'])('text %j is UTF-8', value => {
  const Text = text(0, 255)
  const bytes = new TextEncoder().encode(value)
  expect(hex(encode(Text, value))).toBe(hex(Uint8Array.of(bytes.length, ...bytes)))
  expect(decode(Text, encode(Text, value))).toBe(value)
})

it('wiping reaches secrets in every kind of part, and nothing else', () => {
  const key = secret(opaque(1, 32))
  const Inner = struct('Inner', { key, plain: opaque(1, 32) })
  const Choice = select('Choice', 'kind', enumeration('Kind', uint8, { one: 1, two: 2 }), {
    one: Inner,
    two: struct('Two', { other: key }),
  })
  const All = struct('All', {
    inner: Inner,
    list: vector(Inner, 0, 255),
    maybe: optional(Inner),
    absent: optional(Inner),
    choice: Choice,
  })
  const inner = () => ({ key: Uint8Array.of(1, 2), plain: Uint8Array.of(3) })
  const value = {
    inner: inner(),
    list: [inner(), inner()],
    maybe: inner(),
    absent: undefined,
    choice: { kind: 'two' as const, other: Uint8Array.of(4) },
  }
  const { inner: same } = value
  wipe(All, value)
  const wiped = { key: Uint8Array.of(0, 0), plain: Uint8Array.of(3) }
  expect(value).toEqual({
    inner: wiped,
    list: [wiped, wiped],
    maybe: wiped,
    absent: undefined,
    choice: { kind: 'two', other: Uint8Array.of(0) },
  })
  expect(value.inner).toBe(same)
})
