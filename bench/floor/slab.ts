import { koffi } from './foreign.ts'

/**
 * Memory outside of JavaScript's heap, which never moves and is never freed: OpenSSL and the kernel are given
 * its address, JavaScript reads and writes the same bytes.
 */
export interface Slab {
  readonly address: number
  readonly bytes: Uint8Array
  /** Of the same bytes. Big-endian is what goes between hosts, little-endian what the kernel reads. */
  readonly view: DataView
}

/** @param length bytes; they are zeros */
export function slab(length: number): Slab {
  const pointer = koffi.alloc('uint8', length)
  const buffer = koffi.view(pointer, length)
  const bytes = new Uint8Array(buffer)
  bytes.fill(0)
  return { address: Number(pointer), bytes, view: new DataView(buffer) }
}

/** Copies a few bytes: for so few a loop is faster than `set`, which needs a view of its own. */
export function copy(from: Uint8Array, at: number, to: Uint8Array, toAt: number, length: number): void {
  for (let i = 0; i < length; i++) to[toAt + i] = from[at + i]!
}
