import { EMPTY } from './bytes.ts'
import { fixed } from './codec.ts'
import type { Codec } from './notation.ts'

/*
 * Fields of a fixed length that need no memory of their own when they are read. On the wire, and to a writer,
 * each is `fixed(length)`.
 */

/** Bytes that the caller of `decode` may have already: then the value is that very array. Never a secret. */
export function known(length: number): Codec<Uint8Array> {
  const { notation, write } = fixed(length)
  return { notation, write, read: reader => reader.known(length) }
}

/** Bytes that are the same again and again: values that are equal are one array. Never a secret. */
export function recurring(length: number): Codec<Uint8Array> {
  const { notation, write } = fixed(length)
  let last = EMPTY
  return {
    notation,
    write,
    read(reader) {
      last = reader.same(length, last)
      return last
    },
  }
}

/** Bytes that are looked at at once: a view, where the input is lent (`decodeLent`). */
export function lent(length: number): Codec<Uint8Array> {
  const { notation, write } = fixed(length)
  return { notation, write, read: reader => reader.lent(length) }
}
