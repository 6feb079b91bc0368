import type { Random } from '../../src/tls13/crypto/provider.ts'
import { hex } from '../../src/wire/index.ts'

/** A source of bytes that look random, are the same in every run, and can be copied where it stands. */
export interface Seeded extends Random {
  /** A second source that goes on as this one would. */
  fork(): Seeded
}

/** Bytes that depend on the seed and on how many were taken before. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0
  const take = (length: number): Uint8Array => {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      bytes[i] = state >>> 24
    }
    return bytes
  }
  return Object.assign(take, { fork: () => seeded(state) })
}

/** Gives out the values in their order; asking for another length, or for more, is an error. */
export function script(...values: readonly Uint8Array[]): Random & { readonly left: () => number } {
  const waiting = [...values]
  const take = (length: number): Uint8Array => {
    const value = waiting.shift()
    if (value === undefined) throw new Error(`no script has these ${length} random bytes`)
    if (value.length !== length) throw new Error(`scripted ${hex(value)} where ${length} bytes are wanted`)
    return value
  }
  return Object.assign(take, { left: () => waiting.length })
}

/** Whole numbers from 0 to `below` - 1 out of a source of bytes. */
export function below(random: Random, limit: number): number {
  return new DataView(random(4).slice().buffer).getUint32(0) % limit
}
