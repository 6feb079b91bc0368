import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AnyCodec, DecodeError, hex, Reader, redact } from '../../src/wire/index.ts'
import { wipe } from '../../src/wire/secrets.ts'
import { Writer } from '../../src/wire/writer.ts'
import { arbitraryOf } from '../support/arbitrary.ts'
import { LONG } from '../support/long.ts'
import { structs } from '../support/structs.ts'

const BUILT = new URL('../../dist/src/wire/index.js', import.meta.url).href

/** What comes of writing: the bytes, or the error in words. */
function written(codec: AnyCodec, value: unknown, interpreted: boolean): string {
  const writer = new Writer(64, interpreted)
  try {
    codec.write(writer, value)
    return hex(writer.finish())
  } catch (error) {
    return String(error)
  }
}

/** What comes of reading: the value and how far it went, or the error with its place. */
function read(codec: AnyCodec, bytes: Uint8Array, interpreted: boolean): unknown {
  const reader = new Reader(bytes, undefined, false, interpreted)
  try {
    return { value: codec.read(reader) as unknown, offset: reader.offset }
  } catch (error) {
    if (error instanceof DecodeError) return { error: error.message, offset: error.offset }
    return String(error)
  }
}

function agree(codec: AnyCodec, bytes: Uint8Array): void {
  expect(read(codec, bytes, false)).toStrictEqual(read(codec, bytes, true))
}

const RUNS = LONG ? 200 : 4

const all = await structs()

/** Characters of the longest function made of text so far; V8 does not compile 60 KB of bytecode. */
let longest = 0
globalThis.Function = new Proxy(Function, {
  construct(target, texts: string[]) {
    longest = Math.max(longest, texts.at(-1)!.length)
    return Reflect.construct(target, texts) as object
  },
})

describe('compiled and interpreted', () => {
  it('are compared for every struct that there is', () => {
    expect(all.length).toBeGreaterThan(70)
  })

  it.each(all)('%s: what is secret is overwritten, and nothing else', (_, codec) => {
    fc.assert(
      fc.property(arbitraryOf(codec), value => {
        const masked = redact(codec, value)
        wipe(codec, value)
        expect(value).toEqual(masked)
      }),
      { numRuns: RUNS },
    )
  })

  it.each(all)('%s: the same bytes, values and errors', (_, codec) => {
    fc.assert(
      fc.property(arbitraryOf(codec), value => {
        const text = written(codec, value, true)
        expect(written(codec, value, false)).toBe(text)
        if (!/^[0-9a-f]*$/.test(text)) return
        const bytes = Uint8Array.from(text.match(/../g) ?? [], byte => Number.parseInt(byte, 16))
        agree(codec, bytes)
        // Long ones are cut and changed here and there.
        const step = Math.max(1, Math.floor(bytes.length / 20))
        for (let at = 0; at < bytes.length; at += step) {
          agree(codec, bytes.subarray(0, at))
          const changed = bytes.slice()
          changed[at]! ^= 1 << (at & 7)
          agree(codec, changed)
        }
        agree(codec, Uint8Array.from([...bytes, 0]))
      }),
      { numRuns: RUNS },
    )
  })

  it.each(all)('%s: a value that misses a field, or has one of another kind', (_, codec) => {
    fc.assert(
      fc.property(
        arbitraryOf(codec),
        fc.nat(),
        fc.constantFrom(-1, 2 ** 53, 0.5, 'x', null),
        (value, at, odd) => {
          const record = value as Record<string, unknown>
          const keys = Object.keys(record)
          if (keys.length === 0) return
          const key = keys[at % keys.length]!
          const changed = { ...record, [key]: odd }
          // In words of the engine's own the two may differ: that is a mistake of ours in either.
          const [one, other] = [written(codec, changed, false), written(codec, changed, true)]
          if (!one.startsWith('TypeError') || !other.startsWith('TypeError')) expect(one).toBe(other)
        },
      ),
      { numRuns: RUNS },
    )
  })
})

it('makes no function that is too long for the engine to compile for good', () => {
  for (const [, codec] of all)
    for (const value of fc.sample(arbitraryOf(codec), RUNS)) {
      read(codec, Buffer.from(written(codec, value, false), 'hex'), false)
      wipe(codec, value)
    }
  expect(longest).toBeGreaterThan(1000)
  expect(longest).toBeLessThan(16_384)
})

it('is interpreted where no code may be made of text', () => {
  const program = `
    import { decode, encode, struct, uint16 } from ${JSON.stringify(BUILT)}
    const Point = struct('Point', { x: uint16, y: uint16 })
    console.log(JSON.stringify(decode(Point, encode(Point, { x: 1, y: 2 }))))`
  const out = execFileSync(
    process.execPath,
    ['--disallow-code-generation-from-strings', '--input-type=module', '-e', program],
    { encoding: 'utf8' },
  )
  expect(out).toBe('{"x":1,"y":2}\n')
})

it('no codec has an accessor of its own: the engine would take it for a dictionary', async () => {
  const found = (await structs()).flatMap(([name, codec]) =>
    Object.entries(Object.getOwnPropertyDescriptors(codec))
      .filter(([, { get }]) => get !== undefined)
      .map(([property]) => `${name}.${property}`),
  )
  expect(found).toEqual([])
})
