import type { Reader } from './reader.ts'
import type { Straight } from './straight.ts'
import type { Writer } from './writer.ts'

/**
 * One description of bytes in the presentation language of RFC 8446 §3. It writes, it reads, and it
 * knows how it is written down; the TypeScript type is inferred from it ({@link TypeOf}).
 */
export interface Codec<T> {
  /** How a field of this type is declared. `NAME` stands for the field's name: `opaque NAME<0..255>`. */
  readonly notation: string
  /** The text that defines the type, if it has a name of its own. */
  readonly definition?: string
  /** The types that the definition mentions. */
  readonly uses?: readonly AnyCodec[]
  /** A secret: masked in dumps unless asked for by name. */
  readonly secret?: boolean
  /** Rebuilds a value with `change` applied to each part, if the type has parts. */
  map?(value: T, change: (codec: AnyCodec, part: unknown) => unknown): T
  /** Shows each part, as {@link map} does, where nothing is to be built anew. */
  each?(value: T, visit: (codec: AnyCodec, part: unknown) => void): void
  /** The same as source text, for the types that it is a part of; what has none is called. */
  readonly straight?: Straight
  /** Overwrites the secrets of a value, if that was compiled. @returns whether it was */
  wipe?(value: T): boolean
  write(writer: Writer, value: T): void
  read(reader: Reader): T
}

// biome-ignore lint/suspicious/noExplicitAny: a codec takes and gives its type, so only `any` holds them all
export type AnyCodec = Codec<any>

/** The TypeScript type of what a codec reads and writes. */
export type TypeOf<C> = C extends Codec<infer T> ? T : never

/** The field's declaration: `uint16 cipher_suite`. */
export function declare(codec: AnyCodec, name: string): string {
  return codec.notation.replace('NAME', snake(name))
}

/** The name of a codec's type alone: `TrafficState`, `uint16`, `opaque<0..255>`. */
export function typeName(codec: { readonly notation: string }): string {
  return codec.notation.replace(' NAME', '')
}

/** RFC spelling of a field's name: `sequenceNumber` → `sequence_number`. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
