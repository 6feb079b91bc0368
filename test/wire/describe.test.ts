import { expect, it } from 'vitest'
import {
  annotate,
  boolean,
  decode,
  describe,
  encode,
  enumeration,
  fixed,
  fromHex,
  hex,
  opaque,
  optional,
  redact,
  rest,
  secret,
  select,
  struct,
  text,
  typeName,
  uint8,
  uint16,
  uint64,
  vector,
  wipe,
} from '../../src/wire/index.ts'

const Key = struct('Key', { keyId: uint16, keyBytes: secret(opaque(1, 64)) })
const Kind = enumeration('Kind', uint8, { plain: 0, locked: 9 })
const Box = select('Box', 'kind', Kind, {
  plain: struct('PlainBox', { label: text(0, 255), open: boolean }),
  locked: struct('LockedBox', { keys: vector(Key, 0, 2 ** 16 - 1), spare: optional(Key), stamp: fixed(4) }),
})
const locked = {
  kind: 'locked',
  keys: [{ keyId: 1, keyBytes: fromHex('c0ffee') }],
  spare: { keyId: 2, keyBytes: fromHex('beef') },
  stamp: fromHex('01020304'),
} as const

it('describe() prints what is used before what uses it, each once', () => {
  expect(describe(Box)).toBe(`enum {
    plain(0),
    locked(9),
    (255)
} Kind;

enum { false(0), true(1), (255) } Boolean;

struct {
    opaque label<0..255>;
    Boolean open;
} PlainBox;

struct {
    uint16 key_id;
    opaque key_bytes<1..64>;
} Key;

struct {
    Key keys<0..2^16-1>;
    optional<Key> spare;
    opaque stamp[4];
} LockedBox;

struct {
    Kind kind;
    select (kind) {
        case plain: PlainBox;
        case locked: LockedBox;
    };
} Box;`)
})

it('a field is written in the notation of RFC 8446 §3', () => {
  const One = struct('One', {
    someBytes: opaque(0, 2 ** 24 - 1),
    list: vector(uint16, 2, 254),
    all: rest,
    n: uint64,
  })
  expect(describe(One)).toBe(`struct {
    opaque some_bytes<0..2^24-1>;
    uint16 list<2..254>;
    opaque all[the rest];
    uint64 n;
} One;`)
  expect(typeName(opaque(1, 255))).toBe('opaque<1..255>')
  expect(typeName(Key)).toBe('Key')
})

it('annotate() lists every field with its place, and masks secrets', () => {
  const wire = encode(Box, locked)
  const { fields, error } = annotate(Box, wire)
  expect(error).toBeUndefined()
  expect(fields.map(({ offset, length, depth, name }) => [offset, length, depth, name])).toEqual([
    [0, 1, 0, 'kind'],
    [1, 8, 0, 'keys'],
    [3, 2, 1, 'key_id'],
    [5, 4, 1, 'key_bytes'],
    [9, 6, 0, 'spare'],
    [10, 2, 1, 'key_id'],
    [12, 3, 1, 'key_bytes'],
    [15, 4, 0, 'stamp'],
  ])
})

it('no field of an annotation holds the bytes of a secret, not even inside what holds it', () => {
  const { fields } = annotate(Box, encode(Box, locked))
  const visit = (value: unknown): string[] => {
    if (value instanceof Uint8Array) return [hex(value)]
    return typeof value === 'object' && value !== null ? Object.values(value).flatMap(visit) : []
  }
  const seen = fields.flatMap(field => visit(field.value))
  expect(seen).toContain('01020304')
  expect(seen.filter(value => /c0ffee|beef/.test(value))).toEqual([])
})

it('annotate() goes as far as it can and says why it stopped', () => {
  const wire = encode(Box, locked).subarray(0, 13)
  const { fields, error } = annotate(Box, wire)
  expect(fields.map(field => field.name)).toEqual(['kind', 'keys', 'key_id', 'key_bytes', 'key_id'])
  expect(error).toMatchObject({ name: 'DecodeError', offset: 13 })
  expect(error!.message).toBe('needs 2 bytes where 0 are left')
})

it('reading with a trace gives the same value as without', () => {
  const wire = encode(Box, locked)
  annotate(Box, wire)
  expect(decode(Box, wire)).toEqual(locked)
})

it('redact() zeroes secrets in a copy and leaves the rest, and the original, alone', () => {
  const copy = redact(Box, locked)
  expect(copy).toEqual({
    ...locked,
    keys: [{ keyId: 1, keyBytes: new Uint8Array(3) }],
    spare: { keyId: 2, keyBytes: new Uint8Array(2) },
  })
  expect(hex(locked.keys[0].keyBytes)).toBe('c0ffee')
})

it('wipe() zeroes secrets where they lie, and nothing else', () => {
  const value = decode(Box, encode(Box, locked))
  wipe(Box, value)
  expect(value).toEqual(redact(Box, locked))
  const plain = { kind: 'plain', label: 'x', open: true } as const
  wipe(Box, plain)
  expect(plain).toEqual({ kind: 'plain', label: 'x', open: true })
})

it('hex and fromHex', () => {
  expect(hex(fromHex('00 ff\n1A'))).toBe('00ff1a')
  for (const bad of ['0', 'zz', '0x00']) expect(() => fromHex(bad)).toThrow(RangeError)
})
