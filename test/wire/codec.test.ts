import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AnyCodec,
  boolean,
  DecodeError,
  decode,
  EMPTY,
  encode,
  enumeration,
  fixed,
  fromHex,
  hex,
  opaque,
  optional,
  rest,
  secret,
  select,
  struct,
  text,
  uint8,
  uint16,
  uint24,
  uint32,
  uint64,
  vector,
} from '../../src/wire/index.ts'

const Colour = enumeration('Colour', uint8, { red: 1, green: 7 })
const Point = struct('Point', { x: uint16, y: uint16 })
const Circle = struct('Circle', { centre: Point, radius: uint24 })
const Path = struct('Path', { points: vector(Point, 4, 40), closed: boolean })
const Shape = select('Shape', 'kind', enumeration('ShapeKind', uint8, { circle: 1, path: 2 }), {
  circle: Circle,
  path: Path,
})

const bytes = (floor: number, ceiling: number) =>
  fc.uint8Array({ minLength: floor, maxLength: ceiling }).map(one => new Uint8Array(one))
const point = fc.record({ x: fc.integer({ min: 0, max: 65535 }), y: fc.integer({ min: 0, max: 65535 }) })
const circle = fc.record({ centre: point, radius: fc.integer({ min: 0, max: 2 ** 24 - 1 }) })
const path = fc.record({ points: fc.array(point, { minLength: 1, maxLength: 10 }), closed: fc.boolean() })

