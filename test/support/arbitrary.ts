import fc from 'fast-check'
import type { AnyCodec, Struct } from '../../src/wire/index.ts'

/** Items of a vector, and bytes of what may be large: values are to be many, not long. */
const MOST = 40

const bytes = (floor: number, ceiling: number) =>
  fc.uint8Array({ minLength: floor, maxLength: Math.min(ceiling, floor + MOST) }).map(one => one.slice())

/** Any value that a codec may write, made from what it says of itself. */
export function arbitraryOf(codec: AnyCodec): fc.Arbitrary<unknown> {
  const { notation, definition = '' } = codec
  const { fields, members } = codec as Partial<Struct<unknown>> & { members?: Record<string, number> }
  if (members !== undefined) return fc.constantFrom(...Object.keys(members))
  if (fields !== undefined)
    return fc.record(Object.fromEntries(Object.entries(fields).map(([key, one]) => [key, arbitraryOf(one)])))
  const integer = /^uint(\d+) NAME$/.exec(notation)
  if (integer !== null) return fc.integer({ min: 0, max: maximum(Number(integer[1])) })
  if (notation === 'int32 NAME') return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  if (notation === 'Boolean NAME') return fc.boolean()
  if (notation === 'opaque NAME[the rest]') return bytes(0, MOST)
  const fixed = /^opaque NAME\[(\d+)\]$/.exec(notation)
  if (fixed !== null) return bytes(Number(fixed[1]), Number(fixed[1]))
  const opaque = /^opaque NAME<(\d+)\.\.(.+)>$/.exec(notation)
  if (opaque !== null) {
    const [floor, ceiling] = [Number(opaque[1]), limit(opaque[2]!)]
    return isText(codec)
      ? fc.string({ minLength: floor, maxLength: Math.min(ceiling, MOST) })
      : bytes(floor, ceiling)
  }
  if (notation === 'optional<uint64> NAME' && codec.uses === undefined)
    return fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER })
  if (notation.startsWith('optional<')) return fc.option(arbitraryOf(codec.uses![0]!), { nil: undefined })
  if (/ NAME<\d+\.\..+>$/.test(notation)) return fc.array(arbitraryOf(codec.uses![0]!), { maxLength: 4 })
  if (definition.includes('select (')) return selected(codec)
  throw new Error(`no value is known of ${notation}`)
}

const maximum = (bits: number): number => Math.min(2 ** bits - 1, Number.MAX_SAFE_INTEGER)
const limit = (text: string): number =>
  text.includes('^') ? 2 ** Number(/\^(\d+)/.exec(text)![1]) - 1 : Number(text)

/** Text and bytes are declared alike; what text writes it reads as a string. */
function isText(codec: AnyCodec): boolean {
  return codec.straight === undefined
}

function selected(codec: AnyCodec): fc.Arbitrary<unknown> {
  const [kind, ...cases] = codec.uses as [AnyCodec & { members: Record<string, number> }, ...AnyCodec[]]
  const tag = /struct \{\s+\S+ (\w+);/.exec(codec.definition!)![1]!
  const camel = tag.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const names = [...codec.definition!.matchAll(/case (\S+):/g)].map(([, name]) => name!)
  if (names.some(name => kind.members[name] === undefined)) throw new Error(`a case of ${codec.notation}`)
  return fc.oneof(
    ...names.map((name, i) => arbitraryOf(cases[i]!).map(value => ({ [camel]: name, ...(value as object) }))),
  )
}
