import { concat } from '../../src/wire/index.ts'
import { below, type Seeded } from '../support/random.ts'

/** Numbers that break things: lengths, counts and types at their limits. */
const INTERESTING = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff]

/**
 * One to four changes to a byte string: bits, bytes, lengths, pieces taken out, doubled, moved, cut off, or
 * taken from another one.
 */
export function mutate(bytes: Uint8Array, other: Uint8Array, random: Seeded): Uint8Array {
  let changed = bytes
  for (let left = 1 + below(random, 4); left > 0; left--) changed = change(changed, other, random)
  return changed
}

function change(bytes: Uint8Array, other: Uint8Array, random: Seeded): Uint8Array {
  const at = below(random, bytes.length + 1)
  const end = Math.min(bytes.length, at + 1 + below(random, 40))
  const copy = bytes.slice()
  switch (below(random, 10)) {
    case 0:
      if (at < bytes.length) copy[at]! ^= 1 << below(random, 8)
      return copy
    case 1:
      if (at < bytes.length) copy[at] = random(1)[0]!
      return copy
    case 2:
      if (at < bytes.length) copy[at] = INTERESTING[below(random, INTERESTING.length)]!
      return copy
    case 3:
      // a length of two bytes, one more or one less
      if (at + 1 < bytes.length) {
        const view = new DataView(copy.buffer)
        view.setUint16(at, (view.getUint16(at) + (below(random, 2) === 0 ? 1 : 0xffff)) & 0xffff)
      }
      return copy
    case 4:
      return concat(bytes.subarray(0, at), random(1 + below(random, 20)), bytes.subarray(at))
    case 5:
      return concat(bytes.subarray(0, at), bytes.subarray(end))
    case 6:
      return concat(bytes.subarray(0, end), bytes.subarray(at))
    case 7:
      return bytes.slice(0, at)
    case 8: {
      const from = below(random, other.length + 1)
      return concat(bytes.subarray(0, at), other.subarray(from))
    }
    default: {
      const from = below(random, other.length + 1)
      const piece = other.subarray(from, from + 1 + below(random, 40))
      return concat(bytes.subarray(0, at), piece, bytes.subarray(end))
    }
  }
}