/** Each codec with values that fit it, and bytes that do not, told apart by why. */
const cases: readonly {
  readonly name: string
  readonly codec: AnyCodec
  readonly values: fc.Arbitrary<unknown>
  /** value → its bytes, by hand. */
  readonly examples: readonly (readonly [unknown, string])[]
  /** Values that the writer refuses. */
  readonly unfit?: readonly unknown[]
  /** Bytes that the reader refuses, beside those that are cut or too many. */
  readonly malformed?: readonly string[]
  /** Takes whatever is there, so it cannot be cut and nothing is too much. */
  readonly greedy?: boolean
}[] = [
  {
    name: 'uint8',
    codec: uint8,
    values: fc.integer({ min: 0, max: 255 }),
    examples: [
      [0, '00'],
      [255, 'ff'],
    ],
    unfit: [-1, 256, 1.5, Number.NaN, Number.POSITIVE_INFINITY],
  },
  {
    name: 'uint16',
    codec: uint16,
    values: fc.integer({ min: 0, max: 65535 }),
    examples: [
      [1, '0001'],
      [0xfffe, 'fffe'],
    ],
    unfit: [-1, 65536],
  },
  {
    name: 'uint24',
    codec: uint24,
    values: fc.integer({ min: 0, max: 2 ** 24 - 1 }),
    examples: [[0x010203, '010203']],
    unfit: [-1, 2 ** 24],
  },
  {
    name: 'uint32',
    codec: uint32,
    values: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    examples: [[0xfffefdfc, 'fffefdfc']],
    unfit: [-1, 2 ** 32],
  },
  {
    name: 'uint64',
    codec: uint64,
    values: fc.maxSafeNat(),
    examples: [
      [2 ** 32, '0000000100000000'],
      [Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
    ],
    unfit: [-1, Number.MAX_SAFE_INTEGER + 1, 2 ** 60],
    // 2^53 and above have no exact number in memory
    malformed: ['0020000000000000', '0020000000000001', 'ffffffffffffffff', '8000000000000000'],
  },
  {
    name: 'boolean',
    codec: boolean,
    values: fc.boolean(),
    examples: [
      [false, '00'],
      [true, '01'],
    ],
    malformed: ['02', 'ff'],
  },
  {
    name: 'opaque<2..4>',
    codec: opaque(2, 4),
    values: bytes(2, 4),
    examples: [[fromHex('0102'), '020102']],
    unfit: [new Uint8Array(1), new Uint8Array(5)],
    malformed: ['0101', '050102030405', '00'],
  },
  {
    name: 'opaque<0..2^16-1>',
    codec: opaque(0, 65535),
    values: bytes(0, 300),
    examples: [
      [EMPTY, '0000'],
      [fromHex('ab'), '0001ab'],
    ],
    unfit: [new Uint8Array(65536)],
  },
  { name: 'opaque<0..256>', codec: opaque(0, 256), values: bytes(0, 256), examples: [[EMPTY, '0000']] },
  {
    name: 'opaque<0..2^24-1>',
    codec: opaque(0, 2 ** 24 - 1),
    values: bytes(0, 20),
    examples: [[fromHex('ab'), '000001ab']],
  },
  {
    name: 'fixed(3)',
    codec: fixed(3),
    values: bytes(3, 3),
    examples: [[fromHex('010203'), '010203']],
    unfit: [EMPTY, new Uint8Array(2), new Uint8Array(4)],
  },
  { name: 'rest', codec: rest, values: bytes(0, 20), examples: [[fromHex('0102'), '0102']], greedy: true },
  {
    name: 'text<1..8>',
    codec: text(1, 8),
    values: fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
      .filter(value => new TextEncoder().encode(value).length <= 8),
    examples: [
      ['az', '02617a'],
      ['é', '02c3a9'],
      // a byte order mark is a character like any other
      ['\ufeff', '03efbbbf'],
    ],
    unfit: ['', 'ninebytes'],
    // not UTF-8: a lone continuation, an overlong slash, a surrogate, a cut sequence
    malformed: ['0180', '02c0af', '03eda080', '01c3'],
  },
  {
    name: 'vector<2..6>',
    codec: vector(uint16, 2, 6),
    values: fc.array(fc.integer({ min: 0, max: 65535 }), { minLength: 1, maxLength: 3 }),
    examples: [[[1, 2], '0400010002']],
    unfit: [[], [1, 2, 3, 4], [65536]],
    // a length that cuts an item in two, one below the floor, one above the ceiling
    malformed: ['03000100', '00', '080001000200030004'],
  },
  {
    name: 'vector of opaque',
    codec: vector(opaque(1, 255), 2, 65535),
    values: fc.array(bytes(1, 9), { minLength: 1, maxLength: 5 }),
    examples: [[[fromHex('68'), fromHex('6832')], '0005' + '0168' + '026832']],
    malformed: ['0003' + '0168' + '02', '0003' + '000168'],
  },
  {
    name: 'optional',
    codec: optional(uint16),
    values: fc.option(fc.integer({ min: 0, max: 65535 }), { nil: undefined }),
    examples: [
      [undefined, '00'],
      [5, '010005'],
    ],
    malformed: ['02', '020005'],
  },
  {
    name: 'enumeration',
    codec: Colour,
    values: fc.constantFrom('red', 'green'),
    examples: [['green', '07']],
    unfit: ['blue', 'constructor', '__proto__'],
    malformed: ['00', '02', 'ff'],
  },
  {
    name: 'struct',
    codec: Circle,
    values: circle,
    examples: [[{ centre: { x: 1, y: 2 }, radius: 3 }, '00010002000003']],
    unfit: [{ centre: { x: 65536, y: 0 }, radius: 0 }],
  },
  {
    name: 'select',
    codec: Shape,
    values: fc.oneof(
      circle.map(value => ({ kind: 'circle', ...value })),
      path.map(value => ({ kind: 'path', ...value })),
    ),
    examples: [
      [{ kind: 'circle', centre: { x: 1, y: 2 }, radius: 3 }, '01' + '00010002000003'],
      [{ kind: 'path', points: [{ x: 1, y: 2 }], closed: true }, '02' + '0400010002' + '01'],
    ],
    unfit: [{ kind: 'square' }],
    malformed: ['03' + '00010002000003', '02' + '0400010002' + '02'],
  },
  {
    name: 'secret',
    codec: secret(opaque(1, 4)),
    values: bytes(1, 4),
    examples: [[fromHex('0102'), '020102']],
    unfit: [EMPTY],
    malformed: ['00'],
  },
]

describe.each(cases)('$name', ({ codec, values, examples, unfit, malformed }) => {
  it.each(examples)('%j is %s on the wire', (value, wire) => {
    expect(hex(encode(codec, value))).toBe(wire)
    expect(decode(codec, fromHex(wire))).toEqual(value)
  })

  it('what was written is read', () => {
    fc.assert(
      fc.property(values, value => {
        expect(decode(codec, encode(codec, value))).toEqual(value)
      }),
    )
  })

  it('what is read is written to the same bytes', () => {
    const near = values.chain(value => {
      const good = encode(codec, value)
      return fc
        .tuple(fc.nat({ max: good.length }), fc.integer({ min: 0, max: 255 }))
        .map(([at, byte]) => (at < good.length ? good.with(at, byte) : good))
    })
    let read = 0
    fc.assert(
      fc.property(fc.oneof(near, bytes(0, 24)), input => {
        const value = attempt(() => decode(codec, input))
        if (value === undefined) return
        read++
        expect(hex(encode(codec, value.result))).toBe(hex(input))
      }),
      { numRuns: 300 },
    )
    expect(read).toBeGreaterThan(0)
  })

  it('values that do not fit are a RangeError', () => {
    for (const value of unfit ?? []) expect(() => encode(codec, value)).toThrow(RangeError)
  })

  it('malformed bytes are a DecodeError', () => {
    for (const wire of malformed ?? []) expect(() => decode(codec, fromHex(wire))).toThrow(DecodeError)
  })

  it('random bytes are a value or a DecodeError', () => {
    fc.assert(fc.property(bytes(0, 40), input => void attempt(() => decode(codec, input))))
  })
})

describe.each(cases.filter(one => !one.greedy))('$name', ({ codec, values }) => {
  it('every proper prefix is refused, and so is a byte too many', () => {
    fc.assert(
      fc.property(values, value => {
        const good = encode(codec, value)
        for (let length = 0; length < good.length; length++) {
          expect(() => decode(codec, good.subarray(0, length))).toThrow(DecodeError)
        }
        for (const extra of [0, 1, 255]) {
          expect(() => decode(codec, Uint8Array.of(...good, extra))).toThrow(DecodeError)
        }
      }),
      { numRuns: 30 },
    )
  })
})

it.each([
  [opaque(0, 255), 1],
  [opaque(0, 256), 2],
  [opaque(0, 65535), 2],
  [opaque(0, 65536), 3],
  [opaque(0, 2 ** 24 - 1), 3],
  [opaque(0, 2 ** 24), 4],
])('a ceiling decides how long the length is (RFC 8446 §3.4)', (codec, size) => {
  expect(encode(codec, EMPTY).length).toBe(size)
})

it('floor and ceiling are inside', () => {
  const codec = opaque(2, 4)
  for (const length of [2, 3, 4])
    expect(decode(codec, encode(codec, new Uint8Array(length))).length).toBe(length)
  const items = vector(uint8, 1, 3)
  for (const length of [1, 2, 3]) {
    expect(decode(items, encode(items, new Array(length).fill(9))).length).toBe(length)
  }
})

it('a vector may not reach past the one that holds it', () => {
  const nested = vector(vector(uint8, 0, 255), 0, 255)
  expect(() => decode(nested, fromHex('02' + '0211' + '11'))).toThrow(DecodeError)
  expect(decode(nested, fromHex('03' + '021111'))).toEqual([[17, 17]])
})

it('an error tells where it stopped', () => {
  const error = attemptError(() => decode(Circle, fromHex('0001000200')))
  expect(error).toMatchObject({ name: 'DecodeError', offset: 4 })
})

function attempt(work: () => unknown): { readonly result: unknown } | undefined {
  try {
    return { result: work() }
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

function attemptError(work: () => unknown): unknown {
  try {
    work()
    return undefined
  } catch (error) {
    return error
  }
}
