import type { AnyCodec, Codec } from './notation.ts'

/** Stands for a masked value in a trace; secrets inside a value that has parts are zeros there. */
export const SECRET: unique symbol = Symbol('secret')

/** A copy of a value in which the bytes of every secret are zeros. */
export function redact<T>(codec: Codec<T>, value: T): T {
  const change = (part: AnyCodec, inner: unknown): unknown => {
    if (part.secret && inner instanceof Uint8Array) return new Uint8Array(inner.length)
    return part.map === undefined ? inner : part.map(inner, change)
  }
  return change(codec, value) as T
}

/** Overwrites the bytes of every secret in a value with zeros, where they lie. */
export function wipe<T>(codec: Codec<T>, value: T): void {
  if (codec.secret || codec.wipe?.(value) !== true) wipePart(codec, value)
}

function wipePart(part: AnyCodec, inner: unknown): void {
  if (part.secret && inner instanceof Uint8Array) inner.fill(0)
  else part.each?.(inner, wipePart)
}
