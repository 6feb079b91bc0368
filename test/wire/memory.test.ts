import { describe, expect, it } from 'vitest'
import {
  concat,
  decode,
  decodeLent,
  EMPTY,
  encode,
  equal,
  fixed,
  fresh,
  fromHex,
  hex,
  known,
  lent,
  lentView,
  opaque,
  Reader,
  recurring,
  rest,
  struct,
  Writer,
} from '../../src/wire/index.ts'

const Everything = struct('Everything', { a: fixed(2), b: opaque(0, 255), c: rest })

it.each([
  ['a Buffer of its own memory', () => Buffer.from(fromHex('0102' + '020304' + '0506'))],
  [
    'a Buffer in the pool',
    () => Buffer.concat([Buffer.from('0102020304', 'hex'), Buffer.from('0506', 'hex')]),
  ],
  ['a plain Uint8Array', () => fromHex('0102' + '020304' + '0506')],
  ['a view into a larger one', () => fromHex('ffff' + '0102' + '020304' + '0506').subarray(2)],
  ['a Buffer view into a larger one', () => Buffer.from('ffff01020203040506', 'hex').subarray(2)],
])('fields read out of %s are copies, and no Buffers', (_, make) => {
  const input = make()
  const value = decode(Everything, input)
  input.fill(0xee)
  for (const [field, expected] of [
    [value.a, '0102'],
    [value.b, '0304'],
    [value.c, '0506'],
  ] as const) {
    expect(hex(field)).toBe(expected)
    expect(Object.getPrototypeOf(field)).toBe(Uint8Array.prototype)
  }
})

it('what is written is a copy of what was given', () => {
  const part = fromHex('0102')
  const wire = encode(Everything, { a: part, b: part, c: part })
  part.fill(0xee)
  expect(hex(wire)).toBe('0102' + '020102' + '0102')
})

it('a writer grows, and gives out copies', () => {
  const writer = new Writer(1)
  for (let i = 0; i < 300; i++) writer.uint(i, 2)
  const first = writer.finish()
  expect(first.length).toBe(600)
  expect([first[598], first[599]]).toEqual([1, 43])
  first.fill(0)
  expect(writer.finish()[599]).toBe(43)
  expect(writer.length).toBe(600)
})

it('a length is filled in behind what it counts, however the buffer grows in between', () => {
  const writer = new Writer(1)
  writer.bytes(fromHex('aa'))
  const at = writer.open(3)
  writer.bytes(new Uint8Array(700).fill(7))
  expect(writer.close(at, 3)).toBe(700)
  expect(hex(writer.finish().subarray(0, 6))).toBe('aa' + '0002bc' + '0707')
})

it.each([1, 2, 3, 4, 5, 6, 7, 8])('numbers of %i bytes are in network byte order', size => {
  const value = size < 7 ? 2 ** (8 * size) - 2 : Number.MAX_SAFE_INTEGER - 1
  const writer = new Writer()
  writer.uint(value, size)
  const wire = writer.finish()
  expect(wire.length).toBe(size)
  expect(wire.at(-1)).toBe(0xfe)
  expect(new Reader(wire).uint(size)).toBe(value)
})

it('a reader never reads past its end', () => {
  const reader = new Reader(fromHex('0102ffff').subarray(0, 2))
  expect(reader.remaining).toBe(2)
  expect(() => reader.bytes(3)).toThrow('needs 3 bytes where 2 are left')
  expect(() => reader.enter(3)).toThrow('a length of 3 bytes where 2 are left')
  const end = reader.enter(2)
  reader.uint(1)
  expect(() => reader.leave(end)).toThrow('1 bytes too many')
})

it('concat and equal', () => {
  expect(hex(concat(fromHex('01'), EMPTY, fromHex('0203')))).toBe('010203')
  expect(concat()).toEqual(EMPTY)
  expect(equal(fromHex('0102'), fromHex('0102'))).toBe(true)
  expect(equal(EMPTY, EMPTY)).toBe(true)
  for (const other of ['', '01', '0103', '010200', '1102']) {
    expect([other, equal(fromHex('0102'), fromHex(other))]).toEqual([other, false])
  }
})

it('a piece of a block that was handed on to a worker takes no later one along', () => {
  for (const length of [0, 10, 0, 2048]) {
    const piece = fresh(length)
    structuredClone(piece, { transfer: [piece.buffer as ArrayBuffer] })
    expect(fresh(length)).toEqual(new Uint8Array(length))
  }
})

describe('fields that need no memory of their own', () => {
  const Named = struct('Named', { name: known(4), kind: recurring(2), ticket: lent(3), more: rest })
  const bytes = (name: number): Uint8Array => Uint8Array.of(name, 2, 3, 4, 5, 6, 7, 8, 9, 10)

  it('are what was known, or came last, if the bytes are the same; otherwise copies', () => {
    const name = Uint8Array.of(1, 2, 3, 4)
    const [first, second] = [decode(Named, bytes(1), name), decode(Named, bytes(9), name)]
    expect(first.name).toBe(name)
    expect(hex(second.name)).toBe('09020304')
    expect(decode(Named, bytes(1)).name).toEqual(name)
    expect(decode(Named, bytes(1), name.subarray(1)).name).toEqual(name)
    expect(second.kind).toBe(first.kind)
    expect(hex(first.kind)).toBe('0506')
    const other = bytes(1).fill(0x77, 5, 6)
    expect(hex(decode(Named, other).kind)).toBe('0577')
    expect(hex(first.kind)).toBe('0506')
  })

  it('are views of what is lent, the same ones of the same memory, and copies of all else', () => {
    const input = bytes(1)
    const [first, second] = [decodeLent(Named, input), decodeLent(Named, input)]
    expect(first.ticket.buffer).toBe(input.buffer)
    expect(second.ticket).toBe(first.ticket)
    expect(decodeLent(Named, bytes(1)).ticket).not.toBe(first.ticket)
    expect(decode(Named, input).ticket.buffer).not.toBe(input.buffer)
    expect(hex(first.ticket)).toBe('070809')
  })

  it('end where the input ends', () => {
    for (let length = 0; length < 9; length++)
      for (const read of [decode<unknown>, decodeLent<unknown>])
        expect(() => read(Named, bytes(1).subarray(0, length))).toThrow(/needs \d bytes/)
  })

  it('memory that its holder has handed on has no view here', () => {
    const memory = new Uint8Array(100)
    const view = lentView(memory, 10, 20)
    // Neither takes the other's place, as a sealed message and what is sealed in it would.
    const later = lentView(memory, 15, 20)
    expect(lentView(memory, 10, 20)).toBe(view)
    expect(lentView(memory, 15, 20)).toBe(later)
    structuredClone(memory, { transfer: [memory.buffer] })
    expect(view).toHaveLength(0)
    expect(lentView(new Uint8Array(100), 10, 20)).toHaveLength(10)
  })
})

it('bytes that do not last are copies in memory that is shared, short ones and long ones', () => {
  const codec = opaque(0, 4000, 'passing')
  for (const length of [0, 64, 65, 2000, 3000]) {
    const input = encode(codec, new Uint8Array(length).fill(7))
    const [one, other] = [decode(codec, input), decode(codec, input)]
    input.fill(1)
    one.fill(9)
    expect(one).toHaveLength(length)
    expect(other).toEqual(new Uint8Array(length).fill(7))
    expect(Object.getPrototypeOf(other)).toBe(Uint8Array.prototype)
  }
})
